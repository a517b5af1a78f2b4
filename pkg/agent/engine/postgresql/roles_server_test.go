// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

// set is a source and two replicas, each a member of the others.
func set(t *testing.T, box *enginetest.Box) (a, b, c *member) {
	t.Helper()
	a, b, c = newMember(t, box, "set-a", 5440), newMember(t, box, "set-b", 5441), newMember(t, box, "set-c", 5442)
	a.source(asSource(engine.DurabilityAsync, 0, "set-a", "set-b", "set-c"))
	a.sql("CREATE TABLE t (i int)", "INSERT INTO t VALUES (1)")
	for _, m := range []*member{b, c} {
		m.clone(a)
		m.start(a.following())
		m.streaming(a)
	}
	return a, b, c
}

func TestRolesOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		a, b, c := set(t, box)

		t.Run("a replica has nothing of its donor's settings", func(t *testing.T) {
			auto, err := os.ReadFile(filepath.Join(b.env.DataDir(), autoConf))
			if err != nil || strings.Contains(string(auto), "primary_conninfo") {
				t.Errorf("got %s, %v", auto, err)
			}
		})
		t.Run("positions, connections and slots are observed", func(t *testing.T) {
			r := a.observe()
			if r.ReadOnly || r.ServerID == "" || r.PostgreSQL.InRecovery || r.PostgreSQL.Timeline != 1 || r.PostgreSQL.WriteLSN == "" || len(r.PostgreSQL.Standbys) != 2 || len(r.PostgreSQL.Slots) != 2 {
				t.Errorf("source: %+v, %+v", r, r.PostgreSQL)
			}
			for i, name := range []string{"set-b", "set-c"} {
				if s := r.PostgreSQL.Standbys[i]; s.ApplicationName != name || s.State != "streaming" || s.SyncState != "async" {
					t.Errorf("got %+v", s)
				}
				if s := r.PostgreSQL.Slots[i]; s.Name != settings.SlotName(name) || !s.Active || s.RestartLSN == "" {
					t.Errorf("got %+v", s)
				}
			}
			r = b.observe()
			if !r.ReadOnly || !r.PostgreSQL.InRecovery || r.PostgreSQL.Timeline != 1 || r.PostgreSQL.ReceivedLSN == "" || r.PostgreSQL.ReplayedLSN == "" || r.PostgreSQL.Receiver.Slot != settings.SlotName("set-b") {
				t.Errorf("replica: %+v, %+v", r, r.PostgreSQL)
			}
		})
		t.Run("follow a hundred times changes nothing", func(t *testing.T) {
			const state = "SELECT pg_conf_load_time()::text || (SELECT pid FROM pg_stat_wal_receiver)"
			before := b.value(state)
			file, err := os.Stat(b.e.configPath(roleFile))
			if err != nil {
				t.Fatal(err)
			}
			for range 100 {
				b.follow(a)
			}
			after, err := os.Stat(b.e.configPath(roleFile))
			if got := b.value(state); got != before || err != nil || !os.SameFile(file, after) {
				t.Errorf("got %s, before %s, %v", got, before, err)
			}
			for _, m := range []*member{a, b, c} {
				if did, err := m.e.Tend(m.ctx(), m.record, channelAccount); err != nil || len(did) > 0 {
					t.Errorf("%s: Tend did %v, %v", m.name, did, err)
				}
			}
		})
		t.Run("calls for standbys change nothing on a primary", func(t *testing.T) {
			a.record = asSource(engine.DurabilitySync, 1, "set-b", "set-c")
			if err := a.e.SetDurability(a.ctx(), a.record); err != nil {
				t.Fatal(err)
			}
			// Each process of the server takes up the configuration when it comes to it.
			a.eventually("its standbys are not waited for", func() bool {
				got := a.observe().PostgreSQL
				return got.SynchronousStandbyNames != "" && !slices.ContainsFunc(got.Standbys, func(s engine.PostgreSQLStandby) bool { return s.SyncState != "quorum" })
			})
			for name, call := range map[string]func() error{
				"Follow":       func() error { return a.e.Follow(a.ctx(), b.following(), channelAccount, "") },
				"StopReceiver": func() error { return a.e.StopReceiver(a.ctx()) },
				"Tend":         func() error { _, err := a.e.Tend(a.ctx(), asIsolated, channelAccount); return err },
			} {
				if err := call(); !errors.Is(err, errPrimary) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if got := a.observe().PostgreSQL; got.SynchronousStandbyNames != `ANY 1 ("set-b","set-c")` || got.Standbys[0].SyncState != "quorum" {
				t.Errorf("got %+v", got)
			}
			a.sql("INSERT INTO t VALUES (2)")
		})
		t.Run("what somebody has set by ALTER SYSTEM is taken back", func(t *testing.T) {
			a.sql("ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
			a.eventually("it is not in force", func() bool { return a.value("SELECT current_setting('synchronous_standby_names')") == "" })
			if did, err := a.e.Tend(a.ctx(), a.record, channelAccount); err != nil || len(did) != 1 {
				t.Errorf("Tend did %v, %v", did, err)
			}
			a.eventually("it is not in force in another session", func() bool {
				return a.observe().PostgreSQL.SynchronousStandbyNames == `ANY 1 ("set-b","set-c")`
			})
		})
		t.Run("a foreign standby that does not answer is cut off before the stop", func(t *testing.T) {
			frozen(t, a, c)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if err := a.e.Close(ctx); err != nil {
				t.Error(err)
			}
			// The connection is asked to end, and takes its time. That of a standby which has
			// answered too late was ended too, and is made again.
			a.eventually("it is connected", func() bool {
				return a.value("SELECT string_agg(application_name || ' ' || state, ', ') FROM pg_stat_replication") == "set-b streaming"
			})
		})

		t.Run("switchover", func(t *testing.T) {
			if !a.e.RestartFor(a.record, asIsolated) {
				t.Fatal("a source is not restarted")
			}
			begun := time.Now()
			a.stop(engine.StopRestart)
			t.Logf("stopped after %v", time.Since(begun))
			if r := a.observe(); r.Answered || r.PostgreSQL.Control == nil || r.PostgreSQL.Control.State != "shut down" || r.PostgreSQL.Control.Timeline != 1 || r.ServerID == "" {
				t.Errorf("stopped: %+v, %+v", r, r.PostgreSQL.Control)
			}
			begun = time.Now()
			b.promote(asSource(engine.DurabilitySync, 1, "set-a", "set-c"))
			t.Logf("promoted after %v", time.Since(begun))
			if r := b.observe(); r.ReadOnly || r.PostgreSQL.Timeline != 2 || r.PostgreSQL.SynchronousStandbyNames != `ANY 1 ("set-a","set-c")` || len(r.PostgreSQL.Slots) != 2 {
				t.Errorf("promoted: %+v, %+v", r, r.PostgreSQL)
			}
			c.follow(b)
			c.streaming(b)
			// The former primary's next start is by its record.
			a.start(asIsolated)
			a.isolated()
			if err := a.e.StopReceiver(a.ctx()); err != nil {
				t.Error(err)
			}
			a.follow(b)
			a.streaming(b)
			b.sql("INSERT INTO t VALUES (3)")
			for _, m := range []*member{a, b, c} {
				m.rows("1 2 3")
			}
			// Its slots of the time as a source keep WAL for nobody.
			a.eventually("its slots remain", func() bool {
				if _, err := a.e.Tend(a.ctx(), a.record, channelAccount); err != nil {
					t.Error(err)
				}
				return len(a.observe().PostgreSQL.Slots) == 0
			})
		})
		t.Run("an isolated member receives nothing more", func(t *testing.T) {
			for range 2 {
				if err := c.e.StopReceiver(c.ctx()); err != nil {
					t.Fatal(err)
				}
			}
			c.isolated()
			received := c.observe().PostgreSQL.ReceivedLSN
			b.sql("INSERT INTO t VALUES (4)")
			a.rows("1 2 3 4")
			if got := c.observe().PostgreSQL.ReceivedLSN; got == "" || got != received {
				t.Errorf("received %s, then %s", received, got)
			}
			c.rows("1 2 3")
			c.kill()
			c.start(asIsolated)
			c.isolated()
			c.eventually("it does not say what it has", func() bool { return c.observe().PostgreSQL.ReceivedLSN != "" })
			c.follow(b)
			c.rows("1 2 3 4")
		})
		t.Run("a receiver ends though replay is paused or held up", func(t *testing.T) {
			c.streaming(b)
			c.sql("SELECT pg_wal_replay_pause()")
			b.sql("INSERT INTO t VALUES (5)")
			// It pauses before the first record that it gets.
			c.eventually("replay is not paused", func() bool {
				return c.value("SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn() AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event LIKE 'RecoveryWal%')") == "true"
			})
			if err := c.e.StopReceiver(c.ctx()); err != nil {
				t.Error(err)
			}
			c.isolated()
			c.follow(b)
			c.rows("1 2 3 4 5")
			reader := c.client()
			for _, s := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT * FROM t"} {
				if _, err := reader.Exec(c.ctx(), s); err != nil {
					t.Fatal(err)
				}
			}
			b.sql("ALTER TABLE t ADD COLUMN held text", "INSERT INTO t VALUES (6)")
			c.eventually("replay is not held up", func() bool {
				return c.value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event_type = 'Lock'") == "1"
			})
			if err := c.e.StopReceiver(c.ctx()); err != nil {
				t.Error(err)
			}
			c.isolated()
			c.follow(b)
			c.rows("1 2 3 4 5 6")
		})
		t.Run("a standby is observed while all its walsenders are taken", func(t *testing.T) {
			c.streaming(b)
			want := c.observe().PostgreSQL
			config, err := c.e.replicationConfig()
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				conn, err := pgconn.ConnectConfig(c.ctx(), config)
				if tooMany(err) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close(t.Context())
			}
			if _, err := c.e.timeline(c.ctx()); !tooMany(err) {
				t.Fatalf("there is a walsender still: %v", err)
			}
			if got := c.observe().PostgreSQL; got.Timeline != want.Timeline || got.ReceivedLSN == "" {
				t.Errorf("got timeline %d, received up to %q, want %d", got.Timeline, got.ReceivedLSN, want.Timeline)
			}
		})
		t.Run("a delayed standby says that it must be restarted to stop receiving", func(t *testing.T) {
			c.streaming(b)
			c.sql("ALTER SYSTEM SET recovery_min_apply_delay = '1h'", "SELECT pg_reload_conf()")
			// What it gets before it has taken the delay up is replayed at once.
			c.eventually("it does not delay", func() bool {
				b.sql("SELECT pg_logical_emit_message(true, 'test', 'x')")
				return c.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'RecoveryApplyDelay'") == "1"
			})
			b.sql("CREATE TABLE delayed (i int)")
			if err := c.e.StopReceiver(c.ctx()); !errors.Is(err, engine.ErrMustRestart) {
				t.Fatalf("got %v", err)
			}
			c.stop(engine.StopRestart)
			c.start(asIsolated)
			if err := c.e.StopReceiver(c.ctx()); err != nil {
				t.Error(err)
			}
			c.isolated()
			if got := c.value("SELECT count(*) FROM pg_class WHERE relname = 'delayed'"); got != "0" {
				t.Error("it was not delayed any more")
			}
			c.sql("ALTER SYSTEM RESET recovery_min_apply_delay", "SELECT pg_reload_conf()")
			c.follow(b)
			c.rows("1 2 3 4 5 6")
		})
		t.Run("servers come back in their roles", func(t *testing.T) {
			c.kill()
			c.start(c.record)
			c.streaming(b)
			b.kill()
			b.start(b.record)
			if r := b.observe(); r.ReadOnly || r.PostgreSQL.Timeline != 2 || r.PostgreSQL.SynchronousStandbyNames != `ANY 1 ("set-a","set-c")` {
				t.Errorf("source: %+v", r.PostgreSQL)
			}
			b.sql("INSERT INTO t VALUES (7)")
			for _, m := range []*member{a, b, c} {
				m.rows("1 2 3 4 5 6 7")
			}
		})
		t.Run("a server that has more than its upstream is not made to follow it", func(t *testing.T) {
			// a is promoted although b goes on: b writes what a never gets.
			if err := a.e.StopReceiver(a.ctx()); err != nil {
				t.Fatal(err)
			}
			b.sql("INSERT INTO t VALUES (8)")
			c.rows("1 2 3 4 5 6 7 8")
			a.promote(asSource(engine.DurabilityAsync, 0, "set-b", "set-c"))
			for name, m := range map[string]*member{"a replica that is ahead of the fork": c, "the former primary": b} {
				if m == b {
					b.stop(engine.StopRestart)
					b.start(asIsolated)
					b.isolated()
				}
				err := m.tryFollow(a)
				if !errors.Is(err, engine.ErrWouldLose) || strings.Count(err.Error(), "0/") < 2 {
					t.Errorf("%s: %v", name, err)
				}
				if got := m.value("SELECT current_setting('primary_conninfo')"); strings.Contains(got, "5440") {
					t.Errorf("%s: got %s", name, got)
				}
			}
		})
		for _, m := range []*member{a, b, c} {
			m.noPassword()
			m.server.Stop()
		}
	})
}

// frozen makes the receiver of standby answer its source no more until the test ends.
func frozen(t *testing.T, source, standby *member) {
	t.Helper()
	var pid int
	conn := standby.client()
	if err := conn.QueryRow(t.Context(), "SELECT pid FROM pg_stat_wal_receiver").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	source.sql("SELECT pg_logical_emit_message(true, 'test', 'x')")
}

// A standby starts although its configuration allows less than its primary's did.
func TestStandbyWithLowerLimitsOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		m := newMember(t, box, "lower", 5440)
		m.source(asSource(engine.DurabilityAsync, 0))
		m.server.Stop()
		m.record = asIsolated
		start := m.startArgument()
		start.Files[configFile] = append(start.Files[configFile], "max_connections = 20\nmax_wal_senders = 4\nmax_locks_per_transaction = 100\n"...)
		m.server = box.Start(t, m.e, start)
		m.isolated()
		if got := m.value("SELECT current_setting('max_connections') || ' ' || current_setting('max_wal_senders') || ' ' || current_setting('max_locks_per_transaction')"); got != "100 8 100" {
			t.Errorf("got %s", got)
		}
		m.server.Stop()
	})
}
