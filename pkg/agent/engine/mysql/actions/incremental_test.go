// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestIncrementalBackupsAndTheirRestoreOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		increment := fullBackup(r.backups())
		increment.BackupType = operation.Incremental
		t.Run("nothing to continue is no full backup", func(t *testing.T) {
			r.fails(operation.ActionPhysicalBackup, increment, backup.ReasonChain, "take a full backup")
		})

		r.fill("d", 5000)
		r.run(operation.ActionPhysicalBackup, fullBackup(r.backups()+"full"))
		r.exec("UPDATE d.t SET v = REVERSE(v) WHERE id % 7 = 0", "FLUSH BINARY LOGS", "CREATE TABLE d.u AS SELECT id, v FROM d.t WHERE id < 100")
		first := r.run(operation.ActionPhysicalBackup, named(increment, "one"))
		r.run(operation.ActionPhysicalBackup, named(increment, "nothing-new"))
		atFirst := r.sum("d")
		r.exec("DELETE FROM d.t WHERE id % 5 = 0", "CREATE USER late@'%' IDENTIFIED BY 'late'", "CREATE DATABASE e", "CREATE TABLE e.t (id INT PRIMARY KEY, v INT)", "INSERT INTO e.t VALUES (1, 2)",
			"CREATE EVENT e.hourly ON SCHEDULE EVERY 1 HOUR STARTS '2035-01-01' DO DELETE FROM e.t WHERE id < 0", "CREATE EVENT e.paused ON SCHEDULE EVERY 1 HOUR STARTS '2035-01-01' DISABLE DO DELETE FROM e.t WHERE id < 0")
		last := r.run(operation.ActionPhysicalBackup, named(increment, "two"))
		want := r.sum("d") + r.sum("e") + r.scalar("SELECT COUNT(*) FROM d.u")
		executed := strings.Join(strings.Fields(r.scalar("SELECT @@gtid_executed")), "")

		t.Run("the manifests are a chain without a gap", func(t *testing.T) {
			one, two := manifestOf(t, first["location"]), manifestOf(t, last["location"])
			if one.Base == nil || one.Base.Name != "full" || two.Base == nil || two.Base.Name != "nothing-new" {
				t.Errorf("bases: %+v, %+v", one.Base, two.Base)
			}
			if two.GTIDExecuted != executed || len(one.Files) == 0 || len(two.Files) == 0 {
				t.Errorf("the last ends with %s, the server has %s", two.GTIDExecuted, executed)
			}
			if n := len(manifestOf(t, r.backups()+"nothing-new").Files); n != 0 {
				t.Errorf("%d files of nothing new", n)
			}
		})
		t.Run("the whole chain is replayed", func(t *testing.T) {
			r.exec("DROP DATABASE d", "DROP DATABASE e")
			r.run(operation.ActionRestore, &operation.Restore{Source: r.backups(), Overwrite: true})
			if got := r.sum("d") + r.sum("e") + r.scalar("SELECT COUNT(*) FROM d.u"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := r.scalar("SELECT CONCAT(GTID_SUBSET('" + executed + "', @@gtid_executed), (SELECT COUNT(*) FROM mysql.user WHERE user = 'late'))"); got != "11" {
				t.Errorf("got %s", got)
			}
			if got := r.scalar("SELECT GROUP_CONCAT(event_name, ' ', status ORDER BY event_name) FROM information_schema.events"); got != "hourly ENABLED,paused DISABLED" {
				t.Errorf("events: %s", got)
			}
			if got, err := r.engine.Observe(t.Context()); err != nil || !got.Writable {
				t.Errorf("%+v, %v", got, err)
			}
			r.beside()
		})
		t.Run("what was replaced since cannot be continued", func(t *testing.T) {
			r.fails(operation.ActionPhysicalBackup, named(increment, "three"), backup.ReasonChain, "take a full backup")
		})
		t.Run("an earlier end of the chain", func(t *testing.T) {
			r.run(operation.ActionRestore, &operation.Restore{Source: first["location"], Overwrite: true})
			if got := r.sum("d"); got != atFirst {
				t.Errorf("got %s, want %s", got, atFirst)
			}
			if got := r.scalar("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'e'"); got != "0" {
				t.Error("what came later is there")
			}
		})
		t.Run("binary logs that are gone break the chain", func(t *testing.T) {
			// Manifests count in seconds: in that of the restore nobody knows.
			r.exec("DO SLEEP(1.1)")
			r.run(operation.ActionPhysicalBackup, fullBackup(r.backups()+"full2"))
			r.run(operation.ActionPhysicalBackup, named(increment, "after2"))
			r.exec("INSERT INTO d.t (v) VALUES ('lost')", "FLUSH BINARY LOGS", "DO SLEEP(1.1)", "PURGE BINARY LOGS BEFORE NOW()")
			r.fails(operation.ActionPhysicalBackup, named(increment, "gap"), backup.ReasonChain, "are gone", "take a full backup")
		})
	})
}

// named is the backup at an address of its own, in the same folder.
func named(p *operation.PhysicalBackup, name string) *operation.PhysicalBackup {
	q := *p
	q.Destination += name
	return &q
}
