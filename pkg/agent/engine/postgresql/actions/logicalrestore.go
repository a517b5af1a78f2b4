// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// logical restores databases of a logical backup: each is loaded under another name
// and takes its place when all are there.
func (a restore) logical(ctx context.Context, op operations.Op, p *operation.Restore, from source) (map[string]string, error) {
	all, err := from.databases(ctx)
	if err != nil {
		return nil, err
	}
	chosen, missing := choose(all, p.Databases)
	if len(missing) > 0 {
		return nil, operations.Failed(operation.ReasonUnknownDatabase, "the backup has no database %s", strings.Join(missing, ", "))
	}
	if p.TargetDatabase != "" && len(chosen) != 1 {
		return nil, operations.Failed(operation.ReasonInvalidParameters, "targetDatabase takes one database, and the backup has %d: databases names the one that is meant", len(chosen))
	}
	l := loading{progress: &reporter{op: op, text: "restoring", total: from.manifest.Size()}}
	for _, d := range chosen {
		target := d.Name
		if p.TargetDatabase != "" {
			target = p.TargetDatabase
		}
		l.databases = append(l.databases, loaded{
			database: d, target: target,
			load: func(ctx context.Context, temporary string) error {
				return a.load(ctx, op, from, d.Name, temporary, l.progress)
			},
		})
	}
	l.roles = func(ctx context.Context) error {
		conn, err := a.quietSession(ctx, home)
		if err != nil {
			return err
		}
		defer postgresql.Disconnect(ctx, conn)
		return from.roles(ctx, conn)
	}
	result, err := a.exchangeDatabases(ctx, op, l, p.Overwrite)
	if err != nil {
		return nil, err
	}
	result["source"] = from.manifest.Location().String()
	result["message"] = "restored from " + from.manifest.Location().String() + ": " + result["databases"] + result["message"]
	return result, nil
}

// databases that a logical backup describes.
func (from source) databases(ctx context.Context) ([]database, error) {
	r, err := from.manifest.Open(ctx, from.store, databasesFile, from.key)
	if err != nil {
		return nil, withReason(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, withReason(err)
	}
	var all []database
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, operations.Failed("BackupCorrupt", "the backup's description of its databases: %w", err)
	}
	return all, nil
}

// roles of a logical backup that the server lacks are made.
func (from source) roles(ctx context.Context, conn *pgx.Conn) error {
	r, err := from.manifest.Open(ctx, from.store, globalsFile, from.key)
	if err != nil {
		return withReason(err)
	}
	defer r.Close()
	g, err := globalsOf(r)
	if err != nil {
		return err
	}
	return restoreRoles(ctx, conn, g)
}

// load the dump of a database into another.
func (u unit) load(ctx context.Context, op operations.Op, from source, name, into string, progress io.Writer) error {
	r, err := from.manifest.Open(ctx, from.store, dumpFile(name), from.key)
	if err != nil {
		return withReason(err)
	}
	defer r.Close()
	return withReason(u.pgRestore(ctx, op, io.TeeReader(r, progress), into))
}

// pgRestore loads a dump into a database whose name is the agent's own.
func (u unit) pgRestore(ctx context.Context, op operations.Op, dump io.Reader, database string) error {
	cmd, err := u.localTool(ctx, op, database, "pg_restore", "--exit-on-error", "--no-password", "--no-tablespaces", "--dbname=dbname="+database)
	if err != nil {
		return err
	}
	return pipe.Run(ctx, cmd, dump, nil)
}

// occupied are the databases of those named that hold anything.
func (u unit) occupied(ctx context.Context, names []string) ([]string, error) {
	conn, err := u.session(ctx, home)
	if err != nil {
		return nil, err
	}
	existing, err := list(ctx, conn, "SELECT datname::text FROM pg_database")
	if err != nil {
		postgresql.Disconnect(ctx, conn)
		return nil, err
	}
	// Nobody can look into these. That they are there is reason enough.
	shut, err := list(ctx, conn, "SELECT datname::text FROM pg_database WHERE NOT datallowconn OR datconnlimit = -2")
	postgresql.Disconnect(ctx, conn)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range names {
		if !slices.Contains(existing, name) {
			continue
		}
		if slices.Contains(shut, name) {
			out = append(out, name)
			continue
		}
		used, err := u.used(ctx, name)
		if err != nil {
			return nil, err
		}
		if used {
			out = append(out, name)
		}
	}
	return out, nil
}

// used is true of a database in which anybody has made anything.
func (u unit) used(ctx context.Context, database string) (bool, error) {
	conn, err := u.session(ctx, database)
	if err != nil {
		return false, err
	}
	defer postgresql.Disconnect(ctx, conn)
	var used bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class WHERE oid >= 16384) OR EXISTS (SELECT FROM pg_proc WHERE oid >= 16384)
		OR EXISTS (SELECT FROM pg_type WHERE oid >= 16384) OR EXISTS (SELECT FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_')
		OR EXISTS (SELECT FROM pg_extension WHERE oid >= 16384) OR EXISTS (SELECT FROM pg_largeobject_metadata)`).Scan(&used)
	return used, err
}
