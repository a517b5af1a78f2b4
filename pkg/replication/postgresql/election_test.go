// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
)

func TestElect(t *testing.T) {
	for _, tc := range []struct {
		name   string
		view   View
		voters string
		force  bool
		want   string
		// why nobody is; empty: somebody is.
		why string
	}{
		{"the first of equals", with(healthy(3), away(0)), "u1 u2", false, "u1", ""},
		{"the one that has more", with(healthy(3), away(0), standbyAt(2, onTwo, written+1)), "u1 u2", false, "u2", ""},
		{"what was received counts, replayed or not", with(healthy(3), away(0), member(2, func(m *Member) { m.Server.Received = written + 1 })), "u1 u2", false, "u2", ""},
		{"what was replayed counts where the receiver began again", with(healthy(3), away(0), member(2, func(m *Member) { m.Server.Received, m.Server.Replayed = written-500, written+1 })), "u1 u2", false, "u2", ""},
		{"the highest priority of equals", with(healthy(3), away(0), member(2, func(m *Member) { m.Priority = 9 })), "u1 u2", false, "u2", ""},
		{"but never less for a priority", with(healthy(3), away(0), member(2, func(m *Member) { m.Priority = 9 }), standbyAt(1, onTwo, written+1)), "u1 u2", false, "u1", ""},
		{"the newer timeline, not the higher position", with(healthy(3), away(0), standbyAt(1, onOne, promoted+9000)), "u1 u2", false, "u2", ""},
		{"nor one of the same number that began elsewhere", with(healthy(3), away(0), standbyAt(1, apart, written+9000)), "u1 u2", false, "u2", ""},
		{"nor a timeline of a higher number from before", with(healthy(3), away(0), standbyAt(1, wal.MustHistory(7, wal.Switch{Timeline: 1, At: promoted - 100}), written+9000)), "u1 u2", false, "u2", ""},
		{"the promoted one's successor, promoted and not recorded yet", with(healthy(3), away(0), standbyAt(1, onThree, written+10)), "u1 u2", false, "u1", ""},
		{"two that were promoted apart from there", with(healthy(3), away(0), standbyAt(1, onThree, written+10),
			standbyAt(2, wal.MustHistory(4, wal.Switch{Timeline: 1, At: promoted}, wal.Switch{Timeline: 2, At: written}), written+10)), "u1 u2", false, "", "none of the members that answer has all"},
		{"nobody has come to the recorded timeline", with(healthy(3), away(0), standbyAt(1, onOne, promoted-10), standbyAt(2, onOne, promoted-5)), "u1 u2", false, "u2", ""},
		{"and a former primary has more than was promoted: what it acknowledged before that is not on the other", with(healthy(3), away(0), standbyAt(1, onOne, promoted+10), standbyAt(2, onOne, promoted-5)), "u1 u2", false, "", "1 more"},
		{"a person accepts the loss of that", with(healthy(3), away(0), standbyAt(1, onOne, promoted+10), standbyAt(2, onOne, promoted-5)), "u1 u2", true, "u2", ""},
		{"one that does not say how far it has WAL does not count", with(healthy(3), away(0), member(1, func(m *Member) { m.Server.Received = wal.None })), "u1 u2", false, "", "1 more"},
		{"an old fork that ends before that timeline begins stops nobody", with(healthy(3), away(0), standbyAt(1, onOne, promoted+200),
			func(v *View) { v.Recorded.Data.Timeline, v.Recorded.Data.BeginLSN = 3, written.String() }, standbyAt(2, onThree, written+10)), "u1 u2", false, "u2", ""},
		{"too few answer", with(healthy(3), away(0), away(2)), "u1", false, "", "1 more of those that acknowledge must"},
		{"who answers and has not voted does not count", with(healthy(3), away(0)), "u1", false, "", "1 more"},
		{"a person accepts that", with(healthy(3), away(0), away(2)), "u1", true, "u1", ""},
		{"enough of five", with(healthy(5), away(0), away(4)), "u1 u2 u3", false, "u1", ""},
		{"too few of five", with(healthy(5), away(0), away(3), away(4)), "u1 u2", false, "", "1 more"},
		{"every entry must hold", with(healthy(4), away(0), away(3), durability(entry(1, "u1", "u2", "u3"), entry(2, "u1", "u2"))), "u1 u2", false, "", "1 more"},
		{"a unit that was made again by the name", with(healthy(3), away(0), member(1, func(m *Member) { m.UnitUID = "new" })), "u1 u2", false, "", "1 more"},
		{"nothing is promised while nobody was waited for", with(healthy(3), away(0), durability(entry(0), entry(1, "u1", "u2"))), "u1 u2", false, "", "nobody but the primary"},
		{"nothing is recorded", with(healthy(3), away(0), durability()), "u1 u2", false, "", "not recorded"},
		{"members share a system identifier: none of them is the former primary", with(healthy(3), away(0), away(2), durability(entry(1, "u1", "u2"))), "u1", false, "", "1 more"},
		{"the former primary crashed and is a standby: it has all it made", with(healthy(3), away(1), standbyAt(0, onTwo, written+50)), "u0 u2", false, "u0", ""},
		{"and has not come to its own timeline", with(healthy(3), away(1), standbyAt(0, onOne, promoted-5)), "u0 u2", false, "", "1 more"},
		{"async: what answers is taken", with(healthy(3), away(0), away(2), durability(entry(0)), func(v *View) { v.Request.Sync = false }), "u1", false, "u1", ""},
		{"async, while the data was replaced", with(healthy(3), away(0), durability(), func(v *View) { v.Request.Sync = false }), "u1 u2", false, "", "not recorded"},
		{"the one with most may not, and the other has less", with(healthy(3), away(0), standbyAt(2, onTwo, written+1), member(2, func(m *Member) { m.Priority = 0 })), "u1 u2", false, "", "u2: its priority is 0"},
		{"the one with most may not, and another has the same", with(healthy(3), away(0), member(1, func(m *Member) { m.Isolated = true })), "u1 u2", false, "u2", ""},
		{"one whose data is being replaced", with(healthy(3), away(0), member(1, func(m *Member) { m.Seen.Busy = "rewind" })), "u1 u2", false, "u2", ""},
		{"one that is a primary already", with(healthy(3), away(0), primaryAt(1, onThree, written+900)), "u1 u2", false, "u2", ""},
		{"one that is to be removed", with(healthy(3), away(0), member(1, func(m *Member) { m.Evacuate = v1alpha1.EvacuationRemove })), "u1 u2", false, "u2", ""},
		{"one that the others cannot follow comes last", with(healthy(3), away(0), member(1, func(m *Member) { m.Seen.Version = "17.3" })), "u1 u2", false, "u2", ""},
		{"nobody votes", with(healthy(3), away(0)), "", true, "", "none of the members"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.view.Elect(strings.Fields(tc.voters), tc.force)
			if got.To != tc.want || (got.Why == "") != (tc.why == "") || !strings.Contains(got.Why, tc.why) {
				t.Errorf("got %+v, want %q, %q", got, tc.want, tc.why)
			}
			if got.To == "" {
				return
			}
			b, ok := tc.view.Member(got.To).stored()
			if !ok || b.Position() != got.Position {
				t.Errorf("it is at %s, elected with %s", b.Position(), got.Position)
			}
		})
	}
}

func TestRejoin(t *testing.T) {
	for _, tc := range []struct {
		name string
		view View
		want Way
		at   wal.LSN
		why  string
	}{
		{"a standby that streams", healthy(2), WayFollow, written, ""},
		{"one that is behind, on the timeline before", with(healthy(2), standbyAt(1, onOne, promoted-1)), WayFollow, promoted - 1, ""},
		{"it received more than it replayed, and may receive that again", with(healthy(2), standbyAt(1, onOne, promoted-1), member(1, func(m *Member) { m.Server.Received = promoted + 20 })), WayFollow, promoted - 1, ""},
		{"a former primary that was stopped in time", with(healthy(2), standbyAt(1, onOne, promoted)), WayFollow, promoted, ""},
		{"one that runs still, and has nothing more", with(healthy(2), primaryAt(1, onOne, promoted)), WayFollow, promoted, "nothing that the primary has not"},
		{"a former primary that wrote on", with(healthy(2), primaryAt(1, onOne, promoted+500)), WayRewind, promoted, "has the same up to 0/3E8 of timeline 1"},
		{"as a standby", with(healthy(2), standbyAt(1, onOne, promoted+500)), WayRewind, promoted, ""},
		{"its server logs nothing for pg_rewind", with(healthy(2), standbyAt(1, onOne, promoted+500), member(1, func(m *Member) { m.Server.Hints = false })), WayCopy, promoted, "logs nothing"},
		{"promoted apart to the same number: pg_rewind would do nothing", with(healthy(2), standbyAt(1, apart, written)), WayCopy, promoted - 100, "promoted to timeline 2 apart"},
		{"promoted apart, over the same number to a higher one", with(healthy(2), standbyAt(1, wal.MustHistory(3, wal.Switch{Timeline: 1, At: promoted - 100}, wal.Switch{Timeline: 2, At: promoted}), written)), WayCopy, promoted - 100, "apart"},
		{"promoted before it came to where the primary's timeline begins: pg_rewind would look too late", with(healthy(2), primaryAt(0, wal.MustHistory(3, wal.Switch{Timeline: 1, At: promoted}, wal.Switch{Timeline: 2, At: promoted - 100}), written),
			func(v *View) { v.Recorded.Data.Timeline, v.Recorded.Data.BeginLSN = 3, (promoted - 100).String() }, standbyAt(1, onOne, promoted+500)), WayCopy, promoted - 100, "pg_rewind would not look"},
		{"promoted apart to a higher number", with(healthy(2), standbyAt(1, wal.MustHistory(3, wal.Switch{Timeline: 1, At: promoted - 100}), written)), WayRewind, promoted - 100, ""},
		{"nothing in common", with(healthy(2), standbyAt(1, wal.MustHistory(5), written)), WayCopy, wal.None, "nothing in common"},
		{"no data", with(healthy(2), member(1, func(m *Member) { m.Seen.Pristine = true })), WayCopy, wal.None, "no data"},
		{"another database", with(healthy(2), member(1, func(m *Member) { m.Seen.ServerID = "1" })), WayRefused, wal.None, "database 1"},
		{"another database without data", with(healthy(2), member(1, func(m *Member) { m.Seen.ServerID, m.Seen.Pristine = "1", true })), WayCopy, wal.None, "no data"},
		{"the primary has lost what its standby has", with(healthy(2), standbyAt(1, onTwo, written+10)), WayRefused, written + 10, "the primary has lost it"},
		{"or was asked before", with(healthy(2), standbyAt(1, onTwo, written+10), member(1, func(m *Member) { m.Seen.At = testNow.Add(1) })), WayFollow, written + 10, ""},
		{"it does not answer", with(healthy(2), away(1)), WayWait, wal.None, "does not answer"},
		{"it is stopped: its control file is a lower bound", with(healthy(2), member(1, func(m *Member) {
			m.Seen.Answered = false
			m.Server = &Server{Control: &Control{Timeline: 1, Checkpoint: promoted - 5}}
		})), WayWait, wal.None, "started without an upstream"},
		{"the primary does not answer", with(healthy(2), away(0)), WayWait, wal.None, "the primary does not answer"},
		{"the primary is not promoted yet", with(healthy(2), standbyAt(0, onTwo, written)), WayWait, wal.None, "the primary does not answer"},
		{"the primary is an outdated one", with(healthy(2), primaryAt(0, onOne, promoted+500)), WayWait, wal.None, "the primary does not answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.view.Rejoin("u1")
			if got.Way != tc.want || got.At.LSN != tc.at || !strings.Contains(got.Why, tc.why) {
				t.Errorf("got %+v, want %s at %s, %q", got, tc.want, tc.at, tc.why)
			}
		})
	}
	v := healthy(2)
	if got := v.Rejoin("u0"); got.Way != WayWait {
		t.Errorf("the primary itself: %+v", got)
	}
}
