// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
)

// history of the timeline that a member says to be on.
func (m *member) history() wal.History {
	m.t.Helper()
	var out wal.History
	m.eventually("its history is not known", func() bool {
		pg := m.observe().PostgreSQL
		if !pg.HistoryKnown {
			return false
		}
		timeline := pg.Timeline
		if pg.Control != nil {
			timeline = pg.Control.Timeline
		}
		h, err := wal.ParseHistory(wal.Timeline(timeline), pg.History) //nolint:gosec // A timeline.
		if err != nil {
			m.t.Fatalf("%s: %v", m.name, err)
		}
		out = h
		return true
	})
	return out
}

func (m *member) timelines() (numbers []wal.Timeline) {
	h := m.history()
	for _, s := range h.Past() {
		numbers = append(numbers, s.Timeline)
	}
	return append(numbers, h.Timeline())
}

// onTimeline waits until the member is on it, and demands these ancestors.
func (m *member) onTimeline(want ...wal.Timeline) {
	m.t.Helper()
	var got []wal.Timeline
	m.eventually("it is not on its timeline", func() bool {
		got = m.timelines()
		return got[len(got)-1] == want[len(want)-1]
	})
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("%s: %s", m.name, diff)
	}
}

func TestPromotionToATimelineOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		a, b, c := set(t, box)
		a.onTimeline(1)
		b.onTimeline(1)
		c.stop(engine.StopPodEnd)
		c.onTimeline(1)

		t.Run("a promotion passes over the numbers that others had", func(t *testing.T) {
			a.stop(engine.StopRestart)
			begun := time.Now()
			b.promote(promotedTo(4))
			t.Logf("promoted after %v", time.Since(begun))
			b.onTimeline(1, 4)
			if b.value("SELECT count(*) FROM pg_settings WHERE name = 'summarize_wal' AND setting <> 'on'") != "0" {
				t.Error("WAL is not summarized any more")
			}
			b.sql("INSERT INTO t VALUES (2)")
			var slots []string
			for _, s := range b.observe().PostgreSQL.Slots {
				slots = append(slots, s.Name)
			}
			if diff := cmp.Diff([]string{"unit_member_set_a", "unit_member_set_c"}, slots); diff != "" {
				t.Error(diff)
			}
		})
		t.Run("a standby follows it there, and one that was away does", func(t *testing.T) {
			a.start(asIsolated)
			a.follow(b)
			c.start(asIsolated)
			c.follow(b)
			for _, m := range []*member{a, c} {
				m.streaming(b)
				m.rows("1 2")
				m.onTimeline(1, 4)
				// Its next start has the reserved numbers below the real one.
				m.stop(engine.StopRestart)
				m.onTimeline(1, 4)
				m.start(b.following())
				m.streaming(b)
			}
		})
		t.Run("the same promotion again changes nothing", func(t *testing.T) {
			b.promote(promotedTo(4))
			b.onTimeline(1, 4)
		})
		t.Run("a promotion that does not happen leaves a standby that starts and follows", func(t *testing.T) {
			if err := c.e.StopReceiver(c.ctx()); err != nil {
				t.Fatal(err)
			}
			if err := c.e.reserveTimelines(c.ctx(), 9); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(c.e.historyPath(8)); err != nil {
				t.Fatal(err)
			}
			c.stop(engine.StopRestart)
			c.start(asIsolated)
			c.isolated()
			if err := c.e.reserveTimelines(c.ctx(), 9); err != nil {
				t.Fatal(err)
			}
			// Another one is promoted to a number that was reserved here.
			b.stop(engine.StopRestart)
			a.eventually("it can be isolated", func() bool { return a.e.StopReceiver(a.ctx()) == nil })
			a.promote(promotedTo(6))
			a.sql("INSERT INTO t VALUES (3)")
			c.follow(a)
			c.streaming(a)
			c.rows("1 2 3")
			c.onTimeline(1, 4, 6)
		})
		t.Run("a number that is not above is refused, and the server stays a standby", func(t *testing.T) {
			for _, timeline := range []int64{3, 6, 6 + maxReserved + 2} {
				if err := c.e.Promote(c.ctx(), promotedTo(timeline), channelAccount); err == nil || !strings.Contains(err.Error(), "timeline 6") {
					t.Errorf("timeline %d: %v", timeline, err)
				}
			}
			c.follow(a)
			c.streaming(a)
		})
	})
}
