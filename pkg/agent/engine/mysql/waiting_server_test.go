// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// A commit that waits for an acknowledgement when a source has to stop must never be
// acknowledged by the stop: its client gets an error.
func TestAWaitingClientGetsAnErrorOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 2)
		a, b := all[0], all[1]
		a.promote(b)
		b.follow(a)
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)")
		b.untilTables("1")

		i := 0
		// round leaves a client waiting, stops the source as ways says, kills it, starts
		// it again as the source it was recorded to be.
		round := func(name string, way func(t *testing.T)) {
			t.Run(name, func(t *testing.T) {
				i++
				b.isolate()
				outcome := a.waiting(i)
				way(t)
				a.server.KillAlone()
				lost(t, outcome)
			})
			a.run()
			a.open()
			b.follow(a)
		}
		mustKill := func(t *testing.T, err error) {
			t.Helper()
			if !errors.Is(err, engine.ErrMustKill) {
				t.Errorf("got %v, want ErrMustKill", err)
			}
		}
		round("at a fence", func(t *testing.T) {
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			mustKill(t, a.e.Close(ctx))
			if took := time.Since(begun); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
		})
		for _, reason := range []engine.StopReason{engine.StopFence, engine.StopPodEnd, engine.StopRestart} {
			round("at a stop for "+string(reason), func(t *testing.T) {
				if steps := a.e.StopPlan(t.Context(), reason, a.start()); len(steps) > 0 {
					t.Errorf("the server would be sent %v", steps)
				}
			})
		}
		round("at a change of the mode", func(t *testing.T) {
			async := a.record
			async.Durability = engine.Durability{Mode: engine.DurabilityAsync}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			mustKill(t, a.e.SetDurability(ctx, async))
			if !a.observe().MySQL.SemiSync.SourceActive {
				t.Error("the source does not wait any more")
			}
		})
		round("at a rejoin of one that was closed too late", func(t *testing.T) {
			// As a source whose close was interrupted: read-only is set and commits wait.
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			mustKill(t, a.e.Close(ctx))
			record := engine.RoleRecord{Role: engine.RoleReplica, Upstream: b.upstream(), Acknowledge: true}
			ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := a.e.Follow(ctx, record, channelAccount, ""); err == nil {
				t.Error("it follows")
			}
			if !a.observe().MySQL.SemiSync.SourceActive {
				t.Error("the source does not wait any more")
			}
		})
		t.Run("without a client that waits a source is closed and stopped", func(t *testing.T) {
			a.exec("INSERT INTO d.t VALUES (1000)")
			idle := a.client()
			conn, err := idle.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			steps := a.e.StopPlan(t.Context(), engine.StopFence, a.start())
			if len(steps) != 1 || steps[0].Signal != syscall.SIGTERM {
				t.Fatalf("got %v", steps)
			}
			if err := conn.PingContext(t.Context()); err == nil {
				t.Error("a client's session is there still")
			}
			if !a.observe().ReadOnly {
				t.Error("the server takes writes before it is stopped")
			}
		})
	})
}

// A source whose connections are used up can be fenced.
func TestCloseWithoutAFreeConnectionOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		a := members(t, box, 1)[0]
		a.record = engine.RoleRecord{Role: engine.RoleSource, Open: true, Durability: engine.Durability{Mode: engine.DurabilityAsync}}
		a.open()
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)")
		a.tend()
		clients := a.client()
		clients.SetMaxOpenConns(100)
		var held []*sql.Conn
		for {
			conn, err := clients.Conn(t.Context())
			if err != nil {
				t.Logf("with %d clients: %v", len(held), err)
				break
			}
			held = append(held, conn)
			if len(held) > 50 {
				t.Fatal("the server takes any number of clients")
			}
		}
		if err := a.e.Close(a.context(time.Second)); err != nil {
			t.Fatal(err)
		}
		for _, conn := range held {
			if _, err := conn.ExecContext(t.Context(), "INSERT INTO d.t VALUES (1)"); err == nil {
				t.Error("a client writes")
			}
			conn.Close()
		}
		if !a.observe().ReadOnly {
			t.Error("the server takes writes")
		}
	})
}

// A source that promises nothing is asked to stop in the ordinary way, whatever holds
// its close up; only a fence cannot wait for that.
func TestStopPlanWithoutPromisesOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		a := members(t, box, 1)[0]
		a.record = engine.RoleRecord{Role: engine.RoleSource, Open: true, Durability: engine.Durability{Mode: engine.DurabilityAsync}}
		a.open()
		// The agent's own sessions are not ended: this one holds the close up.
		db, err := a.e.Connect()
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, s := range []string{"CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)", "LOCK TABLES d.t WRITE"} {
			if _, err := conn.ExecContext(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if steps := a.e.StopPlan(t.Context(), engine.StopFence, a.start()); len(steps) > 0 {
			t.Errorf("at a fence it would be sent %v", steps)
		}
		if steps := a.e.StopPlan(t.Context(), engine.StopPodEnd, a.start()); len(steps) != 1 || steps[0].Signal != syscall.SIGTERM {
			t.Errorf("at the end of its pod it would be sent %v", steps)
		}
	})
}

// A server that hangs is found to need SIGKILL in the time that a fence has.
func TestCloseOfAHungServerOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		a := members(t, box, 1)[0]
		a.record = engine.RoleRecord{Role: engine.RoleSource, Open: true, Durability: engine.Durability{Mode: engine.DurabilityAsync}}
		a.open()
		a.tend()
		a.server.Freeze()
		for what, ask := range map[string]func() bool{
			"a close": func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				return errors.Is(a.e.Close(ctx), engine.ErrMustKill)
			},
			"a fence":       func() bool { return len(a.e.StopPlan(t.Context(), engine.StopFence, a.start())) == 0 },
			"the pod's end": func() bool { return len(a.e.StopPlan(t.Context(), engine.StopPodEnd, a.start())) == 0 },
			"an observation": func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				r, err := a.e.ObserveReplication(ctx)
				return err != nil && !r.Answered
			},
		} {
			begun := time.Now()
			if !ask() {
				t.Errorf("%s did not find that the server hangs", what)
			}
			if took := time.Since(begun); took > 8*time.Second || what != "the pod's end" && took > 2*time.Second {
				t.Errorf("%s took %v", what, took)
			}
		}
	})
}

// What a lock on all tables asked to be closed nobody can open before the last reader is
// done, even when the lock is not wanted any more.
func TestAChangeOfTheModeMakesNoClientWaitBehindALongReadOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 2)
		a, b := all[0], all[1]
		a.promote(b)
		b.follow(a)
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)", "INSERT INTO d.t VALUES (1)")
		read := make(chan error, 1)
		reader := a.client()
		go func() {
			_, err := reader.ExecContext(t.Context(), "SELECT SLEEP(600) FROM d.t")
			read <- err
		}()
		a.until("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%' AND time >= 2", "1")
		id := a.scalar("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(600)%'")
		async := a.record
		async.Durability = engine.Durability{Mode: engine.DurabilityAsync}
		if err := a.e.SetDurability(t.Context(), async); !errors.Is(err, engine.ErrNotYet) {
			t.Errorf("got %v, want ErrNotYet", err)
		}
		soon, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := a.client().ExecContext(soon, "SELECT COUNT(*) FROM d.t"); err != nil {
			t.Errorf("a client waits behind the reader: %v", err)
		}
		a.exec("KILL " + id)
		<-read
		// Its client is notified before the statement has let go of the table.
		a.until("SELECT COUNT(*) FROM information_schema.processlist WHERE id = "+id, "0")
		if err := a.e.SetDurability(t.Context(), async); err != nil {
			t.Error(err)
		}
	})
}
