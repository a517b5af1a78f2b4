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
	// new: source-data, as it is called since 8.0.26.
	new bool
}

// arguments of a dump of one moment. The dump of a server with a binary log begins
// by a lock for as long as it takes to open the snapshot and read the position, so
// that both are the same moment.
func (d dumpArgs) arguments() []string {
	args := []string{
		"--single-transaction", "--quick", "--routines", "--events", "--triggers", "--hex-blob",
		"--no-tablespaces", "--default-character-set=utf8mb4", "--max-allowed-packet=1G",
		// loose: older ones do not know it, and take the limits of the server.
		"--loose-init-command=" + mysql.ReadLimits,
	}
	if d.gtids {
		args = append(args, "--set-gtid-purged=ON")
	} else {
		args = append(args, "--set-gtid-purged=OFF")
	}
	switch {
	case d.logs && d.new:
		args = append(args, "--source-data=2")
	case d.logs:
		args = append(args, "--master-data=2")
	}
	for _, table := range d.skip {
		args = append(args, "--ignore-table="+table)
	}
	// What follows -- is no option, whatever it is called.
	return append(append(args, "--databases", "--"), d.databases...)
}

// dumpArgs of a server, which is asked for what it has.
func inspectDump(ctx context.Context, s *session) (dumpArgs, error) {
	var d dumpArgs
	rows, err := s.rows(ctx, "SELECT @@global.gtid_mode AS gtid, @@global.log_bin AS log, @@global.version AS version")
	if err != nil {
		return d, err
	}
	r := rows[0].byName
	d.gtids, d.logs = strings.HasPrefix(r["gtid"], "ON"), r["log"] == "1"
	var major, minor, patch int
	if _, err := fmt.Sscanf(r["version"], "%d.%d.%d", &major, &minor, &patch); err != nil {
		return d, fmt.Errorf("no version of a MySQL server: %q", r["version"])
	}
	d.new = major > 8 || major == 8 && (minor > 0 || patch >= 26)
	return d, nil
}
