// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// What a replica has received and not applied may be the only copy of an acknowledged
// commit apart from the source's.
func TestFollowKeepsWhatWasReceivedOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 3)
		a, b, c := all[0], all[1], all[2]
		a.promote(b, c)
		b.follow(a)
		c.follow(a)
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)")
		b.untilTables("1")
		c.untilTables("1")

		// The applier of b waits for this lock; c is out of the way, so that b alone
		// acknowledges.
		release := holdTable(t, b)
		c.isolate()
		a.exec("INSERT INTO d.t VALUES (1)")
		transaction := a.uuid + ":3"
		there := func(t *testing.T) {
			t.Helper()
			m := b.observe().MySQL
			if !strings.HasSuffix(m.Channel.Retrieved, "-3") || strings.HasSuffix(m.Executed, "-3") {
				t.Fatalf("retrieved %s, executed %s", m.Channel.Retrieved, m.Executed)
			}
		}
		there(t)

		t.Run("followed a hundred times", func(t *testing.T) {
			for range 100 {
				b.follow(a)
			}
			there(t)
		})
		t.Run("another upstream is refused while it may not have it", func(t *testing.T) {
			b.record.Upstream = c.upstream()
			for range 3 {
				// On a busy machine the time may be over before it comes to that.
				waitFor(t, "what it may not have to be named", func() (bool, string) {
					err := b.tryFollow(900*time.Millisecond, c.observe().MySQL.Executed)
					if !errors.Is(err, engine.ErrNotYet) {
						t.Fatalf("got %v, want ErrNotYet", err)
					}
					return strings.Contains(err.Error(), transaction), err.Error()
				})
			}
			there(t)
		})
		t.Run("after SIGKILL of the replica", func(t *testing.T) {
			// Released before it ended it would apply the transaction.
			b.server.KillAlone()
			release()
			b.record.Upstream = nil
			b.run()
			release = holdTable(t, b)
			there(t)
			for range 20 {
				b.follow(a)
			}
			there(t)
		})
		t.Run("it is not promoted before it has applied it", func(t *testing.T) {
			record := engine.RoleRecord{Role: engine.RoleSource}
			if err := b.e.Promote(b.context(1500*time.Millisecond), record, channelAccount); !errors.Is(err, engine.ErrNotYet) {
				t.Errorf("got %v, want ErrNotYet", err)
			}
			there(t)
		})
		t.Run("an upstream that has it may be followed", func(t *testing.T) {
			c.follow(a)
			c.until(count, "1")
			b.record = engine.RoleRecord{Role: engine.RoleReplica, Acknowledge: true, Upstream: c.upstream()}
			executed := c.observe().MySQL.Executed
			// A source has the channel's account by its promotion.
			db, err := c.e.control()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.e.ensureChannelAccount(t.Context(), db, channelAccount); err != nil {
				t.Fatal(err)
			}
			if m := c.observe().MySQL; !m.SuperReadOnly || m.Executed != executed {
				t.Errorf("after the account was made: %+v", m)
			}
			// The applier cannot be stopped while it waits for the lock.
			release()
			b.followRecorded(executed)
			b.until(count, "1")
		})
		t.Run("a transaction that cannot be applied is named", func(t *testing.T) {
			b.follow(a)
			b.spoil("INSERT INTO d.t VALUES (2)")
			a.exec("INSERT INTO d.t VALUES (2)")
			waitFor(t, "the applier to stop", func() (bool, string) {
				m := b.observe().MySQL.Channel
				return m.ApplierErrorNumber != 0 && !m.Applying, m.ApplierError
			})
			c.until(count, "2")
			transaction := a.uuid + ":4"
			b.record.Upstream = c.upstream()
			if err := b.tryFollow(5*time.Second, ""); !errors.Is(err, engine.ErrWouldLose) || !strings.Contains(err.Error(), transaction) {
				t.Errorf("following another: %v", err)
			}
			if err := b.e.Promote(b.context(5*time.Second), engine.RoleRecord{Role: engine.RoleSource}, channelAccount); !errors.Is(err, engine.ErrWouldLose) || !strings.Contains(err.Error(), transaction) {
				t.Errorf("promoting: %v", err)
			}
			if did := b.tend(); len(did) > 0 && strings.Contains(strings.Join(did, " "), "applier") {
				t.Errorf("an applier with an error was started: %q", did)
			}
			if got := b.observe().MySQL; !strings.HasSuffix(got.Channel.Retrieved, "4") || !strings.Contains(got.Channel.ApplierError, transaction) {
				t.Errorf("retrieved %s, error %s", got.Channel.Retrieved, got.Channel.ApplierError)
			}
		})
	})
}

// holdTable keeps the applier from the table until the result is called.
func holdTable(t *testing.T, m *member) (release func()) {
	t.Helper()
	db := m.client()
	if _, err := db.ExecContext(t.Context(), "LOCK TABLES d.t READ"); err != nil {
		t.Fatal(err)
	}
	return func() { db.Close() }
}

// spoil writes to a replica what its source does not know.
func (m *member) spoil(statement string) {
	m.t.Helper()
	m.exec("SET GLOBAL super_read_only = OFF")
	m.execOnce("SET SESSION sql_log_bin = 0", statement, "SET GLOBAL super_read_only = ON")
}

// execOnce runs statements in one session.
func (m *member) execOnce(statements ...string) {
	m.t.Helper()
	conn, err := m.client().Conn(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range statements {
		if _, err := conn.ExecContext(m.t.Context(), s); err != nil {
			m.t.Fatalf("%s on %s: %v", s, m.name, err)
		}
	}
}
