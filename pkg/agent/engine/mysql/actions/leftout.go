// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
)

// propertyLeftOut of a backup: what was there and is not in it, with the reason.
const propertyLeftOut = "leftOut"

// resultLeftOut tells it to who called.
const resultLeftOut = "leftOut"

// brokenViews of databases: a server that cannot say what columns they have does not let
// them be dumped. A table or function of theirs is gone, or who defines them.
func brokenViews(ctx context.Context, s *session, in, skip []string) (views, why []string, err error) {
	rows, err := s.rows(ctx, "SELECT table_schema AS d, table_name AS t FROM information_schema.views ORDER BY 1, 2")
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		name := r.byName["d"] + "." + r.byName["t"]
		if !slices.Contains(in, r.byName["d"]) || slices.Contains(skip, name) {
			continue
		}
		_, err := s.rows(ctx, "SHOW FIELDS FROM "+tableName(r.byName["d"], r.byName["t"]))
		if err == nil {
			continue
		}
		if number(err) == 0 {
			return nil, nil, withServerGone(err)
		}
		views, why = append(views, name), append(why, fmt.Sprintf("view %s (%s)", name, err))
	}
	return views, why, nil
}

// inexactColumns of tables: mysqldump writes six digits of a FLOAT, which has up to nine.
func inexactColumns(ctx context.Context, s *session, in, skip []string) ([]string, error) {
	rows, err := s.rows(ctx, `SELECT c.table_schema AS d, c.table_name AS t, c.column_name AS c FROM information_schema.columns c
JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.table_type = 'BASE TABLE' WHERE c.data_type = 'float' ORDER BY 1, 2, 3`)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows {
		table := r.byName["d"] + "." + r.byName["t"]
		if slices.Contains(in, r.byName["d"]) && !slices.Contains(skip, table) {
			out = append(out, fmt.Sprintf("digits after the sixth of column %s of %s (a FLOAT; DOUBLE and physical-backup keep all)", r.byName["c"], table))
		}
	}
	return out, nil
}

// sharedFiles are tables in general tablespaces, as the server calls them, which no dump has.
func sharedFiles(ctx context.Context, s *session, in []string) ([]string, error) {
	tables, err := s.column(ctx, notInDumps.query)
	if number(err) == errUnknownTable {
		tables, err = s.column(ctx, strings.ReplaceAll(notInDumps.query, "information_schema.innodb_", "information_schema.innodb_sys_"))
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, table := range tables {
		if d, _, _ := strings.Cut(table, "/"); slices.Contains(in, d) {
			out = append(out, "the tablespace of "+strings.Replace(table, "/", ".", 1)+" (it comes back in a file of its own)")
		}
	}
	return out, nil
}

// emptiedTables keep their rows in memory: a physical copy has none of them.
func emptiedTables(ctx context.Context, s *session) ([]string, error) {
	return s.column(ctx, `SELECT CONCAT('the rows of ', table_schema, '.', table_name, ' (MEMORY)') FROM information_schema.tables
WHERE engine = 'MEMORY' AND table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY 1`)
}

// tellLeftOut in the result of a backup.
func tellLeftOut(m *backup.Meta, result map[string]string) {
	if what := m.Properties[propertyLeftOut]; what != "" {
		result[resultLeftOut] = what
		result["message"] += "; it leaves out " + what
	}
}

func recordLeftOut(m *backup.Meta, what []string) {
	if len(what) > 0 {
		m.Properties[propertyLeftOut] = strings.Join(what, "; ")
	}
}
