// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestOperationsOnAReplicaOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.fill("d", 2000)
		want := r.sum("d")
		r.exec("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '192.0.2.1', SOURCE_USER = 'x', SOURCE_PASSWORD = 'y'")
		r.Start.Managed = true
		r.Restart()
		if got := r.scalar("SELECT @@super_read_only"); got != "1" {
			t.Fatalf("super_read_only is %s", got)
		}

		t.Run("every backup can be taken where nobody may write", func(t *testing.T) {
			r.run(operation.ActionLogicalBackup, backupParams(r.backups()+"logical"))
			r.run(operation.ActionPhysicalBackup, fullBackup(r.backups()+"full"))
			increment := fullBackup(r.backups() + "more")
			increment.BackupType = operation.Incremental
			r.run(operation.ActionPhysicalBackup, increment)
		})
		t.Run("variables are set, databases are not loaded", func(t *testing.T) {
			r.run(operation.ActionSetVariable, &operation.SetVariable{Variables: map[string]operation.Value{"max_connections": text("99")}})
			r.fails(operation.ActionRestore, &operation.Restore{Source: r.backups() + "logical", Overwrite: true}, operation.ReasonReadOnly)
			if got := r.sum("d"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
		t.Run("what is restored follows nobody and may not be written to", func(t *testing.T) {
			if got := r.scalar("SELECT COUNT(*) FROM mysql.slave_master_info"); got != "1" {
				t.Fatalf("%s channels before", got)
			}
			r.run(operation.ActionRestore, &operation.Restore{Source: r.backups() + "more", Overwrite: true})
			if got := r.scalar("SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM mysql.slave_master_info), @@super_read_only, @@max_connections)"); got != "0 1 99" {
				t.Errorf("got %s", got)
			}
			if got := r.sum("d"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	})
}
