// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// systemSchemas belong to the server.
var systemSchemas = []string{"mysql", "sys", "information_schema", "performance_schema", "ndbinfo"}

// databases of users, sorted; those named only if some are.
func databases(ctx context.Context, s *session, named []string) ([]string, error) {
	all, err := s.column(ctx, "SELECT schema_name FROM information_schema.schemata ORDER BY schema_name")
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(name string) bool {
		return slices.Contains(systemSchemas, strings.ToLower(name)) || isOwnDatabase(name)
	})
	if len(named) == 0 {
		return all, nil
	}
	for _, name := range named {
		if !slices.Contains(all, name) {
			return nil, operations.Failed(operation.ReasonUnknownDatabase, "there is no database %q", name)
		}
	}
	named = slices.Clone(named)
	slices.Sort(named)
	return slices.Compact(named), nil
}

// skipped tables of the databases, as <database>.<table>, by globs of that form.
func skipped(ctx context.Context, s *session, in, globs []string) ([]string, error) {
	if len(globs) == 0 {
		return nil, nil
	}
	rows, err := s.rows(ctx, "SELECT table_schema AS d, table_name AS t FROM information_schema.tables ORDER BY 1, 2")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows {
		d, t := r.byName["d"], r.byName["t"]
		if slices.Contains(in, d) && matches(globs, d, t) {
			out = append(out, d+"."+t)
		}
	}
	return out, nil
}

// matches is true of a table that one of the globs names.
func matches(globs []string, database, table string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		d, t, _ := strings.Cut(glob, ".")
		inDatabase, _ := path.Match(d, database)
		ofTable, _ := path.Match(t, table)
		return inDatabase && ofTable
	})
}

// dumpArgs are mysqldump's, after those of the login.
type dumpArgs struct {
	databases, skip []string
	// gtids: the server has gtid_mode; logs: it writes a binary log.
	gtids, logs bool
	// histograms: it has them, as servers have since 8.0. Of others mysqldump must not ask.
	histograms bool
	// snapshot, if there is one, is to see what the dump does.
	snapshot *session
}

// arguments of a dump of one moment. mysqldump would take a lock to say where in the
// binary log that is: who runs it does so instead.
func (d dumpArgs) arguments() []string {
	args := []string{
		"--single-transaction", "--quick", "--routines", "--events", "--triggers", "--hex-blob",
		"--no-tablespaces", "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--set-gtid-purged=OFF",
		// loose: older ones do not know it, and take the limits of the server.
		"--loose-init-command=" + mysql.ReadLimits,
	}
	if d.histograms {
		args = append(args, "--loose-column-statistics=1")
	}
	for _, table := range d.skip {
		args = append(args, "--ignore-table="+table)
	}
	// What follows -- is no option, whatever it is called.
	return append(append(args, "--databases", "--"), d.databases...)
}

// position of a dump in the binary log.
type position struct {
	// connection that the lock is held by.
	connection          string
	gtids, file, offset string
}

// positionOf a server whose tables are locked.
func positionOf(ctx context.Context, lock *session) (position, error) {
	rows, err := lock.rows(ctx, "SHOW BINARY LOG STATUS")
	if number(err) == errParse {
		rows, err = lock.rows(ctx, "SHOW MASTER STATUS")
	}
	if err != nil {
		return position{}, err
	}
	var p position
	if len(rows) > 0 {
		p.file, p.offset = rows[0].first, rows[0].byName["Position"]
	}
	executed, err := lock.value(ctx, "SELECT @@global.gtid_executed")
	if err != nil {
		return p, err
	}
	p.gtids = strings.Join(strings.Fields(executed), "")
	p.connection, err = lock.value(ctx, "SELECT CONNECTION_ID()")
	return p, err
}

// statements that a dump of that position begins with, as mysqldump writes them.
func (p position) statements(args dumpArgs) string {
	var b strings.Builder
	if p.file != "" {
		fmt.Fprintf(&b, "-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE=%s, SOURCE_LOG_POS=%s;\n", mysql.Literal(p.file), p.offset)
	}
	if args.gtids {
		fmt.Fprintf(&b, "SET @@SESSION.SQL_LOG_BIN= 0;\n%s/*!80000 '+'*/ %s;\n", gtidStatement, mysql.Literal(p.gtids))
	}
	return b.String()
}

// dumpArgs of a server, which is asked for what it has.
func inspectDump(ctx context.Context, s *session) (dumpArgs, error) {
	var d dumpArgs
	rows, err := s.rows(ctx, `SELECT @@global.gtid_mode AS gtid, @@global.log_bin AS log,
  EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = 'information_schema' AND table_name = 'COLUMN_STATISTICS') AS histograms`)
	if err != nil {
		return d, err
	}
	r := rows[0].byName
	d.gtids, d.logs, d.histograms = strings.HasPrefix(r["gtid"], "ON"), r["log"] == "1", r["histograms"] == "1"
	return d, nil
}
