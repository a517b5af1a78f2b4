// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

// awkward is a database with all that a dump may stumble over.
var awkward = []string{
	"CREATE DATABASE `-a``b c`",
	"USE `-a``b c`",
	"CREATE TABLE parent (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200) CHARACTER SET utf8mb4, b BLOB, d DECIMAL(20,6), j JSON, g DECIMAL(20,6) AS (d * 2) STORED, t TIMESTAMP(6))",
	"CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))",
	"CREATE TABLE `skip me` (id INT)",
	"INSERT INTO `skip me` VALUES (1)",
	"INSERT INTO parent (v, b, d, j, t) VALUES ('it''s; USE `x`;', X'00FF27225C0A1A', 1.5, '{\"a\": [1]}', '2024-01-02 03:04:05.123456'), ('🔑\\\\ -- no comment\\n/* none */', NULL, -2, NULL, NULL)",
	"INSERT INTO child VALUES (1, 1), (2, 2)",
	"CREATE VIEW w AS SELECT p.v, c.id FROM parent p JOIN child c ON c.p = p.id",
	"CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW SET NEW.p = IF(NEW.p = 0, 1, NEW.p)",
	"CREATE PROCEDURE pr() BEGIN SELECT 'USE `elsewhere`;;'; -- DELIMITER ;\n SELECT COUNT(*) FROM parent; END",
	"CREATE FUNCTION fn(i INT) RETURNS INT DETERMINISTIC RETURN i + 1",
	"CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM child WHERE id < 0",
}

// content of a database: the sums of its tables and what else is in it.
func (r *rig) content(database string) string {
	r.t.Helper()
	q := "`" + strings.ReplaceAll(database, "`", "``") + "`"
	var out []string
	db := r.db()
	defer db.Close()
	rows, err := db.QueryContext(r.t.Context(), `SELECT CONCAT(table_type, ' ', table_name) FROM information_schema.tables WHERE table_schema = ?
UNION ALL SELECT CONCAT(routine_type, ' ', routine_name, ' ', CRC32(routine_definition)) FROM information_schema.routines WHERE routine_schema = ?
UNION ALL SELECT CONCAT('TRIGGER ', trigger_name, ' ', CRC32(action_statement)) FROM information_schema.triggers WHERE trigger_schema = ?
UNION ALL SELECT CONCAT('EVENT ', event_name, ' ', CRC32(event_definition)) FROM information_schema.events WHERE event_schema = ? ORDER BY 1`,
		database, database, database, database)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			r.t.Fatal(err)
		}
		out = append(out, s)
	}
	for i, s := range out {
		if table, ok := strings.CutPrefix(s, "BASE TABLE "); ok {
			out[i] += " " + r.scalar(fmt.Sprintf("SELECT CONCAT(COUNT(*), ' ', COALESCE(SUM(CRC32(CONCAT_WS('|', %s))), 0)) FROM %s.`%s`", columns(r, database, table), q, table))
		}
		if view, ok := strings.CutPrefix(s, "VIEW "); ok {
			out[i] += " " + r.scalar(fmt.Sprintf("SELECT COUNT(*) FROM %s.`%s`", q, view))
		}
	}
	return strings.Join(out, "\n")
}

func columns(r *rig, database, table string) string {
	return r.scalar("SELECT GROUP_CONCAT(CONCAT('COALESCE(HEX(`', column_name, '`), ''-'')') ORDER BY column_name) FROM information_schema.columns WHERE table_schema = '" + database + "' AND table_name = '" + table + "'")
}

func backupParams(destination string) *operation.LogicalBackup {
	return &operation.LogicalBackup{BackupType: operation.Full, Compression: operation.Zstd, Destination: destination}
}

// manifestOf reads the manifest of the backup at an address.
func manifestOf(t *testing.T, address string) *backup.Manifest {
	t.Helper()
	l, err := backup.ParseLocation(address)
	if err != nil {
		t.Fatal(err)
	}
	store, err := backup.Open(t.Context(), l, backup.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := backup.Find(t.Context(), store, l, backup.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLogicalBackupAndRestoreOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.exec(awkward...)
		r.exec("CREATE DATABASE other", "CREATE TABLE other.t (i INT PRIMARY KEY)", "INSERT INTO other.t VALUES (1), (2)", "CREATE DATABASE `empty`")
		before, other := r.content("-a`b c"), r.content("other")
		if !strings.Contains(before, "FUNCTION fn") || !strings.Contains(before, "BASE TABLE parent 2 ") {
			t.Fatalf("the test sees too little: %s", before)
		}
		executed := strings.Join(strings.Fields(r.scalar("SELECT @@gtid_executed")), "")
		result := r.run(operation.ActionLogicalBackup, backupParams(r.backups()))
		m := manifestOf(t, result["location"])

		t.Run("the manifest says what the backup is", func(t *testing.T) {
			if diff := cmp.Diff([]string{"-a`b c", "empty", "other"}, m.Databases); diff != "" {
				t.Error(diff)
			}
			if m.GTIDExecuted != executed || m.Kind != backup.Logical || !strings.Contains(m.Tool, "mysqldump") || m.EngineVersion == "" {
				t.Errorf("got %+v, GTIDs executed are %s", m.Meta, executed)
			}
		})
		t.Run("existing data stays unless it is to be overwritten", func(t *testing.T) {
			r.fails(operation.ActionRestore, &operation.Restore{Source: result["location"]}, "WouldOverwrite", "-a`b c", "other")
			r.fails(operation.ActionRestore, &operation.Restore{Source: result["location"], Databases: []string{"other"}, TargetDatabase: "OTHER"}, "WouldOverwrite", "other")
			r.fails(operation.ActionRestore, &operation.Restore{Source: result["location"], TargetDatabase: "x"}, "InvalidParameters", "3")
			r.fails(operation.ActionRestore, &operation.Restore{Source: result["location"], Databases: []string{"none"}}, "UnknownDatabase", "none")
			if got := r.content("-a`b c"); got != before {
				t.Errorf("changed:\n%s", got)
			}
		})
		t.Run("one database goes beside, under another name", func(t *testing.T) {
			r.run(operation.ActionRestore, &operation.Restore{Source: r.backups(), Databases: []string{"-a`b c"}, TargetDatabase: "re`stored"})
			if diff := cmp.Diff(before, r.content("re`stored")); diff != "" {
				t.Error(diff)
			}
			if got := r.content("other"); got != other {
				t.Errorf("another database changed: %s", got)
			}
		})
		t.Run("overwriting makes it what it was", func(t *testing.T) {
			r.exec("USE `-a``b c`", "DELETE FROM child", "DROP VIEW w", "CREATE TABLE later (i INT)", "DROP FUNCTION fn")
			r.exec("INSERT INTO other.t VALUES (3)")
			r.run(operation.ActionRestore, &operation.Restore{Source: result["location"], Databases: []string{"-a`b c"}, Overwrite: true})
			if diff := cmp.Diff(before, r.content("-a`b c")); diff != "" {
				t.Error(diff)
			}
			if got := r.scalar("SELECT COUNT(*) FROM other.t"); got != "3" {
				t.Errorf("another database changed: %s", got)
			}
		})
		t.Run("a damaged backup drops nothing", func(t *testing.T) {
			damaged := backupParams(r.backups() + "damaged")
			damaged.Compression = operation.NoCompression
			r.run(operation.ActionLogicalBackup, damaged)
			path := strings.TrimPrefix(r.backups(), "file://") + "damaged/" + dumpFile
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			content[len(content)/2] ^= 1
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			r.fails(operation.ActionRestore, &operation.Restore{Source: damaged.Destination, Databases: []string{"-a`b c"}, Overwrite: true}, backup.ReasonCorrupt)
			if diff := cmp.Diff(before, r.content("-a`b c")); diff != "" {
				t.Error(diff)
			}
		})
		t.Run("databases that are being replaced are the new ones or the old ones in the end", func(t *testing.T) {
			restore := &operation.Restore{Source: result["location"], Databases: []string{"-a`b c"}, Overwrite: true}
			for _, tc := range []struct {
				name, at string
				// giveUp, else it is taken up; tooLate: the new ones stay all the same.
				giveUp, tooLate bool
			}{
				{name: "taken up before the exchange", at: "exchanging"},
				{name: "taken up after it", at: "making what goes"},
				{name: "given up before the exchange", at: "exchanging", giveUp: true},
				{name: "given up after it", at: "making what goes", giveUp: true, tooLate: true},
			} {
				r.exec("USE `-a``b c`", "DELETE FROM child", "DROP TRIGGER tr", "CREATE TRIGGER old BEFORE INSERT ON child FOR EACH ROW SET NEW.p = 1")
				old := r.content("-a`b c")
				op := r.interrupted(restore, tc.at, phaseReplace)
				op.SecretsValue = nil
				want := before
				if !tc.giveUp {
					if _, err := r.actions()[operation.ActionRestore].Run(t.Context(), op); err != nil {
						t.Errorf("%s: %v", tc.name, err)
					}
				} else {
					err := r.actions()[operation.ActionRestore].(operations.Abandoner).Abandon(t.Context(), op)
					if tc.tooLate != (operations.ReasonOf(err) == "TooLate") || !tc.tooLate && err != nil {
						t.Errorf("%s: %v", tc.name, err)
					}
					if !tc.tooLate {
						want = old
					}
				}
				if diff := cmp.Diff(want, r.content("-a`b c")); diff != "" {
					t.Errorf("%s: %s", tc.name, diff)
				}
				r.nothingBeside()
				r.run(operation.ActionRestore, restore)
			}
		})
		t.Run("a database that was not there goes with the load that makes it", func(t *testing.T) {
			beside := &operation.Restore{Source: result["location"], Databases: []string{"-a`b c"}, TargetDatabase: "beside"}
			if err := r.actions()[operation.ActionRestore].(operations.Abandoner).Abandon(t.Context(), r.interrupted(beside, "loading", phaseLoad)); err != nil {
				t.Error(err)
			}
			if got := r.scalar("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'beside'"); got != "0" {
				t.Error("it is left")
			}
		})
		t.Run("the databases stay if there is no room for what replaces them", func(t *testing.T) {
			l := loadOf(unit{operations.Deps{Env: r.env, Engine: r.engine, Server: r, Store: r.store}}, logicalPlan{names: map[string]string{"-a`b c": "-a`b c"}}, m)
			l.sizes = map[string]databaseSize{"-a`b c": {Data: 1 << 50}}
			_, err := l.run(t.Context(), r.op(operation.ActionRestore, &operation.Restore{}), true)
			if operations.ReasonOf(err) != operation.ReasonNotEnoughSpace || !strings.Contains(err.Error(), "a larger data storage") {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(before, r.content("-a`b c")); diff != "" {
				t.Error(diff)
			}
		})
		t.Run("tables are left out by globs, and stay where the backup is restored", func(t *testing.T) {
			p := backupParams(r.backups() + "partial")
			p.SkipTables, p.Databases, p.Compression = []string{"*.skip*"}, []string{"-a`b c"}, operation.Gzip
			r.run(operation.ActionLogicalBackup, p)
			r.run(operation.ActionRestore, &operation.Restore{Source: p.Destination, TargetDatabase: "partial"})
			if got := r.content("partial"); strings.Contains(got, "skip me") || !strings.Contains(got, "parent 2 ") {
				t.Errorf("got %s", got)
			}
			r.exec("USE `-a``b c`", "INSERT INTO `skip me` VALUES (2)", "DELETE FROM child")
			r.run(operation.ActionRestore, &operation.Restore{Source: p.Destination, Overwrite: true})
			if got := r.scalar("SELECT CONCAT((SELECT COUNT(*) FROM `-a``b c`.`skip me`), ' ', (SELECT COUNT(*) FROM `-a``b c`.child))"); got != "2 2" {
				t.Errorf("got %s", got)
			}
		})
		t.Run("an encrypted backup holds nothing readable and comes back with its key only", func(t *testing.T) {
			key := []byte(strings.Repeat("k", backup.KeySize))
			p := backupParams(r.backups() + "secret")
			p.Encryption, p.Compression = operation.AES256, operation.NoCompression
			r.fails(operation.ActionLogicalBackup, p, backup.ReasonKey)
			op := r.op(operation.ActionLogicalBackup, p)
			op.SecretsValue["encryption.key"] = key
			if _, err := r.actions()[operation.ActionLogicalBackup].Run(t.Context(), op); err != nil {
				t.Fatal(err)
			}
			dir := strings.TrimPrefix(p.Destination, "file://")
			stored, err := filepath.Glob(dir + "/*")
			if err != nil || len(stored) == 0 {
				t.Fatalf("%v, %v", stored, err)
			}
			for _, path := range stored {
				content, err := os.ReadFile(path)
				if err != nil || strings.Contains(string(content), "CREATE TABLE") {
					t.Errorf("%s can be read: %v", path, err)
				}
			}
			restore := &operation.Restore{Source: p.Destination, Databases: []string{"other"}, TargetDatabase: "decrypted"}
			r.fails(operation.ActionRestore, restore, backup.ReasonKey)
			op = r.op(operation.ActionRestore, restore)
			op.SecretsValue["encryption.key"] = key
			if _, err := r.actions()[operation.ActionRestore].Run(t.Context(), op); err != nil {
				t.Fatal(err)
			}
			if got := r.scalar("SELECT COUNT(*) FROM decrypted.t"); got != "3" {
				t.Errorf("%s rows", got)
			}
		})
		t.Run("a backup whose dump fails is none", func(t *testing.T) {
			r.exec("CREATE DATABASE broken", "CREATE TABLE broken.t (i INT)", "INSERT INTO broken.t VALUES (1)")
			// A table whose file is gone.
			r.Server.Stop()
			if err := os.Remove(filepath.Join(r.env.DataDir(), "broken", "t.ibd")); err != nil {
				t.Fatal(err)
			}
			r.Server = r.box.Start(t, r.engine, r.Start)
			p := backupParams(r.backups() + "broken")
			r.fails(operation.ActionLogicalBackup, p, "ToolFailed", "mysqldump", "broken")
			left, err := filepath.Glob(strings.TrimPrefix(p.Destination, "file://") + "*")
			if err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	})
}

// nothingBeside fails if a load has left anything.
func (r *rig) nothingBeside() {
	r.t.Helper()
	r.beside()
	if left := r.scalar("SELECT GROUP_CONCAT(schema_name) FROM information_schema.schemata WHERE schema_name LIKE 'unit\\_agent%'"); left != "" {
		r.t.Errorf("databases are left: %s", left)
	}
	if _, err := os.Stat(r.env.SideDir(loadDir)); !os.IsNotExist(err) {
		r.t.Errorf("the side directory of a load is left: %v", err)
	}
}

// interrupted runs a restore whose agent ends when it says that it does something.
func (r *rig) interrupted(p *operation.Restore, at, want string) *optest.Op {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	op := r.op(operation.ActionRestore, p)
	_, err := r.actions()[operation.ActionRestore].Run(ctx, cancelling{op, at, cancel})
	if phase, _ := op.Phase(); !errors.Is(err, context.Canceled) || phase != want {
		r.t.Fatalf("interrupted in phase %q: %v", phase, err)
	}
	return op
}

// TestDumpIsOfOneMomentOnRealServer writes while the dump is taken: a row for each
// transaction, so that the rows in the dump and the GTIDs it names must agree.
func TestDumpIsOfOneMomentOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY AUTO_INCREMENT, pad VARCHAR(200))")
		created := transactions(t, r, r.scalar("SELECT @@gtid_executed"))
		ctx, cancel := context.WithCancel(t.Context())
		written := make(chan int)
		db := r.db()
		go func() {
			n := 0
			for ctx.Err() == nil {
				if _, err := db.ExecContext(ctx, "INSERT INTO d.t (pad) VALUES (REPEAT('x', 200))"); err == nil {
					n++
				}
			}
			written <- n
		}()
		result := r.run(operation.ActionLogicalBackup, backupParams(r.backups()))
		m := manifestOf(t, result["location"])
		want := transactions(t, r, m.GTIDExecuted) - created
		r.run(operation.ActionRestore, &operation.Restore{Source: result["location"], TargetDatabase: "copy"})
		if rows := r.scalar("SELECT COUNT(*) FROM copy.t"); rows != fmt.Sprint(want) {
			t.Errorf("the dump has %s rows and the GTIDs of %d", rows, want)
		}
		cancel()
		if n := <-written; n == 0 {
			t.Error("nothing was written meanwhile")
		}
	})
}

// transactions in a set of one server, from 1 on.
func transactions(t *testing.T, r *rig, set string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(r.scalar("SELECT SUBSTRING_INDEX(SUBSTRING_INDEX('"+set+"', ':', -1), '-', -1)"), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestGTIDPurgeOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		const foreign = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-100"
		r := newRig(t, box)
		purge := operation.ActionGTIDPurge
		r.fails(purge, &operation.GTIDPurge{}, "NoRestore")

		t.Run("the set of the last restore", func(t *testing.T) {
			r.exec("SET GLOBAL gtid_purged = '"+foreign+"'", "SET sql_log_bin = 0", "CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)", "INSERT INTO d.t VALUES (7)")
			result := r.run(operation.ActionLogicalBackup, backupParams(r.backups()))
			r.exec("RESET BINARY LOGS AND GTIDS", "SET sql_log_bin = 0", "DROP DATABASE d")
			r.run(operation.ActionRestore, &operation.Restore{Source: result["location"]})
			if got := r.scalar("SELECT CONCAT(@@gtid_executed, '|', (SELECT i FROM d.t))"); got != "|7" {
				t.Errorf("after a restore into a server without transactions: %s", got)
			}
			if got := r.run(purge, &operation.GTIDPurge{})["gtidPurged"]; got != foreign {
				t.Errorf("got %s", got)
			}
			if got := r.scalar("SELECT @@gtid_executed"); got != foreign {
				t.Errorf("executed: %s", got)
			}
		})
		t.Run("a set that lacks what the server has executed is refused", func(t *testing.T) {
			r.exec("INSERT INTO d.t VALUES (8)")
			r.fails(purge, &operation.GTIDPurge{}, "NotSuperset", r.scalar("SELECT @@server_uuid")+":1")
			r.fails(purge, &operation.GTIDPurge{GTIDSet: "not a set"}, "Refused")
		})
		t.Run("a larger set replaces the history", func(t *testing.T) {
			larger := foreign + "," + r.scalar("SELECT @@server_uuid") + ":1-5"
			if got := r.run(purge, &operation.GTIDPurge{GTIDSet: larger})["gtidPurged"]; !strings.Contains(got, ":1-5") || !strings.Contains(got, foreign) {
				t.Errorf("got %s", got)
			}
			// Again: as after an agent that died at the end.
			r.run(purge, &operation.GTIDPurge{GTIDSet: larger})
		})
		t.Run("nobody commits between its statements", func(t *testing.T) {
			writer, stop := r.db(), make(chan struct{})
			wrote := make(chan error, 1)
			go func() {
				for i := 100; ; i++ {
					select {
					case <-stop:
						wrote <- nil
						return
					default:
					}
					// While the server is closed it says so, and that is all that may happen.
					if _, err := writer.ExecContext(context.Background(), fmt.Sprintf("INSERT INTO d.t VALUES (%d)", i)); err != nil && number(err) != 1290 {
						wrote <- err
						return
					}
				}
			}()
			// A commit after the history is gone would be transaction 1 once more, which the
			// set has, and the server would refuse it.
			for i := range 20 {
				before := r.scalar("SELECT @@gtid_executed")
				r.run(purge, &operation.GTIDPurge{GTIDSet: fmt.Sprintf("%s:1-%d000000,%s", r.scalar("SELECT @@server_uuid"), i+1, foreign)})
				if got := r.scalar("SELECT GTID_SUBSET('" + before + "', @@gtid_executed)"); got != "1" {
					t.Errorf("transactions are forgotten: %s", before)
				}
			}
			close(stop)
			if err := <-wrote; err != nil {
				t.Errorf("the writer: %v", err)
			}
			if got := r.scalar("SELECT CONCAT(@@global.read_only, @@global.super_read_only)"); got != "00" {
				t.Errorf("the server is not as it was: %s", got)
			}
		})
		t.Run("not while the server replicates", func(t *testing.T) {
			r.exec("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 1", "START REPLICA")
			r.fails(purge, &operation.GTIDPurge{GTIDSet: foreign}, "ReplicaRunning", "127.0.0.1")
			r.exec("STOP REPLICA", "RESET REPLICA ALL")
		})
		t.Run("not on a member of a Replication", func(t *testing.T) {
			if err := r.store.WriteDesired(state.Desired{PodUID: r.env.PodUID, Managed: true}); err != nil {
				t.Fatal(err)
			}
			r.fails(purge, &operation.GTIDPurge{GTIDSet: foreign}, "ManagedMember")
		})
	})
}
