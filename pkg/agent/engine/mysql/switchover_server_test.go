// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// A busy source always has commits under way: it is closed without being killed, and
// its successor has all that it acknowledged.
func TestCloseUnderLoadOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 2)
		a, b := all[0], all[1]
		a.promote(b)
		b.follow(a)
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)")

		const writers = 6
		var wg sync.WaitGroup
		acknowledged := make([][]int, writers)
		for w := range writers {
			db := a.client()
			wg.Go(func() {
				for n := 0; ; n++ {
					i := n*writers + w
					if _, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO d.t VALUES (%d)", i)); err != nil {
						return
					}
					acknowledged[w] = append(acknowledged[w], i)
				}
			})
		}
		a.until("SELECT COUNT(*) > 50 FROM d.t", "1")
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := a.e.Close(ctx); err != nil {
			t.Fatalf("closing a busy source: %v", err)
		}
		took := time.Since(begun)
		wg.Wait()
		executed := a.observe().MySQL.Executed
		b.until("SELECT GTID_SUBSET("+literal(executed)+", @@global.gtid_executed)", "1")
		b.promote(a)
		a.follow(b)
		var rows int
		for _, writer := range acknowledged {
			rows += len(writer)
			for _, i := range writer {
				if got := b.scalar(fmt.Sprintf("SELECT COUNT(*) FROM d.t WHERE i = %d", i)); got != "1" {
					t.Errorf("row %d was acknowledged and is lost", i)
				}
			}
		}
		t.Logf("closed within %v, %d rows acknowledged", took, rows)

		t.Run("sessions that clients open on a former source end", func(t *testing.T) { sessionsOfAFormerSourceEnd(t, b, a) })
		t.Run("what was received in half holds up", func(t *testing.T) { halfReceived(t, a, b) })
		a, b = b, a

		t.Run("a channel's changed password reaches its receiver", func(t *testing.T) {
			before := channelAccount
			defer func() { channelAccount = before }()
			channelAccount.Password = "another-password-of-32-character"
			b.open()
			b.restart()
			b.open()
			waitFor(t, "the receiver to be refused", func() (bool, string) {
				c := a.observe().MySQL.Channel
				return c.ReceiverErrorNumber == errAccessDenied, c.ReceiverError
			})
			containsWords(t, a.tend(), "started the receiver")
			waitFor(t, "the receiver to be connected", func() (bool, string) {
				c := a.observe().MySQL.Channel
				return c.Receiving, c.ReceiverError
			})
			b.exec("INSERT INTO d.t VALUES (-1)")
			a.until("SELECT COUNT(*) FROM d.t WHERE i = -1", "1")
		})
	})
}
