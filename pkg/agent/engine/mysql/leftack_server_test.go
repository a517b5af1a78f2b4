// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// What the durability list of a Replication is made for: a server counts the
// acknowledgements of receivers that have left for the commits that wait, when fewer are
// to be waited for as well as when another one acknowledges in their place. Until such a
// commit is answered the server names it among those it is committing.
func TestWhoHasLeftIsCountedForWhatWaitsOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 3)
		a, b, c := all[0], all[1], all[2]
		a.promote(b, c)
		b.follow(a)
		c.follow(a)
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)")
		b.untilTables("1")
		c.untilTables("1")
		waitFor := func(w int, members ...*member) {
			t.Helper()
			a.record.Durability.W, a.record.Durability.Members = w, nil
			for _, m := range members {
				a.record.Durability.Members = append(a.record.Durability.Members, engine.DurabilityMember{Name: m.name, ServerID: m.uuid})
			}
			if err := a.e.SetDurability(a.context(20*time.Second), a.record); err != nil {
				t.Fatal(err)
			}
		}
		done := func(outcome <-chan error) {
			t.Helper()
			select {
			case err := <-outcome:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the client waits still")
			}
		}
		// acknowledgedByB leaves a commit that b alone has acknowledged, and has left since.
		acknowledgedByB := func(i int) <-chan error {
			t.Helper()
			waitFor(2, b, c)
			c.isolate()
			outcome := a.waiting(i)
			b.until("SELECT COUNT(*) FROM d.t WHERE i = "+string(rune('0'+i)), "1")
			b.isolate()
			pending(t, outcome)
			m := a.observe().MySQL
			if committing := m.Committing; committing == "" || !strings.HasPrefix(committing, a.uuid+":") || strings.Contains(m.Executed, committing) {
				t.Errorf("committing %q, executed %s", committing, m.Executed)
			}
			return outcome
		}

		t.Run("when fewer are to be waited for", func(t *testing.T) {
			outcome := acknowledgedByB(1)
			waitFor(1, c)
			done(outcome)
			if got := c.scalar(count); got != "0" {
				t.Errorf("c has %s rows", got)
			}
			if m := a.observe().MySQL; m.Committing != "" || m.SemiSync.Unacknowledged != 0 {
				t.Errorf("committing %q, %d let through", m.Committing, m.SemiSync.Unacknowledged)
			}
		})
		b.follow(a)
		c.follow(a)
		c.until(count, "1")
		t.Run("and when another one takes its place", func(t *testing.T) {
			outcome := acknowledgedByB(2)
			c.follow(a)
			done(outcome)
			if got := b.observe().MySQL.Channel; got.Receiving {
				t.Errorf("b receives: %+v", got)
			}
		})
	})
}
