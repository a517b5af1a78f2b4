// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// summing says which rows of a server are counted and summed.
type summing struct {
	kind backup.Kind
	// databases, all if there are none, and tables that are left out.
	databases, skip []string
	// engines of the tables, a condition, all if it is empty.
	engines string
	// transaction is open: it is to lock one table at a time against DDL.
	transaction bool
	// sums of before the backup, and those that its own snapshot has.
	sums, snapshot backup.Sums
}

// of the tables of a server. What a backup of the kind is known not to hold has no part in
// it. A table that cannot be read as it was when it was listed has nil.
func (w summing) of(ctx context.Context, op operations.Op, s *session) (backup.Sums, error) {
	in, err := databases(ctx, s, w.databases)
	if err != nil {
		return nil, err
	}
	if err := s.exec(ctx, "SET SESSION time_zone = '+00:00'"); err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, `SELECT c.table_schema AS d, c.table_name AS t, c.column_name AS c, c.data_type AS k FROM information_schema.columns c
JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.table_type = 'BASE TABLE'
WHERE c.generation_expression = '' AND NOT (? AND t.engine = 'MEMORY')`+w.engines+` ORDER BY 1, 2, c.ordinal_position`, w.kind == backup.Physical)
	if err != nil {
		return nil, err
	}
	counted, err := s.rows(ctx, "SELECT CONCAT(object_schema, '.', object_name) AS t, count_write AS n FROM performance_schema.table_io_waits_summary_by_table WHERE object_type = 'TABLE' AND count_write > 0")
	if err != nil {
		return nil, err
	}
	changes := map[string]string{}
	for _, r := range counted {
		changes[r.byName["t"]] = r.byName["n"]
	}
	if w.transaction {
		if err := s.exec(ctx, "SAVEPOINT unit_agent"); err != nil {
			return nil, err
		}
	}
	out := backup.Sums{}
	for len(rows) > 0 {
		d, t := rows[0].byName["d"], rows[0].byName["t"]
		end := slices.IndexFunc(rows, func(r row) bool { return r.byName["d"] != d || r.byName["t"] != t })
		if end < 0 {
			end = len(rows)
		}
		columns := rows[:end]
		rows = rows[end:]
		table := d + "." + t
		if !slices.Contains(in, d) || slices.Contains(w.skip, table) {
			continue
		}
		op.Progress("summing the rows of "+table, 0, 0)
		found, err := s.rows(ctx, "SELECT COUNT(*) AS n, COALESCE(SUM("+w.rowSum(columns)+"), 0) AS s FROM "+tableName(d, t))
		switch number(err) {
		case 0:
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", table, withServerGone(err))
			}
			n, err := strconv.ParseInt(found[0].byName["n"], 10, 64)
			if err != nil {
				return nil, err
			}
			out[table] = &backup.Sum{Rows: n, Sum: found[0].byName["s"], Changes: changes[table]}
		case errNoTable, errNoColumn, errTableChanged:
			out[table] = nil
		default:
			return nil, fmt.Errorf("reading %s: %w", table, err)
		}
		if w.transaction {
			if err := s.exec(ctx, "ROLLBACK TO SAVEPOINT unit_agent"); err != nil {
				return nil, withServerGone(err)
			}
		}
	}
	return out, nil
}

// Errors of tables that others have changed since they were listed.
const (
	errNoColumn     = 1054
	errNoTable      = 1146
	errTableChanged = 1412
)

// rowSum of a row: generated columns follow from the others. CHECKSUM TABLE is another one
// each time for a table with virtual ones.
func (w summing) rowSum(columns []row) string {
	var sums []string
	for _, c := range columns {
		name := mysql.Identifier(c.byName["c"])
		switch c.byName["k"] {
		case "float":
			if w.kind == backup.Logical {
				continue
			}
			// The text of a float has six digits.
			name = "CAST(" + name + " AS DOUBLE)"
		case "char", "varchar", "text", "tinytext", "mediumtext", "longtext", "binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob", "enum", "set":
		case "double", "decimal", "json":
			name = "CONCAT(" + name + ")"
		default:
			name = "HEX(" + name + ")"
		}
		sums = append(sums, "COALESCE(CRC32("+name+"), '-')")
	}
	return "CRC32(CONCAT_WS(' '" + strings.Join(append([]string{""}, sums...), ", ") + "))"
}

// verify restores a backup on a private server and compares what comes back.
type verify struct{ unit }

// Run implements operations.Action.
func (a verify) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.Restore](op)
	if err != nil {
		return nil, err
	}
	m, from, err := a.find(ctx, op, p)
	if err != nil {
		return nil, err
	}
	verdict, err := a.verifyBackup(ctx, op, m, from)
	return map[string]string{"message": m.Location().String() + " is " + verdict}, err
}

// Abandon implements operations.Abandoner.
func (a verify) Abandon(_ context.Context, op operations.Op) error { return a.clearVerify(op) }

// verifyDir is on a storage named backup if the unit has one, else alongside the data.
func (u unit) verifyDir() string {
	if mount := u.Env.Lookup("BACKUP_MOUNT"); mount != "" {
		return filepath.Join(mount, ".unit-agent", "verify")
	}
	return u.Env.SideDir("verify")
}

func (u unit) clearVerify(op operations.Op) error {
	return errors.Join(os.RemoveAll(u.privateDir(op)), os.RemoveAll(u.verifyDir()), u.clearLoad())
}

// verifyBackup by restoring it, with what it is based on, beside the data.
func (u unit) verifyBackup(ctx context.Context, op operations.Op, m *backup.Manifest, from source) (verdict string, err error) {
	chain, err := from.chain(ctx, m)
	if err != nil {
		return "", err
	}
	recorded, err := backup.ReadSums(ctx, from.store, m, from.key)
	if err != nil {
		return "", withReason(err)
	}
	if err := u.clearVerify(op); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, u.clearVerify(op)) }()
	b := beside{data: filepath.Join(u.verifyDir(), "data"), scratch: m.Kind == backup.Logical}
	if err := os.MkdirAll(b.tmp(), 0o700); err != nil {
		return "", err
	}
	size := sizeOf(chain) + sizeOf(chain[1:])
	if b.scratch {
		sizes, err := sizesOf(chain[0])
		if err != nil {
			return "", err
		}
		for _, s := range sizes {
			size += s.Data + s.Index
		}
		size += freshServer
	}
	r := room{Size: size, Margin: max(size/10, 2*loadReserve), Dir: u.verifyDir(), Instead: "a larger storage, on which the backup is restored to verify it"}
	if err := r.Check(); err != nil {
		return "", err
	}
	var restored backup.Sums
	err = r.Watched(ctx, func(ctx context.Context) error {
		p, err := u.restoreBeside(ctx, op, b, chain, from)
		if err != nil {
			return err
		}
		// What it holds is thrown away.
		defer p.kill()
		op.Progress("reading what was restored", 0, 0)
		s, err := openSession(ctx, p.engine, false)
		if err != nil {
			return err
		}
		defer s.close()
		if restored, err = (summing{kind: m.Kind}).of(ctx, op, s); err != nil && ctx.Err() == nil {
			return operations.Failed(operation.ReasonVerificationFailed, "what comes back of the backup %s cannot be read: %w", m.Location(), err)
		}
		return err
	})
	if err != nil {
		return "", r.Filled(err)
	}
	verdict, err = m.Verdict(recorded, restored)
	return verdict, withReason(err)
}

// restoreBeside returns the private server that has what was restored.
func (u unit) restoreBeside(ctx context.Context, op operations.Op, b beside, chain []*backup.Manifest, from source) (*private, error) {
	if b.scratch {
		return u.scratchOf(ctx, op, b, chain, from)
	}
	if err := u.unpack(ctx, op, from, chain[0], b.data); err != nil {
		return nil, err
	}
	op.Progress("starting a private server on what was restored", 0, 0)
	return u.serverOf(ctx, op, b, from, chain[1:])
}
