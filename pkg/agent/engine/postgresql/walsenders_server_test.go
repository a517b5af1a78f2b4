// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// What a walsender has read is reported of each, also of one that is stopped.
func TestWalsendersOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		a, b, c := set(t, box)
		reported := func() map[string][2]bool {
			got := map[string][2]bool{}
			for _, s := range a.observe().PostgreSQL.Standbys {
				got[s.ApplicationName] = [2]bool{s.Counted, s.Reloaded}
			}
			return got
		}
		enforce := func(w int, names ...string) {
			t.Helper()
			a.record = asSource(engine.DurabilitySync, w, names...)
			if w == 0 {
				a.record = asSource(engine.DurabilityAsync, 0)
			}
			if err := a.e.SetDurability(a.ctx(), a.record); err != nil {
				t.Fatal(err)
			}
		}
		becomes := func(want map[string][2]bool) {
			t.Helper()
			var diff string
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				if diff = cmp.Diff(want, reported()); diff == "" {
					return
				}
			}
			t.Fatal(diff)
		}
		waiting, read, old := [2]bool{true, true}, [2]bool{false, true}, [2]bool{true, false}

		becomes(map[string][2]bool{"set-b": read, "set-c": read})
		enforce(1, "set-b", "set-c")
		becomes(map[string][2]bool{"set-b": waiting, "set-c": waiting})

		t.Run("one that has not read who is waited for", func(t *testing.T) {
			resume := stopped(t, a, "set-c")
			enforce(1, "set-b")
			becomes(map[string][2]bool{"set-b": waiting, "set-c": old})
			resume()
			becomes(map[string][2]bool{"set-b": waiting, "set-c": read})
			enforce(0)
			becomes(map[string][2]bool{"set-b": read, "set-c": read})
		})
		t.Run("one that is seen waiting reads before it lets a commit go", func(t *testing.T) {
			enforce(1, "set-b", "set-c")
			becomes(map[string][2]bool{"set-b": waiting, "set-c": waiting})
			frozen(t, a, b)
			resume := stopped(t, a, "set-c")
			enforce(2, "set-b", "set-c")
			becomes(map[string][2]bool{"set-b": waiting, "set-c": waiting})
			done := make(chan error, 1)
			conn := a.client()
			go func() { done <- writes(t.Context(), conn) }()
			a.eventually("the commit does not wait", func() bool {
				return a.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1"
			})
			resume()
			// set-c has it, and its walsender, which had read that one is enough, knows.
			a.eventually("set-c does not get it", func() bool {
				return slices.ContainsFunc(a.observe().PostgreSQL.Standbys, func(s engine.PostgreSQLStandby) bool {
					return s.ApplicationName == "set-c" && s.FlushLSN == a.value("SELECT pg_current_wal_flush_lsn()::text")
				})
			})
			select {
			case err := <-done:
				t.Errorf("a commit that one of two has was acknowledged: %v", err)
			case <-time.After(500 * time.Millisecond):
			}
			thaw(t, b)
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		t.Run("one that begins later has read all", func(t *testing.T) {
			a.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
			becomes(map[string][2]bool{"set-b": waiting, "set-c": waiting})
		})
		t.Run("another configuration is another question", func(t *testing.T) {
			for range 5 {
				a.sql("SELECT pg_reload_conf()")
				becomes(map[string][2]bool{"set-b": waiting, "set-c": waiting})
			}
		})
		for _, m := range []*member{a, b, c} {
			m.server.Stop()
		}
	})
}

// stopped keeps the walsender of a standby from running until it is resumed.
func stopped(t *testing.T, source *member, standby string) (resume func()) {
	t.Helper()
	pid, err := strconv.Atoi(source.value("SELECT pid FROM pg_stat_replication WHERE application_name = '" + standby + "'"))
	if err != nil {
		t.Fatal(err)
	}
	source.eventually("its walsender does not wait", func() bool {
		return source.value("SELECT wait_event FROM pg_stat_activity WHERE pid = "+strconv.Itoa(pid)) == "WalSenderMain"
	})
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resume = func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	t.Cleanup(resume)
	return resume
}

// thaw ends what frozen began.
func thaw(t *testing.T, standby *member) {
	t.Helper()
	pid, err := strconv.Atoi(standby.value("SELECT pid FROM pg_stat_wal_receiver"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}
