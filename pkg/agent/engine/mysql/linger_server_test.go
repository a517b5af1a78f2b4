// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// sessionsOfAFormerSourceEnd: a pool that connects between the close of the source a and
// the move of its Service would keep its sessions, each of which answers error 1290 to
// every write.
func sessionsOfAFormerSourceEnd(t *testing.T, a, b *member) {
	closed := func(m *member) {
		t.Helper()
		if err := m.e.Close(m.context(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		m.record = engine.RoleRecord{Role: engine.RoleIsolated}
	}

	waitFor(t, "what is left of the switchover before", func() (bool, string) {
		b.tend()
		return b.e.lingering.due.IsZero(), "sessions are to be ended"
	})
	closed(a)
	late := pooled(t, a.client())
	_, err := late.ExecContext(t.Context(), "INSERT INTO d.t VALUES (-2)")
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) || refused.Number != 1290 {
		t.Fatalf("a write on the closed source: %v", err)
	}
	channel, err := openChannelAccount("tcp", fmt.Sprintf("127.0.0.1:%d", a.port), channelAccount, "")
	if err != nil {
		t.Fatal(err)
	}
	defer channel.Close()
	connected, err := a.e.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	kept := map[string]*sql.Conn{
		"the channels' account": pooled(t, channel),
		"the agent":             pooled(t, connected),
		"a reader of the other": pooled(t, b.client()),
	}
	ends := func(c *sql.Conn, when string) {
		t.Helper()
		waitFor(t, "a client's session to end "+when, func() (bool, string) {
			for _, m := range []*member{a, b} {
				m.tend()
			}
			err := c.PingContext(t.Context())
			return err != nil, "it lives"
		})
	}
	ends(late, "after the close")
	b.promote(a)
	late = pooled(t, a.client())
	a.follow(b)
	ends(late, "after the former source follows")
	for who, c := range kept {
		if err := c.PingContext(t.Context()); err != nil {
			t.Errorf("the session of %s has ended: %v", who, err)
		}
	}
	b.exec("INSERT INTO d.t VALUES (-2)")
	a.until("SELECT COUNT(*) FROM d.t WHERE i = -2", "1")

	closed(b)
	late = pooled(t, b.client())
	b.promote(a)
	for until := time.Now().Add(lingersFor + 100*time.Millisecond); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		b.tend()
	}
	if _, err := late.ExecContext(t.Context(), "INSERT INTO d.t VALUES (-3)"); err != nil {
		t.Errorf("a session on a source that was opened again: %v", err)
	}
}

// pooled is a session of a pool.
func pooled(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
