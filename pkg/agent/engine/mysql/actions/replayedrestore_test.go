// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

// logs is an incremental logical backup.
func logs(destination string) *operation.LogicalBackup {
	p := backupParams(destination)
	p.BackupType = operation.Incremental
	return p
}

// city is a named time zone, which events may be in.
var city = []string{
	"INSERT INTO mysql.time_zone (time_zone_id, use_leap_seconds) VALUES (9001, 'N')",
	"INSERT INTO mysql.time_zone_name (name, time_zone_id) VALUES ('Test/City', 9001)",
	"INSERT INTO mysql.time_zone_transition_type (time_zone_id, transition_type_id, `offset`, is_dst, abbreviation) VALUES (9001, 0, 3600, 0, 'TST')",
}

// before and since are what a chain stumbles over if it can: accounts that no backup
// holds, views of theirs upon each other, events, statements of one database about
// another.
var (
	before = []string{
		"CREATE USER app@'%' IDENTIFIED BY 'app'", "CREATE USER gone@'%'",
		"GRANT ALL ON *.* TO app@'%'",
		"CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(300))", "INSERT INTO d.t (v) VALUES ('one'), ('two'), ('three')",
		"CREATE DEFINER = app@'%' VIEW d.v1 AS SELECT id, v FROM d.t", "CREATE DEFINER = app@'%' VIEW d.v2 AS SELECT id FROM d.v1",
		"SET time_zone = 'Test/City'",
		"CREATE EVENT d.nightly ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01' ENABLE DO DELETE FROM d.t WHERE id < 0",
		"CREATE DATABASE dropped", "CREATE TABLE dropped.t (id INT PRIMARY KEY)",
	}
	since = []string{
		"ALTER USER app@'%' IDENTIFIED BY 'changed'", "DROP USER gone@'%'", "CREATE USER late@'%' IDENTIFIED BY 'late'", "CREATE USER visitor@'%'", "GRANT SELECT ON d.t TO late@'%'", "GRANT SELECT ON d.* TO late@'%'",
		"USE dropped", "UPDATE d.t SET v = 'TWO' WHERE id = 2", "ALTER TABLE d.t ADD COLUMN more INT DEFAULT 7", "DELETE FROM d.t WHERE id = 1", "INSERT INTO d.t (v) VALUES ('it''s'), ('🔑')",
		"CREATE DEFINER = late@'%' VIEW d.v3 AS SELECT v FROM d.v1", "CREATE DEFINER = late@'%' VIEW d.v4 AS SELECT v FROM d.v3",
		"CREATE DEFINER = late@'%' PROCEDURE d.pr() SELECT COUNT(*) FROM d.t", "GRANT EXECUTE ON PROCEDURE d.pr TO app@'%'",
		"CREATE DEFINER = late@'%' TRIGGER d.tr BEFORE INSERT ON d.t FOR EACH ROW SET NEW.more = 1",
		"SET time_zone = 'Test/City'", "ALTER EVENT d.nightly COMMENT 'still'", "CREATE DEFINER = late@'%' EVENT d.hourly ON SCHEDULE EVERY 1 HOUR STARTS '2035-01-01' DO DELETE FROM d.t WHERE id < 0",
		"CREATE EVENT d.paused ON SCHEDULE EVERY 1 HOUR STARTS '2035-01-01' DISABLE DO DELETE FROM d.t WHERE id < 0",
		"USE mysql", "DROP DATABASE dropped", "CREATE DATABASE late", "CREATE TABLE late.t AS SELECT id, v FROM d.t", "UPDATE mysql.user SET max_questions = 9 WHERE user = 'late'",
	}
)

// state of databases: their content, and what of their events a dump may lose.
func (r *rig) state(names ...string) string {
	r.t.Helper()
	var out []string
	for _, name := range names {
		out = append(out, name, r.content(name), r.scalar("SELECT GROUP_CONCAT(event_name, ' ', status, ' ', definer, ' ', time_zone, ' ', starts ORDER BY event_name) FROM information_schema.events WHERE event_schema = '"+name+"'"))
	}
	return strings.Join(out, "\n")
}

func (r *rig) users() string {
	r.t.Helper()
	return r.scalar("SELECT GROUP_CONCAT(user, '@', host, ' ', authentication_string ORDER BY user, host) FROM mysql.user")
}

func TestIncrementalLogicalBackupsAndTheirRestoreOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.exec(city...)
		r.exec(before...)
		take := operation.ActionLogicalBackup
		t.Run("nothing to continue is no full backup", func(t *testing.T) {
			r.run(operation.ActionPhysicalBackup, fullBackup(r.backups()+"physical"))
			r.fails(take, logs(r.backups()), backup.ReasonChain, "no logical backup", "take a full backup")
		})
		full := r.run(take, backupParams(r.backups()+"full"))
		atFull := r.state("d", "dropped")
		r.exec(since...)
		one := r.run(take, logs(r.backups()+"one"))
		atOne := r.state("d", "late")
		// One of some databases in between is no link, and ends no chain.
		aside := backupParams(r.backups() + "aside")
		aside.Databases = []string{"late"}
		r.run(take, aside)
		r.exec("INSERT INTO late.t SELECT id + 100, v FROM d.t", "FLUSH BINARY LOGS", "DROP VIEW d.v4", "CREATE DATABASE `-a``b`", "CREATE TABLE `-a``b`.t (id INT PRIMARY KEY)", "INSERT INTO `-a``b`.t VALUES (1)")
		two := r.run(take, logs(r.backups()+"two"))
		last := r.run(take, logs(r.backups()+"nothing-new"))
		want, lateAtTwo := r.state("d", "late", "-a`b"), r.content("late")
		executed := strings.Join(strings.Fields(r.scalar("SELECT @@gtid_executed")), "")
		if !strings.Contains(want, "hourly ENABLED") || !strings.Contains(want, "paused DISABLED") || !strings.Contains(want, "VIEW v3 ") {
			t.Fatalf("the test sees too little: %s", want)
		}

		t.Run("the manifests are a chain of their own kind", func(t *testing.T) {
			m := manifestOf(t, two["location"])
			if m.Kind != backup.Logical || m.Type != operation.Incremental || m.Base == nil || m.Base.Name != "one" || m.GTIDExecuted != executed {
				t.Errorf("got %+v", m.Meta)
			}
			if diff := cmp.Diff([]string{"-a`b", "d", "late"}, m.Databases); diff != "" {
				t.Error(diff)
			}
			if m := manifestOf(t, full["location"]); m.Properties[propertyContinuable] != isContinuable {
				t.Errorf("the full one: %v", m.Properties)
			}
		})
		t.Run("what may not be is refused before anything is made", func(t *testing.T) {
			r.fails(operation.ActionRestore, &operation.Restore{Source: two["location"]}, "WouldOverwrite", "late")
			r.fails(operation.ActionRestore, &operation.Restore{Source: two["location"], TargetDatabase: "x"}, "InvalidParameters", "3")
			r.fails(operation.ActionRestore, &operation.Restore{Source: two["location"], Databases: []string{"dropped"}, Overwrite: true}, "UnknownDatabase", "dropped")
			r.beside()
		})
		t.Run("the newest of the folder brings what came after the dump, and no account", func(t *testing.T) {
			r.exec("DROP DATABASE late", "DELETE FROM d.t", "DROP EVENT d.hourly", "DROP USER visitor@'%'", "CREATE DATABASE bystander", "CREATE TABLE bystander.t (id INT)")
			users, bystander := r.users(), r.state("bystander")
			r.run(operation.ActionRestore, &operation.Restore{Source: last["location"], Overwrite: true})
			if diff := cmp.Diff(want, r.state("d", "late", "-a`b")); diff != "" {
				t.Error(diff)
			}
			if got := r.users(); got != users {
				t.Errorf("accounts: %s, were %s", got, users)
			}
			if got := r.state("bystander"); got != bystander || r.Stops > 0 {
				t.Errorf("%d stops, another database is %s", r.Stops, got)
			}
			r.beside()
			record, err := unit{operations.Deps{Env: r.env}}.lastRestored()
			if err != nil || record.GTIDExecuted != executed || record.BackupID != manifestOf(t, last["location"]).ID || !record.Logged {
				t.Errorf("recorded: %+v, %v", record, err)
			}
		})
		t.Run("one database goes beside, under another name", func(t *testing.T) {
			r.run(operation.ActionRestore, &operation.Restore{Source: r.backups() + "two", Databases: []string{"late"}, TargetDatabase: "re`stored"})
			if got, want := r.content("re`stored"), r.content("late"); got != want || got == "" {
				t.Errorf("got %s, want %s", got, want)
			}
			if diff := cmp.Diff(want, r.state("d", "late", "-a`b")); diff != "" {
				t.Error(diff)
			}
		})
		t.Run("an earlier end of the chain", func(t *testing.T) {
			r.run(operation.ActionRestore, &operation.Restore{Source: one["location"], Overwrite: true})
			if diff := cmp.Diff(atOne, r.state("d", "late")); diff != "" {
				t.Error(diff)
			}
			r.run(operation.ActionRestore, &operation.Restore{Source: full["location"], Overwrite: true})
			if diff := cmp.Diff(atFull, r.state("d", "dropped")); diff != "" {
				t.Error(diff)
			}
		})
		t.Run("the chain goes on over the restores that the binary log has", func(t *testing.T) {
			r.run(take, logs(r.backups()+"three"))
			r.exec("DROP DATABASE d")
			r.run(operation.ActionRestore, &operation.Restore{Source: r.backups() + "three", Databases: []string{"d"}})
			if diff := cmp.Diff(atFull, r.state("d", "dropped")); diff != "" {
				t.Error(diff)
			}
		})
		t.Run("logs that do not fit the dump change nothing", func(t *testing.T) {
			r.exec("SET sql_log_bin = 0", "INSERT INTO d.t (id, v) VALUES (500, 'unlogged')", "SET sql_log_bin = 1", "DELETE FROM d.t WHERE id = 500")
			four := r.run(take, logs(r.backups()+"four"))
			now := r.state("d", "dropped", "late")
			r.fails(operation.ActionRestore, &operation.Restore{Source: four["location"], Overwrite: true}, "ReplayFailed", "1032")
			if diff := cmp.Diff(now, r.state("d", "dropped", "late")); diff != "" {
				t.Error(diff)
			}
			r.beside()
		})
		t.Run("binary logs that are gone break the chain", func(t *testing.T) {
			r.exec("INSERT INTO d.t (v) VALUES ('lost')", "FLUSH BINARY LOGS", "DO SLEEP(1.1)", "PURGE BINARY LOGS BEFORE NOW()")
			r.fails(take, logs(r.backups()+"gap"), backup.ReasonChain, "are gone", "take a full backup")
		})
		t.Run("another server does not continue it, and can be given it", func(t *testing.T) {
			second := secondRig(t, box)
			second.fails(take, logs(r.backups()+"other"), backup.ReasonChain, "does not have all", "take a full backup")
			second.exec(append([]string{"SET sql_log_bin = 0"}, city...)...)
			// Of d it lacks the accounts that define its views, as with any dump.
			second.run(operation.ActionRestore, &operation.Restore{Source: two["location"], Databases: []string{"late"}})
			if got, want := second.content("late"), lateAtTwo; got != want || second.scalar("SELECT @@gtid_executed") != "" {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := second.run(operation.ActionGTIDPurge, &operation.GTIDPurge{})["gtidPurged"]; got != executed {
				t.Errorf("purged %s, want %s", got, executed)
			}
		})
	})
}

func TestAnIncrementalLogicalBackupIsRefusedWhereNoRestoreCouldReplayItOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.exec("CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)", "CREATE DATABASE e")
		for _, tc := range []struct {
			name, word string
			change     func(*operation.LogicalBackup)
			first      []string
		}{
			{"some", "some of the databases", func(p *operation.LogicalBackup) { p.Databases = []string{"d"} }, nil},
			{"without", "leaves tables out", func(p *operation.LogicalBackup) { p.SkipTables = []string{"d.none"} }, nil},
			{"tablespace", "d/s", func(*operation.LogicalBackup) {}, []string{"CREATE TABLESPACE s ADD DATAFILE 's.ibd'", "CREATE TABLE d.s (id INT) TABLESPACE s"}},
			{"myisam", "d.m (MyISAM)", func(*operation.LogicalBackup) {}, []string{"DROP TABLE d.s", "CREATE TABLE d.m (id INT) ENGINE = MyISAM"}},
		} {
			t.Run(tc.name, func(t *testing.T) {
				folder := r.backups() + tc.name + "/"
				r.exec(append([]string{"DO 0"}, tc.first...)...)
				p := backupParams(folder)
				tc.change(p)
				r.run(operation.ActionLogicalBackup, p)
				reason, word := backup.ReasonChain, "take a full backup"
				if tc.name == "tablespace" {
					reason, word = "Unsupported", "full backups"
				}
				r.fails(operation.ActionLogicalBackup, logs(folder), reason, tc.word, word)
			})
		}
		t.Run("definitions that change meanwhile", func(t *testing.T) {
			r.exec("DROP TABLE d.m")
			op := &meanwhile{Op: r.op(operation.ActionLogicalBackup, backupParams(r.backups()+"changed/")), at: "dumping", do: func() {
				r.exec("CREATE PROCEDURE d.pr() DO 0")
			}}
			if _, err := r.actions()[operation.ActionLogicalBackup].Run(t.Context(), op); err != nil {
				t.Fatal(err)
			}
			r.fails(operation.ActionLogicalBackup, logs(r.backups()+"changed/"), backup.ReasonChain, "changed while it was taken")
		})
	})
}

// meanwhile does something once, when the operation says what it does.
type meanwhile struct {
	*optest.Op
	at string
	// phase that it is to be in, if that matters.
	phase string
	do    func()
}

func (m *meanwhile) Progress(text string, done, total int64) {
	m.Op.Progress(text, done, total)
	phase, _ := m.Phase()
	if m.do != nil && strings.HasPrefix(text, m.at) && (m.phase == "" || m.phase == phase) {
		do := m.do
		m.do = nil
		do()
	}
}

func TestAnInterruptedReplayLeavesTheDatabasesAloneOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		key := []byte(strings.Repeat("k", backup.KeySize))
		do := func(action string, p operation.Params) {
			t.Helper()
			op := r.op(action, p)
			op.SecretsValue["encryption.key"] = key
			if _, err := r.actions()[action].Run(t.Context(), op); err != nil {
				t.Fatal(err)
			}
		}
		r.fill("d", 20000)
		full, more := backupParams(r.backups()), logs(r.backups()+"more")
		full.Encryption, more.Encryption = operation.AES256, operation.AES256
		do(operation.ActionLogicalBackup, full)
		r.exec("UPDATE d.t SET v = REVERSE(v) WHERE id % 7 = 0")
		want := r.sum("d")
		do(operation.ActionLogicalBackup, more)
		r.exec("DELETE FROM d.t WHERE id % 2 = 0")
		changed := r.sum("d")
		restore := &operation.Restore{Source: r.backups(), Overwrite: true}

		t.Run("without the key nothing begins", func(t *testing.T) {
			r.fails(operation.ActionRestore, restore, backup.ReasonKey)
		})
		for _, tc := range []struct {
			at    string
			crash bool
		}{{"making a server", false}, {"loading", false}, {"loading", true}, {"reading binary logs", false}, {"replaying", false}, {"replaying", true}} {
			name := "cancelled while " + tc.at
			if tc.crash {
				name = "the pod ended while " + tc.at
			}
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				op := &meanwhile{Op: r.op(operation.ActionRestore, restore), at: tc.at, do: func() {
					cancel()
					if tc.crash {
						r.Server.Kill()
					}
				}}
				op.SecretsValue["encryption.key"] = key
				action := r.actions()[operation.ActionRestore]
				if _, err := action.Run(ctx, op); err == nil {
					t.Fatal("it came to its end")
				}
				if phase, _ := op.Phase(); phase != phaseReplay || action.(operations.Recoverer).Recover(phase) != operations.RecoverByAbandon {
					t.Errorf("the phase is %s", phase)
				}
				if tc.crash {
					// Of the whole test, which goes on with it.
					r.Server = box.Start(r.t, r.engine, r.Start)
				}
				if err := action.(operations.Abandoner).Abandon(t.Context(), op); err != nil {
					t.Fatal(err)
				}
				if got := r.sum("d"); got != changed {
					t.Errorf("got %s, want %s", got, changed)
				}
				r.beside()
			})
		}
		t.Run("a private server that dies fails the restore", func(t *testing.T) {
			op := &meanwhile{Op: r.op(operation.ActionRestore, restore), at: "replaying", do: func() { killPrivate(t) }}
			op.SecretsValue["encryption.key"] = key
			if _, err := r.actions()[operation.ActionRestore].Run(t.Context(), op); err == nil {
				t.Error("it succeeded")
			}
			if got := r.sum("d"); got != changed {
				t.Errorf("got %s, want %s", got, changed)
			}
			r.beside()
		})
		t.Run("logs that end before the manifest says fail the restore", func(t *testing.T) {
			path := strings.TrimPrefix(more.Destination, "file://") + backup.ManifestSuffix
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			set := manifestOf(t, more.Destination).GTIDExecuted
			longer := strings.Replace(string(content), set, set+":900000", 1)
			if longer == string(content) {
				t.Fatalf("%s is not in the manifest", set)
			}
			signed, err := backup.SignManifest([]byte(longer), key)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, signed, 0o600); err != nil {
				t.Fatal(err)
			}
			op := r.op(operation.ActionRestore, restore)
			op.SecretsValue["encryption.key"] = key
			_, err = r.actions()[operation.ActionRestore].Run(t.Context(), op)
			if operations.ReasonOf(err) != "ReplayFailed" || !strings.Contains(err.Error(), ":900000") {
				t.Errorf("got %v", err)
			}
			if got := r.sum("d"); got != changed {
				t.Errorf("got %s, want %s", got, changed)
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("cancelled while the databases are loaded it leaves nothing beside", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			beside := &operation.Restore{Source: r.backups(), Databases: []string{"d"}, TargetDatabase: "e"}
			op := &meanwhile{Op: r.op(operation.ActionRestore, beside), at: "loading", phase: phaseLoad, do: cancel}
			op.SecretsValue["encryption.key"] = key
			action := r.actions()[operation.ActionRestore]
			if _, err := action.Run(ctx, op); err == nil {
				t.Fatal("it came to its end")
			}
			if diff := cmp.Diff([]string{phaseReplay, phaseLoad}, op.Phases()); diff != "" {
				t.Error(diff)
			}
			if err := action.(operations.Abandoner).Abandon(t.Context(), op); err != nil {
				t.Fatal(err)
			}
			if got := r.scalar("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'e'"); got != "0" {
				t.Error("a part of the database is left")
			}
			if got := r.sum("d"); got != changed {
				t.Errorf("got %s, want %s", got, changed)
			}
			r.beside()
		})
		t.Run("and the next run brings the rows back", func(t *testing.T) {
			do(operation.ActionRestore, restore)
			if got := r.sum("d"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			r.beside()
		})
	})
}

// killPrivate ends the server beside, as the kernel does when memory is short.
func killPrivate(t *testing.T) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(line), "mysqld\x00") || !strings.Contains(string(line), "unit-private-") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed++
	}
	if killed != 1 {
		t.Errorf("%d private servers were killed", killed)
	}
}
