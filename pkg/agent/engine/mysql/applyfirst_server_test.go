// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// That the new upstream has what was received is no reason to drop it: the upstream may be
// gone before it has sent it.
func TestFollowAppliesBeforeItChangesOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 3)
		a, b, c := all[0], all[1], all[2]
		a.promote(b, c)
		b.follow(a)
		c.follow(a)
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)")
		b.untilTables("1")
		v, err := parseVersion(b.scalar("SELECT @@version"))
		if err != nil {
			t.Fatal(err)
		}
		// Nobody listens where the upstream is said to be: the member gets nothing there.
		gone := c.upstream()
		gone.Port = unusedPort(t)
		toGone := engine.RoleRecord{Role: engine.RoleReplica, Acknowledge: true, Upstream: gone}
		// received is a row that b has received, and does not apply.
		received := func(t *testing.T, row, rows string) {
			t.Helper()
			a.exec("INSERT INTO d.t VALUES (" + row + ")")
			c.until(count, rows)
			waitFor(t, "the row to be received", func() (bool, string) {
				m := b.observe().MySQL
				return m.Channel.Unapplied != "", m.Channel.Retrieved
			})
		}
		changed := func(t *testing.T) engine.MySQLReplication {
			t.Helper()
			m := b.observe().MySQL
			if m.Channel.Port != gone.Port || m.Channel.Receiving {
				t.Errorf("the channel is %+v", *m.Channel)
			}
			return *m
		}

		t.Run("a stopped applier", func(t *testing.T) {
			b.exec(stopApplier(v))
			received(t, "1", "1")
			b.record = toGone
			if err := b.tryFollow(20*time.Second, c.observe().MySQL.Executed); !errors.Is(err, engine.ErrNotYet) {
				t.Errorf("an upstream that is gone is followed: %v", err)
			}
			if m := changed(t); m.Executed != a.observe().MySQL.Executed {
				t.Errorf("executed %s of %s", m.Executed, a.observe().MySQL.Executed)
			}
			if got := b.scalar(count); got != "1" {
				t.Errorf("%s rows", got)
			}
		})
		t.Run("an applier that waits keeps the channel", func(t *testing.T) {
			b.follow(a)
			release := holdTable(t, b)
			received(t, "2", "2")
			b.record = toGone
			for range 2 {
				if err := b.tryFollow(1500*time.Millisecond, c.observe().MySQL.Executed); !errors.Is(err, engine.ErrNotYet) {
					t.Errorf("got %v, want ErrNotYet", err)
				}
				if m := b.observe().MySQL; m.Channel.Port != a.port || m.Channel.Unapplied == "" {
					t.Fatalf("the channel is %+v", *m.Channel)
				}
			}
			release()
			if err := b.tryFollow(20*time.Second, c.observe().MySQL.Executed); !errors.Is(err, engine.ErrNotYet) {
				t.Errorf("an upstream that is gone is followed: %v", err)
			}
			changed(t)
			if got := b.scalar(count); got != "2" {
				t.Errorf("%s rows", got)
			}
		})
		t.Run("a delayed one takes an upstream that has it", func(t *testing.T) {
			b.follow(a)
			b.exec(stopApplier(v), delaySource(v, 3600), startApplier(v))
			received(t, "3", "3")
			b.record = toGone
			begun := time.Now()
			if err := b.tryFollow(30*time.Second, c.observe().MySQL.Executed); !errors.Is(err, engine.ErrNotYet) {
				t.Errorf("an upstream that is gone is followed: %v", err)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if m := changed(t); m.Channel.Unapplied != "" || m.Channel.Delay != time.Hour {
				t.Errorf("the channel is %+v", *m.Channel)
			}
			b.exec(stopApplier(v), delaySource(v, 0))
			b.follow(a)
			b.until(count, "3")
		})
		t.Run("one that cannot apply it takes an upstream that has it", func(t *testing.T) {
			b.spoil("INSERT INTO d.t VALUES (4)")
			received(t, "4", "4")
			b.record = toGone
			if err := b.tryFollow(20*time.Second, a.uuid+":1"); !errors.Is(err, engine.ErrWouldLose) {
				t.Errorf("got %v, want ErrWouldLose", err)
			}
			if m := b.observe().MySQL; m.Channel.Port != a.port || m.Channel.Unapplied == "" {
				t.Fatalf("the channel is %+v", *m.Channel)
			}
			if err := b.tryFollow(20*time.Second, c.observe().MySQL.Executed); !errors.Is(err, engine.ErrNotYet) {
				t.Errorf("an upstream that is gone is followed: %v", err)
			}
			changed(t)
		})
	})
}

// delaySource has the applier wait.
func delaySource(v version, seconds int) string {
	if !v.atLeast(8, 0, 23) {
		return fmt.Sprintf("CHANGE MASTER TO MASTER_DELAY = %d", seconds)
	}
	return fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_DELAY = %d", seconds)
}

// unusedPort is one that nobody listens at.
func unusedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
