// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// documentedOnPostgreSQL performs the documentation's calls on its own set: without
// ARCH_MODE its servers take writes.
func (e *environment) documentedOnPostgreSQL(t *testing.T, g group) {
	calls := documentedCalls(t, v1alpha1.UnitTypePostgreSQL)
	s := e.documentStore(t)
	e.operationsNamespace(t, s)
	// The foreign host is in another namespace.
	const set, source = "source-postgresql", "source-postgresql-0"
	e.smallSet(t, v1alpha2.UnitTypePostgreSQL, set, "postgres", 1)
	d := documentTest{e, postgresqlRows}
	d.fill(t, ns, g.unit(0), "shop")
	sums := map[string]string{}
	for _, database := range []string{"db1", "db2", "temp_data"} {
		d.fill(t, opsNamespace, source, database)
		sums[database] = d.sql(t, opsNamespace, source, database, d.sum)
	}
	d.sql(t, opsNamespace, source, "", "CREATE ROLE replication LOGIN REPLICATION PASSWORD '"+documentedPassword+"'; GRANT pg_read_all_data TO replication")

	physical := map[string]any{}
	for _, call := range calls {
		switch call.key {
		case "logical-backup":
			call = call.of(d.kind, g.unit(0))
			t.Run(call.String(), func(t *testing.T) { d.backsUp(t, call, g.unit(2), nil) })
		case "physical-backup", "postgresql-physical-backup":
			call = call.of(d.kind, g.unit(0))
			t.Run(call.String(), func(t *testing.T) { d.backsUp(t, call, g.unit(1), physical) })
			// The first one found the unit empty.
			physical["overwrite"] = "true"
		case "restore":
			call = call.of(d.kind, g.unit(0))
			t.Run(call.String(), func(t *testing.T) { d.restoresBeside(t, call) })
		case "clone":
			call = call.of(d.kind, g.unit(0)).with("sourceHost", source+"."+set+"-headless-svc."+opsNamespace).with("sourcePort", "5432")
			t.Run(call.String(), func(t *testing.T) {
				e.perform(t, call)
				d.sameRows(t, call.unit(), "db1", sums["db1"])
				d.sameRows(t, call.unit(), "db2", sums["db2"])
				if got, want := d.databases(t, call.unit()), "db1 db2 restored_db shop"; got != want {
					t.Errorf("the unit has %s, want %s", got, want)
				}
			})
		case "set-variable":
			// Its variables are MySQL's.
		case "postgresql-config-update":
			t.Run(call.String(), func(t *testing.T) {
				// The server has the documented values of these already, by the memory of
				// the documented set. It is to have them from the call.
				other := newCallOf(d.kind, call.unit(), v1alpha1.ActionSetVariable, map[string]any{
					"variables": map[string]any{"max_connections": "150", "shared_buffers": "512MB", "maintenance_work_mem": "64MB"},
				})
				if told := e.perform(t, other).Message; !strings.Contains(told, "after the next restart: max_connections, shared_buffers") {
					t.Errorf("the call says %q: it does not say what wants a restart", told)
				}
				e.perform(t, call)
				want := map[string]string{"SHOW effective_cache_size": "3GB", "SHOW maintenance_work_mem": "256MB", "SHOW checkpoint_completion_target": "0.9"}
				d.answers(t, call.unit(), want)
				d.restart(t, call.unit())
				want["SHOW max_connections"], want["SHOW shared_buffers"] = "200", "1GB"
				d.answers(t, call.unit(), want)
			})
		default:
			t.Errorf("nothing proves %s", call)
		}
	}
}
