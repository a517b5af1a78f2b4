// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/space"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// summing says which rows of a server are counted and summed.
type summing struct {
	kind backup.Kind
	skip []string
	// sums of before a physical backup, or of the snapshots of the dumps.
	sums backup.Sums
}

// of all databases of a server, for a physical backup.
func (w *summing) of(ctx context.Context, op operations.Op, u unit) (backup.Sums, error) {
	conn, err := u.session(ctx, home)
	if err != nil {
		return nil, err
	}
	names, err := list(ctx, conn, "SELECT datname::text FROM pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY 1")
	postgresql.Disconnect(ctx, conn)
	if err != nil {
		return nil, err
	}
	out := backup.Sums{}
	for _, name := range names {
		inside, err := u.session(ctx, name)
		if err == nil {
			err = w.add(ctx, op, inside, name, out)
			postgresql.Disconnect(ctx, inside)
		}
		if state := sqlState(err); state == unknownDatabase || state == "55000" {
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// steady settings: the text of a row is to be the same on both servers.
var steady = []string{
	"SET search_path = ''", "SET DateStyle = 'ISO, YMD'", "SET IntervalStyle = postgres", "SET TimeZone = 'UTC'", "SET extra_float_digits = 3",
	"SET bytea_output = hex", "SET lc_monetary = 'C'", "SET xmlbinary = base64", "SET row_security = off",
}

// tables of a database, as they are written in a query, with the counts of their changes.
// Of what belongs to an extension a dump has only what that says.
func (w *summing) tables(ctx context.Context, conn *pgx.Conn, database string) (tables, changes []string, err error) {
	if err := execute(ctx, conn, steady...); err != nil {
		return nil, nil, err
	}
	rows, err := conn.Query(ctx, `SELECT n.nspname::text, c.relname::text, (pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid))::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND CASE WHEN $1 THEN c.relpersistence <> 't'
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ELSE c.relpersistence = 'p' END ORDER BY 1, 2`, w.kind == backup.Logical)
	if err != nil {
		return nil, nil, err
	}
	var schema, table, changed string
	_, err = pgx.ForEachRow(rows, []any{&schema, &table, &changed}, func() error {
		if !skipped(w.skip, database, schema, table) {
			tables, changes = append(tables, postgresql.Identifier(schema)+"."+postgresql.Identifier(table)), append(changes, changed)
		}
		return nil
	})
	return tables, changes, err
}

// add the sums of the tables of a database, by the name that it has in the backup. A table
// that is gone since it was listed has nil.
func (w *summing) add(ctx context.Context, op operations.Op, conn *pgx.Conn, name string, to backup.Sums) error {
	tables, changes, err := w.tables(ctx, conn, name)
	if err != nil {
		return err
	}
	// In the transaction of a snapshot the locks on indexes and TOAST tables would pile up.
	inside := conn.PgConn().TxStatus() == 'T'
	if inside {
		if err := execute(ctx, conn, "SAVEPOINT unit_agent"); err != nil {
			return err
		}
	}
	sum := func(what, changes, query string) error {
		op.Progress("summing the rows of "+what, 0, 0)
		s := &backup.Sum{Changes: changes}
		err := conn.QueryRow(ctx, query).Scan(&s.Rows, &s.Sum)
		if inside && ctx.Err() == nil {
			err = errors.Join(err, execute(ctx, conn, "ROLLBACK TO SAVEPOINT unit_agent"))
		}
		if sqlState(err) == "42P01" {
			s, err = nil, nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", what, err)
		}
		to[what] = s
		return nil
	}
	const hash = "coalesce(sum(pg_catalog.hashtextextended(%s COLLATE \"C\", 0)::numeric), 0)::text"
	for i, table := range tables {
		if err := sum(name+"."+unquoted(table), changes[i], fmt.Sprintf("SELECT count(*), "+hash+" FROM ONLY %s AS unit_agent_row", "unit_agent_row::text", table)); err != nil {
			return err
		}
	}
	// By page: lo_get fails for objects over 1 GB. A dump fills holes, and what a page is short
	// of, with zeros.
	const page = "rtrim(encode(data, 'hex'), '0')"
	return sum("the large objects of "+name, "", fmt.Sprintf("SELECT (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata), "+hash+" FROM pg_catalog.pg_largeobject WHERE "+page+" <> ''", "(loid || ' ' || pageno || ' ' || "+page+")"))
}

// unquoted is a table as people write it where nothing needs quotes.
func unquoted(table string) string { return strings.ReplaceAll(table, `"`, "") }

// write the sums of a backup that is about to be complete.
func (w *summing) write(ctx context.Context, op operations.Op, u unit, to *backup.Writer) error {
	if w.kind == backup.Physical {
		after, err := w.of(ctx, op, u)
		if err != nil {
			return err
		}
		w.sums = w.sums.Steady(after)
	}
	return w.sums.Write(to)
}

// snapshot of a database that a dump and its sums are of. Its tables are locked as the dump
// locks them, which would not see that one is emptied.
func (w *summing) snapshot(ctx context.Context, conn *pgx.Conn, database string, wait time.Duration) (id string, err error) {
	if err := execute(ctx, conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return "", err
	}
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot()").Scan(&id); err != nil {
		return "", err
	}
	tables, _, err := w.tables(ctx, conn, database)
	if err != nil || len(tables) == 0 {
		return id, err
	}
	return id, execute(ctx, conn, fmt.Sprintf("SET LOCAL statement_timeout = %d", wait.Milliseconds()), "LOCK TABLE ONLY "+strings.Join(tables, ", ONLY ")+" IN ACCESS SHARE MODE", "SET LOCAL statement_timeout = 0")
}

// verify restores a backup on a private server and compares what comes back.
type verify struct{ unit }

// Run implements operations.Action.
func (a verify) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.Restore](op)
	if err != nil {
		return nil, err
	}
	from, err := a.find(ctx, op, p)
	if err != nil {
		return nil, err
	}
	verdict, err := a.verifyBackup(ctx, op, from)
	return map[string]string{"message": from.manifest.Location().String() + " is " + verdict}, err
}

// Abandon implements operations.Abandoner.
func (a verify) Abandon(context.Context, operations.Op) error { return a.clearVerify() }

// verifyDir is on a storage named backup if the unit has one, else alongside the data.
func (u unit) verifyDir() string {
	if mount := u.Env.Lookup("BACKUP_MOUNT"); mount != "" {
		return filepath.Join(mount, ".unit-agent", "verify")
	}
	return u.Env.SideDir("verify")
}

func (u unit) clearVerify() error { return os.RemoveAll(u.verifyDir()) }

// verifyBackup by restoring it, with what it is based on, alongside the data.
func (u unit) verifyBackup(ctx context.Context, op operations.Op, from source) (verdict string, err error) {
	m := from.manifest
	recorded, err := backup.ReadSums(ctx, from.store, m, from.key)
	if err != nil {
		return "", withReason(err)
	}
	if err := u.clearVerify(); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, u.clearVerify()) }()
	if err := os.MkdirAll(filepath.Join(u.verifyDir(), "data"), 0o700); err != nil {
		return "", err
	}
	restore := u.verifyPhysical
	if m.Kind == backup.Logical {
		restore = u.verifyLogical
	}
	var restored backup.Sums
	if restored, err = restore(ctx, op, from); err != nil {
		return "", err
	}
	verdict, err = m.Verdict(recorded, restored)
	return verdict, withReason(err)
}

// within the room that there is.
func (u unit) within(ctx context.Context, size int64, do func(context.Context) error) error {
	r := space.Room{Size: size, Margin: max(size/10, 128<<20), Dir: u.verifyDir(), Instead: "a larger storage, on which the backup is restored to verify it"}
	if err := r.Check(); err != nil {
		return err
	}
	return r.Filled(r.Watched(ctx, do))
}

func (u unit) verifyPhysical(ctx context.Context, op operations.Op, from source) (restored backup.Sums, err error) {
	chain, until, err := u.restorable(ctx, from)
	if err != nil {
		return nil, err
	}
	size, need, err := from.needs(chain)
	if err != nil {
		return nil, err
	}
	err = u.within(ctx, need, func(ctx context.Context) error {
		if err := u.assemble(ctx, op, from, chain, u.verifyDir(), &reporter{op: op, text: "unpacking the backup", total: size}); err != nil {
			return err
		}
		return u.recover(ctx, op, filepath.Join(u.verifyDir(), "data"), until, func(on unit, _ *pgx.Conn) error {
			restored, err = (&summing{kind: backup.Physical}).of(ctx, op, on)
			return unreadable(ctx, from, err)
		})
	})
	return restored, err
}

func unreadable(ctx context.Context, from source, err error) error {
	if err != nil && ctx.Err() == nil {
		return operations.Failed(operation.ReasonVerificationFailed, "what comes back of the backup %s cannot be read: %w", from.manifest.Location(), err)
	}
	return err
}

// freshServer is what a server takes that has no databases yet, with its WAL.
const freshServer = 512 << 20

// scratchArgs are those of a server that is thrown away.
var scratchArgs = []string{"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "max_wal_size=256MB"}

func (u unit) verifyLogical(ctx context.Context, op operations.Op, from source) (restored backup.Sums, err error) {
	all, err := from.databases(ctx)
	if err != nil {
		return nil, err
	}
	size := int64(freshServer)
	for _, d := range all {
		size += d.SizeOnDisk
	}
	restored = backup.Sums{}
	progress := &reporter{op: op, total: from.manifest.Size()}
	return restored, u.within(ctx, size, func(ctx context.Context) error {
		data := filepath.Join(u.verifyDir(), "data")
		op.Progress("making a server beside", 0, 0)
		initdb, err := u.tool(ctx, op, nil, "initdb", "--pgdata="+data, "--username="+home, "--encoding=UTF8", "--locale=C.UTF-8", "--auth=peer", "--no-sync")
		if err != nil {
			return err
		}
		if err := pipe.Run(ctx, initdb, nil, nil); err != nil {
			return err
		}
		return u.onPrivate(ctx, op, data, scratchArgs, func(on unit, conn *pgx.Conn) error {
			if err := execute(ctx, conn, "CREATE ROLE "+engine.AgentUser+" SUPERUSER LOGIN"); err != nil {
				return err
			}
			if err := from.roles(ctx, conn); err != nil {
				return err
			}
			exists, err := roles(ctx, conn)
			if err != nil {
				return err
			}
			for i, d := range all {
				temporary := fmt.Sprintf("unit_agent_new_%d", i)
				progress.text = "restoring database " + d.Name
				if err := execute(ctx, conn, d.createStatement(temporary)); err != nil {
					return operations.Failed("DatabaseRefused", "making a database for %s: %w", d.Name, err)
				}
				if err := on.load(ctx, op, from, d.Name, temporary, progress); err != nil {
					return fmt.Errorf("loading %s: %w", d.Name, err)
				}
				if err := execute(ctx, conn, d.statements(temporary, exists)...); err != nil {
					return operations.Failed("DatabaseRefused", "the properties of %s: %w", d.Name, err)
				}
				inside, err := on.session(ctx, temporary)
				if err != nil {
					return err
				}
				err = (&summing{kind: backup.Logical}).add(ctx, op, inside, d.Name, restored)
				postgresql.Disconnect(ctx, inside)
				if err := unreadable(ctx, from, err); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
