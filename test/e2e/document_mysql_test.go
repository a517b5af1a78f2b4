// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// mysqlUnitGroup is the standalone server mysql-unit-0 of the documentation's first
// call. It serves as the other end of the others too: the unit that gets what was
// backed up elsewhere, the foreign source of clones.
var mysqlUnitGroup = group{kind: "mysql", set: "mysql-unit", units: 1}

// standalone takes from the documentation's set what makes its servers wait for a
// Replication: without one they take no writes, and there is none yet.
func standalone(set *unstructured.Unstructured) {
	env, _, _ := unstructured.NestedSlice(set.Object, "spec", "env")
	var kept []any
	for _, v := range env {
		if v.(map[string]any)["name"] != "ARCH_MODE" {
			kept = append(kept, v)
		}
	}
	_ = unstructured.SetNestedSlice(set.Object, kept, "spec", "env")
}

// small leaves room for others on the same nodes.
func small(set *unstructured.Unstructured) {
	_ = unstructured.SetNestedMap(set.Object, map[string]any{
		"requests": map[string]any{"cpu": "50m", "memory": "512Mi"}, "limits": map[string]any{"memory": "1Gi"},
	}, "spec", "resources")
}

// units makes the set one of as many.
func units(n int) func(*unstructured.Unstructured) {
	return func(set *unstructured.Unstructured) {
		_ = unstructured.SetNestedField(set.Object, int64(n), "spec", "units")
	}
}

// mysqlUnit brings mysql-unit-0 up beside the set, whose Secret it shares.
func (e *environment) mysqlUnit(t *testing.T) {
	t.Helper()
	another := func(set *unstructured.Unstructured) {
		set.SetName(mysqlUnitGroup.set)
		set.SetLabels(nil)
	}
	e.apply(t, mysqlGroup, standalone, small, units(mysqlUnitGroup.units), another)
	t.Cleanup(func() { e.remove(t, mysqlUnitGroup) })
	e.ready(t, mysqlUnitGroup)
}

// documentedOnReadOnly performs the calls that the documentation's own set takes as it
// is: its servers wait for a Replication and are read-only, which keeps neither backups
// nor variables from being made. That rows come into them all the same is an
// administrator's doing.
func (e *environment) documentedOnReadOnly(t *testing.T, g group) {
	calls := documentedCalls(t, v1alpha1.UnitTypeMySQL)
	e.documentStore(t)
	e.mysqlUnit(t)
	d := documentTest{e, mysqlRows}
	const other = "mysql-unit-0"
	writable := func(t *testing.T, on bool) {
		t.Helper()
		d.sql(t, ns, g.unit(0), "", fmt.Sprintf("SET GLOBAL super_read_only = %[1]t; SET GLOBAL read_only = %[1]t", !on))
	}
	writable(t, true)
	defer writable(t, false)
	d.fill(t, ns, g.unit(0), "shop")
	for _, call := range calls {
		switch call.key {
		case "example-grpccall", "restore", "clone", "mysql-clone-operation":
			// In TestDocumentOfMySQL: they write to databases, which these servers refuse.
		case "logical-backup", "mysql-logical-backup":
			t.Run(call.String(), func(t *testing.T) {
				d.sql(t, ns, other, "", "DROP DATABASE IF EXISTS shop")
				d.backsUp(t, call, other, map[string]any{"encryptionSecret": g.set + "-backup-key"})
			})
		case "physical-backup":
			t.Run(call.String(), func(t *testing.T) { d.backsUp(t, call, g.unit(2), nil) })
		case "set-variable":
			t.Run(call.String(), func(t *testing.T) {
				e.perform(t, call)
				d.answers(t, call.unit(), map[string]string{"SELECT @@max_connections, @@log_bin": "200\t1", "SELECT @@innodb_buffer_pool_size": "1073741824"})
			})
		case "mysql-config-change":
			t.Run(call.String(), func(t *testing.T) {
				e.perform(t, call)
				d.answers(t, call.unit(), map[string]string{"SELECT @@max_connections, @@log_bin": "500\t1", "SELECT @@innodb_buffer_pool_size": "2147483648"})
			})
		case "mysql-config-update":
			t.Run(call.String(), func(t *testing.T) {
				e.perform(t, call)
				want := map[string]string{
					"SELECT @@max_connections, @@log_bin, @@global.slow_query_log": "500\t1\t1",
					"SELECT @@innodb_buffer_pool_size":                             "2147483648",
					"SELECT @@global.long_query_time":                              "2.000000",
				}
				d.answers(t, call.unit(), want)
				d.restart(t, call.unit())
				want["SELECT @@global.super_read_only"] = "1"
				d.answers(t, call.unit(), want)
			})
		default:
			t.Errorf("nothing proves %s", call)
		}
	}
}

// TestDocumentOfMySQL performs the calls that write to databases, on the set of the
// documentation without ARCH_MODE.
func TestDocumentOfMySQL(t *testing.T) {
	e := require(t)
	calls := documentedCalls(t, v1alpha1.UnitTypeMySQL)
	s := e.documentStore(t)
	g := mysqlGroup
	g.units = 2
	e.apply(t, g, standalone, units(g.units))
	t.Cleanup(func() { e.remove(t, g) })
	e.mysqlUnit(t)
	e.ready(t, g)
	d := documentTest{e, mysqlRows}
	d.fill(t, ns, g.unit(0), "shop")
	const source = "mysql-unit-0"
	sums := map[string]string{}
	for _, database := range []string{"app_db", "config_db", "temp_data", "db1", "db2"} {
		d.fill(t, ns, source, database)
		sums[database] = d.sql(t, ns, source, database, d.sum)
	}
	d.sql(t, ns, source, "", "CREATE USER replication IDENTIFIED BY '"+documentedPassword+"'; "+
		"GRANT SELECT, RELOAD, PROCESS, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, REPLICATION CLIENT ON *.* TO replication")

	t.Run("gtid-purge {} after a restore into an empty unit", func(t *testing.T) {
		restoresHistory(t, d, g)
	})
	for _, call := range calls {
		switch call.key {
		case "logical-backup", "physical-backup", "set-variable", "mysql-logical-backup", "mysql-config-change", "mysql-config-update":
			// In TestMySQL.
		case "example-grpccall":
			t.Run(call.String(), func(t *testing.T) {
				location := e.perform(t, call).Outputs["location"]
				if found := s.manifests(t, "mysql"); len(found) == 0 || !strings.HasPrefix(location, "s3://backups/mysql/backup-") {
					t.Errorf("the backup is %s, in the store are %q", location, found)
				}
				e.perform(t, newCallOf(d.kind, g.unit(1), v1alpha1.ActionRestore, map[string]any{
					"source": location, "databases": []any{"app_db"}, "targetDatabase": "from_example",
				}))
				d.sameRows(t, g.unit(1), "from_example", sums["app_db"])
				d.sql(t, ns, g.unit(1), "", "DROP DATABASE from_example")
			})
		case "restore":
			t.Run(call.String(), func(t *testing.T) { d.restoresBeside(t, call) })
		case "clone":
			t.Run(call.String(), func(t *testing.T) {
				e.perform(t, call.with("sourceHost", mysqlUnitGroup.host(0)))
				d.sameRows(t, call.unit(), "db1", sums["db1"])
				d.sameRows(t, call.unit(), "db2", sums["db2"])
				if got, want := d.databases(t, call.unit()), "db1 db2 restored_db shop"; got != want {
					t.Errorf("the unit has %s, want %s", got, want)
				}
			})
		case "mysql-clone-operation":
			t.Run(call.String(), func(t *testing.T) {
				d.sql(t, ns, call.unit(), "", "DROP DATABASE IF EXISTS shop")
				e.perform(t, call.with("sourceHost", mysqlUnitGroup.host(0)))
				d.sameRows(t, call.unit(), "app_db", sums["app_db"])
				d.sameRows(t, call.unit(), "config_db", sums["config_db"])
				if got, want := d.databases(t, call.unit()), "app_db config_db"; got != want {
					t.Errorf("the unit has %s, want %s", got, want)
				}
			})
		default:
			t.Errorf("nothing proves %s", call)
		}
	}
}

// restoresHistory: a logical backup brings rows into an empty server, gtid-purge the
// transactions that made them, so that it could follow the first one from there.
func restoresHistory(t *testing.T, d documentTest, g group) {
	d.answers(t, g.unit(1), map[string]string{"SELECT @@global.gtid_executed": ""})
	d.backsUp(t, newCallOf(d.kind, g.unit(0), v1alpha1.ActionLogicalBackup, map[string]any{"destination": "s3://backups/mysql/"}), g.unit(1), nil)
	d.answers(t, g.unit(1), map[string]string{"SELECT @@global.gtid_executed": ""})
	d.e.perform(t, newCallOf(d.kind, g.unit(1), v1alpha1.ActionGTIDPurge, map[string]any{}))
	want := d.sql(t, ns, g.unit(0), "", "SELECT @@global.gtid_executed")
	if want == "" {
		t.Fatal("the first server has executed nothing")
	}
	d.answers(t, g.unit(1), map[string]string{"SELECT @@global.gtid_purged": want, "SELECT @@global.gtid_executed": want})
}

// restoresBeside performs the restore that the documentation shows, of a backup by the
// name that it shows.
func (d documentTest) restoresBeside(t *testing.T, call documentedCall) {
	t.Helper()
	want := d.sql(t, ns, call.unit(), "shop", d.sum)
	source, _, _ := unstructured.NestedString(call.object.Object, "spec", "parameters", "source")
	d.e.perform(t, newCallOf(d.kind, call.unit(), v1alpha1.ActionLogicalBackup, map[string]any{"destination": source, "databases": []any{"shop"}}))
	d.e.perform(t, call)
	d.sameRows(t, call.unit(), "restored_db", want)
	d.sameRows(t, call.unit(), "shop", want)
}
