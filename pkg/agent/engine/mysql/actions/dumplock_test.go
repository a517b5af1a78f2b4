// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// longestWait of a client that reads and writes all the time, until the returned function
// is called.
func (r *rig) longestWait(statements ...string) (end func() time.Duration) {
	r.t.Helper()
	db, stop := r.db(), make(chan struct{})
	var longest time.Duration
	var client sync.WaitGroup
	client.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			for _, statement := range statements {
				begun := time.Now()
				if _, err := db.ExecContext(context.Background(), statement); err != nil {
					r.t.Errorf("%s: %v", statement, err)
					return
				}
				longest = max(longest, time.Since(begun))
			}
		}
	})
	return func() time.Duration {
		close(stop)
		client.Wait()
		return longest
	}
}

func TestADumpMakesNoClientWaitBehindLongStatementsOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)", "INSERT INTO d.t VALUES (1)", "CREATE TABLE d.u (i INT)", "CREATE TABLE d.v (i INT)")
		// holds runs a statement that is ended by its id, and returns when it has begun.
		holds := func(t *testing.T, statements ...string) (end func()) {
			t.Helper()
			db := r.db()
			var id string
			if err := db.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
				t.Fatal(err)
			}
			var over sync.WaitGroup
			over.Go(func() {
				for _, s := range statements {
					// It is killed in the end.
					_, _ = db.ExecContext(context.Background(), s)
				}
			})
			hasTables := "SELECT COUNT(*) FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id WHERE t.processlist_id = " + id + " AND l.object_schema = 'd' AND l.lock_status = 'GRANTED'"
			for r.scalar(hasTables) == "0" {
				time.Sleep(20 * time.Millisecond)
			}
			return func() {
				r.exec("KILL " + id)
				over.Wait()
			}
		}
		// locks takes the lock once.
		locks := func(t *testing.T) ([]statement, error) {
			t.Helper()
			s, err := openSession(t.Context(), r.engine, false)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			lock, err := openSession(t.Context(), r.engine, false)
			if err != nil {
				t.Fatal(err)
			}
			defer lock.close()
			return lockTables(t.Context(), s, lock)
		}
		for name, statements := range map[string][]string{
			"a statement": {"SELECT SLEEP(1000) FROM d.t"},
			"LOCK TABLES": {"LOCK TABLES d.t READ LOCAL, d.u WRITE"},
		} {
			t.Run(name, func(t *testing.T) {
				end := holds(t, statements...)
				time.Sleep(longStatement + time.Second)
				waited := r.longestWait("SELECT * FROM d.t", "INSERT INTO d.v VALUES (1)")
				op := r.op(operation.ActionLogicalBackup, backupParams(r.backups()+strings.ReplaceAll(name, " ", "-")))
				done := make(chan error, 1)
				go func() { _, err := r.actions()[operation.ActionLogicalBackup].Run(t.Context(), op); done <- err }()
				time.Sleep(4 * time.Second)
				select {
				case err := <-done:
					t.Errorf("the backup did not wait: %v", err)
				default:
				}
				texts, _, _ := op.Texts()
				if said := strings.Join(texts, "\n"); !strings.Contains(said, "waiting for a moment without long statements: "+name+" of unit_agent@localhost (id ") {
					t.Errorf("who keeps it waiting is not named: %s", said)
				}
				end()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if longest := waited(); longest > 5*time.Second {
					t.Errorf("a client has waited %s", longest)
				}
			})
		}
		for name, begins := range map[string]string{
			"an UPDATE that begins with the dump":                   "UPDATE d.t SET i = 7 WHERE SLEEP(12) = 0",
			"an INSERT that reads a table and begins with the dump": "INSERT INTO d.u SELECT i FROM d.t WHERE SLEEP(12) = 0",
		} {
			t.Run(name+" is not ended for it", func(t *testing.T) {
				db, done := r.db(), make(chan error, 1)
				go func() { _, err := db.ExecContext(context.Background(), begins); done <- err }()
				time.Sleep(200 * time.Millisecond)
				waited := r.longestWait("SELECT * FROM d.t", "SELECT * FROM d.u", "INSERT INTO d.v VALUES (1)")
				if result := r.run(operation.ActionLogicalBackup, backupParams(r.backups()+strings.ReplaceAll(name, " ", "-"))); strings.Contains(result["message"], "was ended") {
					t.Errorf("a statement was ended: %s", result["message"])
				}
				if err := <-done; err != nil {
					t.Errorf("%s: %v", begins, err)
				}
				if longest := waited(); longest > 5*time.Second {
					t.Errorf("a client has waited %s", longest)
				}
			})
		}
		t.Run("LOCK TABLES for reading that begin with the dump", func(t *testing.T) {
			locker := r.db()
			if _, err := locker.ExecContext(t.Context(), "LOCK TABLES d.t READ, d.u READ"); err != nil {
				t.Fatal(err)
			}
			waited := r.longestWait("SELECT * FROM d.t", "INSERT INTO d.v VALUES (1)")
			ended, err := locks(t)
			if !errors.Is(err, errFlushWaited) || len(ended) != 1 || !strings.HasPrefix(ended[0].what, "LOCK TABLES of unit_agent@localhost") {
				t.Errorf("ended %v: %v", ended, err)
			}
			if longest := waited(); longest > 5*time.Second {
				t.Errorf("a client has waited %s", longest)
			}
		})
		t.Run("one that reads, behind which nobody waits yet", func(t *testing.T) {
			defer holds(t, "SELECT SLEEP(60) FROM d.t")()
			ended, err := locks(t)
			if !errors.Is(err, errFlushWaited) || len(ended) != 1 || !strings.HasPrefix(ended[0].what, "a statement of unit_agent@localhost") {
				t.Errorf("ended %v: %v", ended, err)
			}
			begun := time.Now()
			r.exec("SELECT * FROM d.t")
			if waited := time.Since(begun); waited > 5*time.Second {
				t.Errorf("the client that came next has waited %s", waited)
			}
		})
		t.Run("one that reads and begins with the dump", func(t *testing.T) {
			defer holds(t, "SELECT SLEEP(12) FROM d.t")()
			waited := r.longestWait("SELECT * FROM d.t", "INSERT INTO d.v VALUES (1)")
			op := r.op(operation.ActionLogicalBackup, backupParams(r.backups()+"later"))
			result, err := r.actions()[operation.ActionLogicalBackup].Run(t.Context(), op)
			if err != nil {
				t.Fatal(err)
			}
			// To a dump that is slow to begin it is a long one, which is waited for.
			texts, _, _ := op.Texts()
			if !strings.Contains(result["message"], "what was ended for them: a statement of unit_agent@localhost") && !strings.Contains(strings.Join(texts, "\n"), "waiting for a moment without long statements: a statement of") {
				t.Errorf("what the statement met is not said: %s", result["message"])
			}
			if longest := waited(); longest > 5*time.Second {
				t.Errorf("a client has waited %s", longest)
			}
		})
		t.Run("patience ends", func(t *testing.T) {
			end := holds(t, "SELECT SLEEP(1000) FROM d.t")
			defer end()
			time.Sleep(longStatement + time.Second)
			s, err := openSession(t.Context(), r.engine, false)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			err = dumpQuietly(t.Context(), r.op(operation.ActionLogicalBackup, nil), s, time.Second, func() error {
				t.Error("it was tried")
				return nil
			})
			if operations.ReasonOf(err) != operation.ReasonLocked || !strings.Contains(err.Error(), "a statement of unit_agent@localhost") {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestADumpSaysThatItsServerHasEndedOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.fill("d", 200000)
		for _, at := range []string{"waiting for a moment", "dumping"} {
			t.Run(at, func(t *testing.T) {
				if at != "dumping" {
					conn, err := r.db().Conn(t.Context())
					if err == nil {
						_, err = conn.ExecContext(t.Context(), "LOCK TABLES d.t READ")
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				op := &meanwhile{Op: r.op(operation.ActionLogicalBackup, backupParams(r.backups())), at: at, do: func() { r.Server.KillAlone() }}
				_, err := r.actions()[operation.ActionLogicalBackup].Run(t.Context(), op)
				if operations.ReasonOf(err) != operation.ReasonServerNotRunning {
					t.Errorf("reason %s: %v", operations.ReasonOf(err), err)
				}
				r.Server = box.Start(r.t, r.engine, r.Start)
			})
		}
	})
}
