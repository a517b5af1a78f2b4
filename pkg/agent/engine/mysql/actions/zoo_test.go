// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/operation"
)

// zooObjects are objects of every kind that mysqldump names.
//
//go:embed testdata/zoo.sql
var zooObjects string

// zooOfOtherEngines are tables that no physical backup can hold.
var zooOfOtherEngines = []string{"united", "isam", "isam2", "isam3", "separated", "archived"}

// makeZoo makes what the restores are compared with.
func (r *rig) makeZoo() {
	r.t.Helper()
	_, statements, _ := strings.Cut(zooObjects, "\n")
	r.exec(strings.Split(statements, "\n;;\n")...)
}

// portraitTables of information_schema say what users have made, by the column that names
// the database. What changes by itself, as times and estimates do, is no part of it.
var portraitTables = []struct{ table, database, volatile string }{
	{"schemata", "schema_name", ""},
	{"schemata_extensions", "schema_name", ""},
	{"tables", "table_schema", "create_time update_time check_time table_rows avg_row_length data_length max_data_length index_length data_free"},
	{"tables_extensions", "table_schema", ""},
	{"columns", "table_schema", ""},
	{"columns_extensions", "table_schema", ""},
	{"statistics", "table_schema", "cardinality nullable"},
	{"table_constraints", "table_schema", ""},
	{"check_constraints", "constraint_schema", ""},
	{"key_column_usage", "table_schema", ""},
	{"referential_constraints", "constraint_schema", ""},
	{"partitions", "table_schema", "create_time update_time check_time table_rows avg_row_length data_length max_data_length index_length data_free checksum"},
	{"st_geometry_columns", "table_schema", ""},
	{"views", "table_schema", ""},
	{"view_table_usage", "view_schema", ""},
	{"view_routine_usage", "table_schema", ""},
	{"triggers", "trigger_schema", "created"},
	{"routines", "routine_schema", "created last_altered"},
	{"parameters", "specific_schema", ""},
	{"events", "event_schema", "created last_altered last_executed originator"},
}

// portrait of what a server has in the databases of the zoo: a line for each row of its
// catalog, the definitions as it writes them, and the sums of all rows.
func (r *rig) portrait() []string {
	r.t.Helper()
	s, err := openSession(r.t.Context(), r.engine, false)
	if err != nil {
		r.t.Fatal(err)
	}
	defer s.close()
	rows := func(query string) []row {
		out, err := s.rows(r.t.Context(), query)
		if err != nil {
			r.t.Fatalf("%s: %v", query, err)
		}
		return out
	}
	if err := s.exec(r.t.Context(), "SET SESSION information_schema_stats_expiry = 0, group_concat_max_len = 1000000"); err != nil {
		r.t.Fatal(err)
	}
	var out []string
	add := func(kind string, what map[string]string) {
		line, err := json.Marshal(what)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, kind+" "+string(line))
	}
	for _, database := range rows("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'zoo%'") {
		add("database", rows("SHOW CREATE DATABASE " + mysql.Identifier(database.first))[0].byName)
	}
	for _, table := range rows("SELECT table_schema AS d, table_name AS t, table_type AS k FROM information_schema.tables WHERE table_schema LIKE 'zoo%'") {
		name := tableName(table.byName["d"], table.byName["t"])
		if table.byName["k"] == "VIEW" {
			add("definition", rows("SHOW CREATE VIEW " + name)[0].byName)
			continue
		}
		for _, c := range rows("SELECT column_name AS c, data_type AS t FROM information_schema.columns WHERE table_schema = " + mysql.Literal(table.byName["d"]) + " AND table_name = " + mysql.Literal(table.byName["t"])) {
			out = append(out, "sum of "+name+"."+c.first+" "+rows("SELECT CONCAT(COUNT(*), ' ', COUNT(v), ' ', COALESCE(SUM(CRC32(v)), 0)) AS s FROM (SELECT " + exactly(c) + " AS v FROM " + name + ") x")[0].first)
		}
	}
	// A table that was not opened since the start is said to count from its last number.
	for _, p := range portraitTables {
		for _, row := range rows("SELECT * FROM information_schema." + p.table + " WHERE " + p.database + " LIKE 'zoo%'") {
			what := map[string]string{}
			for name, value := range row.byName {
				if name = strings.ToLower(name); !slices.Contains(strings.Fields(p.volatile), name) {
					what[name] = value
				}
			}
			add(p.table, what)
		}
	}
	slices.Sort(out)
	return out
}

// exactly is a column as a text that differs if the value does. CHECKSUM TABLE is another
// one each time for a table with virtual columns.
func exactly(column row) string {
	name := mysql.Identifier(column.byName["c"])
	switch column.byName["t"] {
	case "float", "double":
		// The text of a float has six digits.
		return "HEX(CONCAT(CAST(" + name + " AS DOUBLE)))"
	case "json", "decimal", "int", "bigint", "tinyint":
		return "HEX(CONCAT(" + name + "))"
	}
	return "HEX(" + name + ")"
}

// TestZooOfObjectsComesBackOnRealServer compares by the server's own catalog.
func TestZooOfObjectsComesBackOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.makeZoo()
		want := r.portrait()
		if len(want) < 300 {
			t.Errorf("the portrait of the zoo has %d lines: it shows less than is there", len(want))
		}
		taken := r.run(operation.ActionLogicalBackup, backupParams(r.backups()+"logical"))
		if !strings.HasPrefix(taken["leftOut"], "digits after the sixth of column f of zoo.odd_data (") || strings.Count(taken["leftOut"], ";") != 1 {
			t.Errorf("left out: %s", taken["leftOut"])
		}
		if diff := cmp.Diff(want, r.portrait()); diff != "" {
			t.Errorf("the backup has changed the server (-want +got):\n%s", diff)
		}
		empty := secondRig(t, box)
		t.Run("restored from a logical backup into an empty unit, then over itself", func(t *testing.T) {
			for range 2 {
				result := empty.run(operation.ActionRestore, &operation.Restore{Source: taken["location"], Overwrite: true})
				if result["notRestored"] != "" {
					t.Errorf("not restored: %s", result["notRestored"])
				}
				if diff := cmp.Diff(withoutFloats(want), withoutFloats(empty.portrait())); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
		t.Run("restored from a physical backup", func(t *testing.T) {
			for _, table := range zooOfOtherEngines {
				r.exec("DROP TABLE zoo." + table)
			}
			want := r.portrait()
			r.exec("INSERT INTO zoo.remembered VALUES (1)")
			copied := r.run(operation.ActionPhysicalBackup, fullBackup(r.backups()+"physical"))
			if copied["leftOut"] != "the rows of zoo.remembered (MEMORY)" {
				t.Errorf("of the physical backup is left out: %q", copied["leftOut"])
			}
			empty.run(operation.ActionRestore, &operation.Restore{Source: copied["location"], Overwrite: true})
			if diff := cmp.Diff(want, empty.portrait()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	})
}

// withoutFloats is a portrait without what a dump is known not to have.
func withoutFloats(portrait []string) []string {
	return slices.DeleteFunc(slices.Clone(portrait), func(line string) bool { return strings.HasPrefix(line, "sum of `zoo`.`odd_data`.f ") })
}
