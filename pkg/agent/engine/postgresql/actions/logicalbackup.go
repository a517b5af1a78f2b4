// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Files of a logical backup alongside the dumps.
const (
	// globalsFile has the roles with their verifiers, and what they are granted.
	globalsFile = "globals.json"
	// databasesFile describes the databases.
	databasesFile = "databases.json"
)

// logicalBackup dumps roles and databases: each database by itself, as it was at one
// moment of its own.
type logicalBackup struct {
	unit
	// lockWait bounds the wait for a table that is locked.
	lockWait time.Duration
}

// Run implements operations.Action.
func (a logicalBackup) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.LogicalBackup](op)
	if err != nil {
		return nil, err
	}
	if p.BackupType == operation.Incremental {
		return nil, operations.Failed("Unsupported", "PostgreSQL has no incremental logical backups: action physical-backup with backupType incremental makes incremental ones of the whole server")
	}
	d := destination{
		address: p.Destination, compression: p.Compression, encryption: p.Encryption, retention: p.Retention,
		kind: backup.Logical, backupType: operation.Full,
	}
	conn, err := a.session(ctx, home)
	if err != nil {
		return nil, err
	}
	defer postgresql.Disconnect(ctx, conn)
	databases, leftOut, err := describe(ctx, conn, p.Databases)
	if err != nil {
		return nil, err
	}
	globals, err := readGlobals(ctx, conn)
	if err != nil {
		return nil, err
	}
	databases, shut, err := a.openClosed(ctx, op, conn, databases)
	if err != nil {
		return nil, err
	}
	defer func() { a.closeOpened(ctx, op) }()
	leftOut = append(leftOut, shut...)
	store, location, err := open(ctx, op, p.Destination)
	if err != nil {
		return nil, err
	}
	if p.Verify {
		d.verify = &summing{kind: backup.Logical, skip: p.SkipTables, sums: backup.Sums{}}
	}
	w, err := a.create(ctx, op, store, location, d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }()
	if err := a.dump(ctx, op, w, globals, databases, p.SkipTables, d.verify); err != nil {
		return nil, err
	}
	observed, err := a.Engine.Observe(ctx)
	if err != nil {
		return nil, err
	}
	w.Meta.EngineVersion, w.Meta.SystemID = observed.Version, observed.SystemID
	w.Meta.Tool = a.version(ctx, op, "pg_dump")
	for _, d := range databases {
		w.Meta.Databases = append(w.Meta.Databases, d.Name)
	}
	recordLeftOut(&w.Meta, leftOut)
	m, result, err := a.commit(ctx, op, w, d)
	if err != nil {
		return nil, err
	}
	return a.finish(ctx, op, store, m, d, result)
}

// propertyLeftOut of a backup: what was there and is not in it, with the reason.
const propertyLeftOut = "leftOut"

func recordLeftOut(m *backup.Meta, what []string) {
	if len(what) > 0 {
		m.Properties[propertyLeftOut] = strings.Join(what, "; ")
	}
}

// tellLeftOut to who called.
func tellLeftOut(result map[string]string, leftOut []string) {
	if len(leftOut) > 0 {
		result["leftOut"] = strings.Join(leftOut, "; ")
		result["message"] += "; it leaves out " + result["leftOut"]
	}
}

func (a logicalBackup) dump(ctx context.Context, op operations.Op, w *backup.Writer, globals globals, databases []database, skip []string, verify *summing) error {
	progress := &reporter{op: op}
	run := func(name, database, program string, args ...string) error {
		progress.text = "dumping " + strings.TrimSuffix(path.Base(name), path.Ext(name))
		op.Progress(progress.text, progress.done, 0)
		cmd, err := a.localTool(ctx, op, database, program, args...)
		if err != nil {
			return err
		}
		return file(w, name, func(to io.Writer) error { return pipe.Run(ctx, cmd, nil, io.MultiWriter(to, progress)) })
	}
	for name, described := range map[string]any{globalsFile: globals, databasesFile: databases} {
		if err := file(w, name, func(to io.Writer) error {
			encoder := json.NewEncoder(to)
			encoder.SetIndent("", "  ")
			return encoder.Encode(described)
		}); err != nil {
			return err
		}
	}
	for _, d := range databases {
		args := []string{"--format=custom", "--compress=0", "--no-password", "--lock-wait-timeout=" + strconv.FormatInt(a.lockWait.Milliseconds(), 10)}
		excluded, err := a.excluded(ctx, d.Name, skip)
		if err != nil {
			return err
		}
		for _, table := range excluded {
			args = append(args, "--exclude-table="+table)
		}
		if err := a.namingHolders(ctx, op, "the dump of "+d.Name, func() error {
			return a.summed(ctx, op, d.Name, verify, func(more ...string) error {
				return run(dumpFile(d.Name), d.Name, "pg_dump", append(args, more...)...)
			})
		}); err != nil {
			return err
		}
	}
	return nil
}

// summed is a dump whose tables are summed as it had them, if they are to be.
func (a logicalBackup) summed(ctx context.Context, op operations.Op, database string, verify *summing, dump func(more ...string) error) error {
	if verify == nil {
		return dump()
	}
	conn, err := a.session(ctx, database)
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, conn)
	snapshot, err := verify.snapshot(ctx, conn, database, a.lockWait)
	if err != nil {
		return err
	}
	if err := dump("--snapshot=" + snapshot); err != nil {
		return err
	}
	return verify.add(ctx, op, conn, database, verify.sums)
}

// excluded are the tables of a database that the globs match, as pg_dump reads names.
func (a logicalBackup) excluded(ctx context.Context, database string, globs []string) ([]string, error) {
	if len(globs) == 0 {
		return nil, nil
	}
	conn, err := a.session(ctx, database)
	if err != nil {
		return nil, err
	}
	defer postgresql.Disconnect(ctx, conn)
	return excludedTables(ctx, conn, database, globs)
}

func excludedTables(ctx context.Context, conn *pgx.Conn, database string, globs []string) ([]string, error) {
	rows, err := conn.Query(ctx, `SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'f', 'm', 'v') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	var out []string
	var schema, table string
	_, err = pgx.ForEachRow(rows, []any{&schema, &table}, func() error {
		if skipped(globs, database, schema, table) {
			out = append(out, fmt.Sprintf("%s.%s", postgresql.Identifier(schema), postgresql.Identifier(table)))
		}
		return nil
	})
	return out, err
}

// skipped tells whether a glob <database>.<table> means a table; <table> may be
// <schema>.<table> too.
func skipped(globs []string, database, schema, table string) bool {
	for _, glob := range globs {
		databaseGlob, tableGlob, _ := strings.Cut(glob, ".")
		if ok, _ := path.Match(databaseGlob, database); !ok {
			continue
		}
		for _, name := range []string{table, schema + "." + table} {
			if ok, _ := path.Match(tableGlob, name); ok {
				return true
			}
		}
	}
	return false
}
