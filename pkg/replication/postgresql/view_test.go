// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

const (
	testSystem = "7441234567890123456"
	// promoted is where timeline 2 begins, written how far everybody has come.
	promoted, written wal.LSN = 1000, 2000
)

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// onTwo is the history of the recorded promotion, apart that of another one to its number.
var (
	onOne   = wal.MustHistory(1)
	onTwo   = wal.MustHistory(2, wal.Switch{Timeline: 1, At: promoted})
	onThree = wal.MustHistory(3, wal.Switch{Timeline: 1, At: promoted}, wal.Switch{Timeline: 2, At: written})
	apart   = wal.MustHistory(2, wal.Switch{Timeline: 1, At: promoted - 100})
)

// names of members: u0, u1, ...
func unitNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("u%d", i))
	}
	return names
}

// entry of timeline 2: w of members.
func entry(w int32, members ...string) v1alpha1.ReplicationDurabilityEntry {
	e := v1alpha1.ReplicationDurabilityEntry{Source: testSystem, Timeline: 2, W: w}
	for _, m := range members {
		e.Members = append(e.Members, v1alpha1.DurabilityMember{Name: m, UnitUID: types.UID("unit-" + m)})
	}
	return e
}

// healthy is a set of n in rpl_sync on timeline 2, whose primary is u0, for which all
// others stream, and W is half of them.
func healthy(n int) View {
	v := View{
		Now: testNow, LeaseFresh: true,
		Request: topology.Request{UID: "replication", Sync: true, Source: "u0"},
		Recorded: topology.Recorded{
			Source: "u0", Epoch: 7, LastTransition: &v1alpha1.ReplicationTransition{To: "u0", At: metav1.NewTime(testNow.Add(-time.Hour)), Requested: "u0"},
			Data:       v1alpha1.ReplicationData{SystemID: testSystem, Timeline: 2, BeginLSN: promoted.String()},
			Durability: []v1alpha1.ReplicationDurabilityEntry{entry(topology.Durability{}.Waits(n-1), unitNames(n)[1:]...)},
		},
	}
	rule := topology.RuleOf(v.Recorded.Durability[0])
	for i, name := range unitNames(n) {
		pod := types.UID("pod-" + name)
		m := Member{
			Member: topology.Member{Name: name, UnitUID: types.UID("unit-" + name), Host: name, Port: 5432, Priority: 1, Owned: true, HadData: true, PodUID: pod, PodReady: true},
			Seen: &topology.Observed{
				At: testNow, PodUID: pod, Epoch: 7, Answered: true, ReadOnly: i > 0, ServerID: testSystem, Version: "17.2",
				Record: &topology.Record{Replication: "replication", Epoch: 7, Role: topology.RoleReplica},
			},
			Server: &Server{History: onTwo, Hints: true},
		}
		if i == 0 {
			m.Seen.Record.Role, m.Seen.Record.Rule, m.Seen.Record.Open = topology.RoleSource, rule, true
			m.Server.Primary, m.Server.Written = true, written
			m.Server.Sync = v.names(rule)
			for _, other := range unitNames(n)[1:] {
				m.Server.Standbys = append(m.Server.Standbys, Standby{Application: other, Streaming: true, Counted: true, Reloaded: true, Flushed: written})
				m.Server.Slots = append(m.Server.Slots, Slot{Name: settings.SlotName(other), Active: true})
			}
		} else {
			m.Server.Received, m.Server.Replayed = written, written
			m.Server.Receiver = &Receiver{Host: "u0", Port: 5432}
			m.Seen.Record.Upstream = topology.Upstream{Name: "u0", Host: "u0", Port: 5432, ServerID: testSystem}
		}
		v.Members = append(v.Members, m)
		v.Recorded.Members = append(v.Recorded.Members, v1alpha1.ReplicationMemberStatus{Name: name, UnitUID: m.UnitUID, PodUID: pod, ServerID: testSystem})
	}
	return v
}

type edit func(v *View)

func with(v View, edits ...edit) View {
	for _, e := range edits {
		e(&v)
	}
	return v
}

func member(i int, e func(m *Member)) edit { return func(v *View) { e(&v.Members[i]) } }

// away: its agent does not answer, and no kubelet speaks for it.
func away(i int) edit {
	return member(i, func(m *Member) { m.Seen, m.Server, m.Trouble, m.PodReady = nil, nil, "no answer", false })
}

// standbyAt has received and replayed up to a position of a history.
func standbyAt(i int, h wal.History, at wal.LSN) edit {
	return member(i, func(m *Member) {
		m.Seen.Answered, m.Seen.ReadOnly = true, true
		m.Server = &Server{History: h, Received: at, Replayed: at, Hints: true}
	})
}

// primaryAt has written up to a position of a history.
func primaryAt(i int, h wal.History, at wal.LSN) edit {
	return member(i, func(m *Member) {
		m.Seen.Answered, m.Seen.ReadOnly = true, false
		m.Server = &Server{Primary: true, History: h, Written: at, Hints: true}
	})
}

func durability(list ...v1alpha1.ReplicationDurabilityEntry) edit {
	return func(v *View) { v.Recorded.Durability = list }
}

// inForce is what the primary has recorded and in force.
func inForce(e v1alpha1.ReplicationDurabilityEntry) edit {
	return func(v *View) {
		s := v.Members[0]
		if s.Seen == nil {
			return
		}
		record := *s.Seen.Record
		record.Rule = topology.RuleOf(e)
		s.Seen.Record = &record
		s.Server.Sync = v.names(record.Rule)
		for i := range s.Server.Standbys {
			s.Server.Standbys[i].Counted = s.Server.Sync.Has(s.Server.Standbys[i].Application)
		}
	}
}

// texts of entries: 1/u1,u2.
func texts(list []v1alpha1.ReplicationDurabilityEntry) string {
	var out []string
	for _, e := range list {
		var names []string
		for _, m := range e.Members {
			names = append(names, m.Name)
		}
		out = append(out, fmt.Sprintf("%d/%s", e.W, strings.Join(names, ",")))
	}
	return strings.Join(out, " ")
}

func TestStanding(t *testing.T) {
	for _, tc := range []struct {
		name string
		view View
		want Standing
	}{
		{"it streams", healthy(2), StandingCurrent},
		{"it does not answer", with(healthy(2), away(1)), StandingUnknown},
		{"it has replayed all it had and received nothing yet", with(healthy(2), member(1, func(m *Member) { m.Server.Received = wal.None })), StandingUnknown},
		{"its server is stopped", with(healthy(2), member(1, func(m *Member) {
			m.Seen.Answered = false
			m.Server = &Server{Control: &Control{ShutDown: true, Timeline: 2, Checkpoint: written}}
		})), StandingUnknown},
		{"its agent does not say its history", with(healthy(2), member(1, func(m *Member) { m.Server.History = wal.History{} })), StandingUnknown},
		{"behind, on the timeline before", with(healthy(2), standbyAt(1, onOne, promoted-1)), StandingBefore},
		{"exactly where the promotion was", with(healthy(2), standbyAt(1, onOne, promoted)), StandingBefore},
		{"one that wrote on", with(healthy(2), standbyAt(1, onOne, promoted+1)), StandingBeyond},
		{"it knows of the timeline, and has not come to it", with(healthy(2), standbyAt(1, onTwo, promoted-1)), StandingBefore},
		{"promoted elsewhere to the same number", with(healthy(2), standbyAt(1, apart, written)), StandingApart},
		{"promoted since", with(healthy(2), standbyAt(1, onThree, written+500)), StandingCurrent},
		{"a higher number that does not come from the recorded one", with(healthy(2), standbyAt(1, wal.MustHistory(3, wal.Switch{Timeline: 1, At: promoted - 200}), promoted-100)), StandingBeyond},
		{"another database", with(healthy(2), member(1, func(m *Member) { m.Seen.ServerID = "1" })), StandingForeign},
		{"nothing is recorded yet", with(healthy(2), standbyAt(1, apart, written), func(v *View) { v.Recorded.Data.Timeline, v.Recorded.Data.BeginLSN = 0, "" }), StandingCurrent},
		{"the first timeline is recorded", with(healthy(2), standbyAt(1, onOne, written), func(v *View) { v.Recorded.Data.Timeline, v.Recorded.Data.BeginLSN = 1, "" }), StandingCurrent},
		{"what is recorded cannot be read", with(healthy(2), func(v *View) { v.Recorded.Data.BeginLSN = "" }), StandingUnknown},
		{"or is no timeline", with(healthy(2), func(v *View) { v.Recorded.Data.Timeline = -1 }), StandingUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.view.Standing(&tc.view.Members[1]); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestSlots(t *testing.T) {
	for _, tc := range []struct {
		name         string
		view         View
		create, drop string
	}{
		{"at rest", healthy(3), "", ""},
		{"a member comes", with(healthy(3), member(0, func(m *Member) { m.Server.Slots = m.Server.Slots[:1] })), "unit_member_u2", ""},
		{"one leaves, and counts still", with(healthy(3), member(2, func(m *Member) { m.Leaving = true })), "", ""},
		{"one has left, and its slot is in use", with(healthy(3), durability(entry(1, "u1")), member(2, func(m *Member) { m.Leaving = true })), "", ""},
		{"nobody uses it", with(healthy(3), durability(entry(1, "u1")), member(2, func(m *Member) { m.Leaving = true }), member(0, func(m *Member) { m.Server.Slots[1].Active = false })), "", "unit_member_u2"},
		{"one is isolated and may come back", with(healthy(3), durability(entry(1, "u1")), member(2, func(m *Member) { m.Isolated = true }), member(0, func(m *Member) { m.Server.Slots[1].Active = false })), "", ""},
		{"of one that is gone from the spec", with(healthy(2), member(0, func(m *Member) { m.Server.Slots = append(m.Server.Slots, Slot{Name: settings.SlotName("u7")}) })), "", "unit_member_u7"},
		{"of backups and of people", with(healthy(2), member(0, func(m *Member) {
			m.Server.Slots = append(m.Server.Slots, Slot{Name: "unit_agent_wal_0"}, Slot{Name: "theirs", Lost: true}, Slot{Name: "unit_member_x", Logical: true})
		})), "", ""},
		{"one that has lost WAL is made again after it was dropped", with(healthy(2), member(0, func(m *Member) { m.Server.Slots[0].Lost, m.Server.Slots[0].Active = true, false })), "", "unit_member_u1"},
		{"the primary does not answer", with(healthy(3), away(0)), "", ""},
		{"the recorded primary is a standby", with(healthy(3), standbyAt(0, onTwo, written)), "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			create, drop := tc.view.Slots()
			if got, gone := strings.Join(create, " "), strings.Join(drop, " "); got != tc.create || gone != tc.drop {
				t.Errorf("got %q and %q, want %q and %q", got, gone, tc.create, tc.drop)
			}
		})
	}
}

func TestMayOpen(t *testing.T) {
	operation := func(phase, from, to string) edit {
		return func(v *View) {
			v.Recorded.Operation = &v1alpha1.ReplicationOperation{Type: v1alpha1.OperationFailover, Phase: phase, From: from, To: to}
		}
	}
	for _, tc := range []struct {
		name, of string
		view     View
		// why it must not; empty: it may.
		why string
	}{
		{"the recorded primary", "u0", healthy(3), ""},
		{"a standby", "u1", healthy(3), "the recorded primary is u0"},
		{"a former primary that comes back first", "u1", with(healthy(3), away(0), away(2), primaryAt(1, onOne, promoted+500)), "the recorded primary is u0"},
		{"the recorded one, with the data of a timeline that was given up", "u0", with(healthy(3), primaryAt(0, onOne, promoted+500)), "does not continue"},
		{"and of one of the same number", "u0", with(healthy(3), primaryAt(0, apart, written)), "does not continue"},
		{"the recorded one with a volume from before the promotion", "u0", with(healthy(3), primaryAt(0, onOne, promoted-1)), "does not continue"},
		{"one that is being promoted has not come to that timeline", "u1", with(healthy(3), standbyAt(1, onOne, promoted-1), func(v *View) { v.Recorded.Source = "u1" }, away(0), operation(topology.PhaseOpening, "u0", "u1")), ""},
		{"one that is being replaced", "u0", with(healthy(3), operation(topology.PhaseFencing, "u0", "")), "is being replaced"},
		{"or prepares for it", "u0", with(healthy(3), operation(topology.PhasePreparing, "u0", "u1")), "is being replaced"},
		{"another primary runs", "u0", with(healthy(3), primaryAt(2, onThree, written)), "u2 is a primary as well"},
		{"another database", "u0", with(healthy(3), member(0, func(m *Member) { m.Seen.ServerID = "1" })), "another database"},
		{"its data is being replaced", "u0", with(healthy(3), member(0, func(m *Member) { m.Seen.Busy = "restore" })), "is being replaced"},
		{"it does not answer", "u0", with(healthy(3), away(0)), "does not answer"},
		{"no member", "u9", healthy(3), "does not answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.view.MayOpen(tc.of); (got == "") != (tc.why == "") || !strings.Contains(got, tc.why) {
				t.Errorf("got %q, want %q", got, tc.why)
			}
		})
	}
}
