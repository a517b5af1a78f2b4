// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
)

// promotedTo is the record of a source whose promotion begins a timeline.
func promotedTo(timeline int64) engine.RoleRecord {
	record := asSource(engine.DurabilityAsync, 0)
	record.Timeline, record.Slots = timeline, []string{"set-a", "set-b", "set-c"}
	return record
}

// A source is started as a standby while its promotion has not come about, and numbers that
// were passed over do not keep it from starting.
func TestInterruptedPromotionOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		a, b, _ := set(t, box)
		b.streaming(a)
		a.stop(engine.StopRestart)
		if err := b.e.StopReceiver(b.ctx()); err != nil {
			t.Fatal(err)
		}
		// Its agent had recorded the role, made the files and asked for it when the server ended.
		b.e.promoting = promotion{5, b.value("SELECT pg_postmaster_start_time()::text")}
		if err := b.e.reserveTimelines(b.ctx(), 5); err != nil {
			t.Fatal(err)
		}
		b.kill()
		b.onTimeline(1)
		b.start(promotedTo(5))
		if !b.observe().PostgreSQL.InRecovery {
			t.Fatal("it is a primary")
		}
		b.eventually("it is not promoted", func() bool { return b.e.Promote(b.ctx(), b.record, channelAccount) == nil })
		b.onTimeline(1, 5)
		// As a primary it stays on the timeline, also after a crash and when another one is asked for.
		b.kill()
		b.onTimeline(1, 5)
		b.start(promotedTo(9))
		b.promote(promotedTo(9))
		b.onTimeline(1, 5)
		// Nobody archives what stands for a number, and nothing keeps the archiver from going on.
		for _, status := range []string{".ready", ".done"} {
			if _, err := os.Stat(filepath.Join(b.env.DataDir(), "pg_wal", "archive_status", historyName(4)+status)); err == nil {
				t.Errorf("there is %s", status)
			}
		}
	})
}

// A standby begins to replay a timeline within moments of receiving it: what is received may
// be of a later timeline than it replays. The files are those that its receiver would write.
func TestReceivedOfALaterTimelineOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		a, _, c := set(t, box)
		c.sql("SELECT pg_wal_replay_pause()")
		a.sql("INSERT INTO t VALUES (2)")
		c.eventually("nothing is received and not replayed", func() bool {
			pg := c.observe().PostgreSQL
			return pg.ReceivedLSN == a.observe().PostgreSQL.WriteLSN && pg.ReceivedLSN != pg.ReplayedLSN
		})
		received := wal.MustParseLSN(c.observe().PostgreSQL.ReceivedLSN)
		replayed := wal.MustParseLSN(c.observe().PostgreSQL.ReplayedLSN)
		segments, err := wal.SegmentsOf(16 << 20)
		if err != nil {
			t.Fatal(err)
		}
		write := func(name, content string) {
			if err := os.WriteFile(filepath.Join(c.env.DataDir(), "pg_wal", name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		begunAt := func(at wal.LSN) string { return "1\t" + at.String() + "\tno recovery target specified\n" }
		for _, step := range []struct {
			name, file, content string
			want                []wal.Timeline
		}{
			{"a number that stands for no timeline", historyName(2), reserved, []wal.Timeline{1}},
			{"a history that was fetched and nothing more", historyName(3), begunAt(replayed), []wal.Timeline{1}},
			{"what is received is of the timeline that was begun", segments.Name(3, received-1), "", []wal.Timeline{1, 3}},
			{"and not of one that was begun before what is replayed", historyName(3), begunAt(replayed - 1), []wal.Timeline{1}},
		} {
			write(step.file, step.content)
			if diff := cmp.Diff(step.want, c.timelines()); diff != "" {
				t.Errorf("%s: %s", step.name, diff)
			}
		}
	})
}
