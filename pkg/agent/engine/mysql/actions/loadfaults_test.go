// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// TestALoadThatFailsLeavesTheOldDatabasesOnRealServer lets a load fail by all that it
// depends on.
func TestALoadThatFailsLeavesTheOldDatabasesOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["DATA_DIR_MOUNT"] = enginetest.SmallDir
		r := newRig(t, box)
		r.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))", "INSERT INTO d.t (v) VALUES ('new'), ('new')",
			"CREATE TRIGGER d.tr BEFORE INSERT ON d.t FOR EACH ROW SET NEW.v = 'triggered'", "CREATE VIEW d.w AS SELECT v FROM d.t")
		backup := r.run(operation.ActionLogicalBackup, backupParams(r.backups()))
		restored := r.content("d")
		r.exec("UPDATE d.t SET v = 'old'", "DROP VIEW d.w")
		old := r.content("d")
		restore := &operation.Restore{Source: backup["location"], Overwrite: true}

		t.Run("a volume that fills", func(t *testing.T) {
			l := r.loadOf("d", "")
			l.dump = func(ctx context.Context, to io.Writer) error {
				if _, err := io.WriteString(to, "CREATE DATABASE `d`;\nUSE `d`;\nCREATE TABLE `t` (`v` longblob);\n"); err != nil {
					return err
				}
				row := "INSERT INTO `t` VALUES ('" + strings.Repeat("x", 1<<20) + "');\n"
				for range 4096 {
					if _, err := io.WriteString(to, row); err != nil {
						return err
					}
				}
				return nil
			}
			if _, err := l.run(t.Context(), r.op(operation.ActionRestore, &operation.Restore{}), true); operations.ReasonOf(err) != operation.ReasonNotEnoughSpace {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(old, r.content("d")); diff != "" {
				t.Error(diff)
			}
			r.nothingBeside()
		})
		for _, tc := range []struct {
			at   string
			want string
		}{{"loading", old}, {"exchanging", restored}, {"making what goes", restored}} {
			t.Run("a server that is killed while "+tc.at, func(t *testing.T) {
				op := &meanwhile{Op: r.op(operation.ActionRestore, restore), at: tc.at, do: func() {
					r.Server.Kill()
					r.Server = box.Start(r.t, r.engine, r.Start)
				}}
				_, err := r.actions()[operation.ActionRestore].Run(t.Context(), op)
				if (err == nil) != (tc.want == restored) {
					t.Errorf("got %v", err)
				}
				if diff := cmp.Diff(tc.want, r.content("d")); diff != "" {
					t.Error(diff)
				}
				r.nothingBeside()
			})
		}
		t.Run("a lock that nobody gives up, and a call that is deleted meanwhile", func(t *testing.T) {
			r.exec("UPDATE d.t SET v = 'old'")
			old := r.content("d")
			// Its session has ended, so there is none that could be.
			xa := r.db()
			for _, s := range []string{"XA START 'x'", "INSERT INTO d.t VALUES (100, 'x')", "XA END 'x'", "XA PREPARE 'x'"} {
				if _, err := xa.ExecContext(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if err := xa.Close(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			op := &meanwhile{Op: r.op(operation.ActionRestore, restore), at: "exchanging", do: cancel}
			action := r.actions()[operation.ActionRestore]
			if _, err := action.Run(ctx, op); err == nil {
				t.Error("a call that is deleted while it waits for a lock succeeds")
			}
			if err := action.(operations.Abandoner).Abandon(t.Context(), op); err != nil {
				t.Error(err)
			}
			r.nothingBeside()
			r.fails(operation.ActionRestore, restore, "Locked", "XA RECOVER")
			r.nothingBeside()
			r.exec("XA ROLLBACK 'x'")
			if diff := cmp.Diff(old, r.content("d")); diff != "" {
				t.Error(diff)
			}
		})
		t.Run("many tables and names that hurt", func(t *testing.T) {
			statements := []string{"CREATE DATABASE many", "USE many"}
			for i := range 200 {
				statements = append(statements, fmt.Sprintf("CREATE TABLE `t%d.x; y` (i INT)", i))
			}
			r.exec(statements...)
			taken := r.run(operation.ActionLogicalBackup, backupParams(r.backups()+"many"))
			want := r.content("many")
			r.exec("DROP TABLE many.`t7.x; y`", "CREATE TABLE many.stray (i INT)")
			r.run(operation.ActionRestore, &operation.Restore{Source: taken["location"], Databases: []string{"many"}, Overwrite: true})
			if diff := cmp.Diff(want, r.content("many")); diff != "" {
				t.Error(diff)
			}
			r.nothingBeside()
		})
	})
}
