// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

func TestDurability(t *testing.T) {
	type list = []v1alpha1.ReplicationDurabilityEntry
	// remembered is what was seen of a list: in force, and how far the primary had written then.
	remembered := func(l list) topology.Memory {
		return topology.Memory{SettledUnder: l, Settled: testNow.Add(-time.Minute), Logged: wal.Position{Timeline: 2, LSN: written}}
	}
	two, one, all := list{entry(1, "u1", "u2")}, entry(1, "u1"), entry(2, "u1", "u2", "u3")
	changing := list{two[0], one}
	older := entry(1, "u1", "u2")
	older.Timeline = 1
	for _, tc := range []struct {
		name string
		view View
		want v1alpha1.ReplicationDurabilityEntry
		mem  topology.Memory
		// record, enforce and revoked, as of the step.
		record           string
		enforce, revoked bool
	}{
		{"at rest", healthy(3), two[0], remembered(two), "", false, false},
		{"nothing is recorded: nothing is promised before it is", with(healthy(3), durability()), two[0], topology.Memory{}, "0/", false, false},
		{"nobody was waited for: it is recorded before it is in force", with(healthy(3), durability(entry(0)), inForce(entry(0))), two[0], topology.Memory{}, "0/ 1/u1,u2", false, false},
		{"then it is put in force", with(healthy(3), durability(entry(0), two[0]), inForce(entry(0))), two[0], topology.Memory{}, "", true, false},
		{"a member comes: recorded first", with(healthy(4), durability(two...), inForce(two[0])), all, remembered(two), "1/u1,u2 1/u1,u2,u3 2/u1,u2,u3", false, false},
		{"more are waited for, of as many: the entry before says what holds meanwhile", with(healthy(3)), entry(2, "u1", "u2"), remembered(two), "1/u1,u2 2/u1,u2", false, false},
		{"a member leaves", healthy(3), one, remembered(two), "1/u1,u2 1/u1", false, false},
		{"fewer are waited for: those that waited may be on any of them", with(healthy(4)), one, remembered(list{all}), "2/u1,u2,u3 1/u1,u2,u3 1/u1", false, false},
		{"one takes the place of another", with(healthy(4), durability(entry(2, "u1", "u2")), inForce(entry(2, "u1", "u2"))), entry(2, "u1", "u3"), topology.Memory{}, "2/u1,u2 2/u1,u3,u2 2/u1,u3", false, false},
		{"the server has the setting of before", with(healthy(3), durability(changing...)), one, topology.Memory{}, "", true, false},
		{"its agent has it, and the server not yet", with(healthy(3), durability(changing...), inForce(one), member(0, func(m *Member) { m.Server.Sync = (&View{}).names(topology.RuleOf(two[0])) })), one, topology.Memory{}, "", true, false},
		{"a walsender has not read it yet", with(healthy(3), durability(changing...), inForce(one), member(0, func(m *Member) { m.Server.Standbys[1].Counted, m.Server.Standbys[1].Reloaded = true, false })), one, remembered(changing), "", true, false},
		{"a walsender has not, for one that stays: it may wait for fewer", with(healthy(3), durability(changing...), inForce(one), member(0, func(m *Member) { m.Server.Standbys[0].Reloaded = false })), one, remembered(changing), "", true, false},
		{"a walsender has not, for one that comes", with(healthy(3), durability(one, two[0]), member(0, func(m *Member) { m.Server.Standbys[1].Counted, m.Server.Standbys[1].Reloaded = false, false })), two[0], remembered(list{one, two[0]}), "", true, false},
		{"one that has just connected is not counted yet, which is right", with(healthy(3), durability(one, two[0]), member(0, func(m *Member) { m.Server.Standbys[1] = Standby{Application: "u2", Reloaded: true} })), two[0], remembered(list{one, two[0]}), "1/u1,u2", false, false},
		{"a base backup of a member is not that member", with(healthy(3), member(0, func(m *Member) {
			m.Server.Standbys = append(m.Server.Standbys, Standby{Application: settings.ProvisionName("u2"), Streaming: true, Flushed: written})
		})), two[0], remembered(two), "", false, false},
		{"in force: the first look proves nothing", with(healthy(3), durability(changing...), inForce(one)), one, topology.Memory{}, "", false, false},
		{"enough have what was written then: the entries before go", with(healthy(3), durability(changing...), inForce(one)), one, remembered(changing), "1/u1", false, false},
		{"not yet", with(healthy(3), durability(changing...), inForce(one), standbyAt(1, onTwo, written-1)), one, remembered(changing), "", false, false},
		{"nor on another timeline", with(healthy(3), durability(changing...), inForce(one), standbyAt(1, apart, written+100)), one, remembered(changing), "", false, false},
		{"nor who knows of the timeline only", with(healthy(3), durability(changing...), inForce(one), standbyAt(1, onTwo, promoted-1)), one, remembered(changing), "", false, false},
		{"nor a unit that was made again", with(healthy(3), durability(changing...), inForce(one), member(1, func(m *Member) { m.UnitUID = "new" })), one, remembered(changing), "", false, false},
		{"who is not waited for does not count", with(healthy(3), durability(changing...), inForce(one), away(1)), one, remembered(changing), "", false, false},
		{"another operator has recorded since: nothing is settled", with(healthy(3), durability(changing...), inForce(one)), one, remembered(two), "", false, false},
		{"the predecessor's promises go the same way", with(healthy(3), durability(older, two[0])), two[0], remembered(list{older, two[0]}), "1/u1,u2", false, false},
		{"after a promotion the new primary's is recorded", with(healthy(3), durability(older)), two[0], topology.Memory{}, "1/u1,u2 1/u1,u2", false, false},
		{"to wait for nobody is recorded before", healthy(3), entry(0), remembered(two), "1/u1,u2 0/", false, false},
		{"somebody emptied the setting", with(healthy(3), member(0, func(m *Member) { m.Server.Sync = settings.Sync{} })), two[0], remembered(two), "0/", false, true},
		{"or made it another", with(healthy(3), member(0, func(m *Member) { m.Server.Sync, _ = settings.ParseSync("*") })), two[0], remembered(two), "0/", false, true},
		{"the same in other words is no breach", with(healthy(3), member(0, func(m *Member) { m.Server.Sync, _ = settings.ParseSync(`any 1 (u2, "U1")`) })), two[0], remembered(two), "", false, false},
		{"the primary does not answer", with(healthy(3), away(0)), one, remembered(two), "", false, false},
		{"it is a standby", with(healthy(3), standbyAt(0, onTwo, written)), one, remembered(two), "", false, false},
		{"it is an outdated primary", with(healthy(3), primaryAt(0, onOne, promoted+500)), one, remembered(two), "", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			step, mem := tc.view.Durability(topology.RuleOf(tc.want), tc.mem, testNow)
			if got := texts(step.Record); got != tc.record || step.Enforce != tc.enforce || step.Revoked != tc.revoked {
				t.Errorf("got %q, enforce %v, revoked %v; want %q, %v, %v", got, step.Enforce, step.Revoked, tc.record, tc.enforce, tc.revoked)
			}
			if (step.Enforce || step.Record != nil && step.Record[len(step.Record)-1].W != tc.view.last().W) && (mem.Logged != nil || !mem.Settled.IsZero()) {
				t.Errorf("a change begins, and something is settled: %+v", mem)
			}
		})
	}
}

// last entry.
func (v *View) last() v1alpha1.ReplicationDurabilityEntry {
	if n := len(v.Recorded.Durability); n > 0 {
		return v.Recorded.Durability[n-1]
	}
	return v1alpha1.ReplicationDurabilityEntry{}
}

// A position is remembered by a later look than the one that saw the rule in force.
func TestDurabilityIsSettledByALaterLook(t *testing.T) {
	one := entry(1, "u1")
	v := with(healthy(3), durability(entry(1, "u1", "u2"), one), inForce(one))
	step, mem := v.Durability(topology.RuleOf(one), topology.Memory{}, testNow)
	if step.Record != nil || mem.Settled != testNow || mem.Logged != nil {
		t.Fatalf("the first look: %+v, %+v", step, mem)
	}
	// The same look again is none.
	if step, mem = v.Durability(topology.RuleOf(one), mem, testNow.Add(time.Second)); step.Record != nil || mem.Logged != nil {
		t.Fatalf("the same look again: %+v, %+v", step, mem)
	}
	later := with(v, member(0, func(m *Member) {
		seen := *m.Seen
		seen.At = testNow.Add(time.Second)
		m.Seen = &seen
	}))
	step, mem = later.Durability(topology.RuleOf(one), mem, testNow.Add(time.Second))
	if texts(step.Record) != "1/u1" || mem.Logged != (wal.Position{Timeline: 2, LSN: written}) {
		t.Fatalf("a later look: %+v, %+v", step, mem)
	}
}

// More entries than members can ever need are no reason to record more.
func TestDurabilityDoesNotGrowForEver(t *testing.T) {
	var list []v1alpha1.ReplicationDurabilityEntry
	for range maxEntries {
		list = append(list, entry(1, "u1", "u2"))
	}
	v := with(healthy(3), durability(list...))
	if step, _ := v.Durability(topology.RuleOf(entry(1, "u1")), topology.Memory{}, testNow); step.Record != nil || step.Enforce {
		t.Errorf("got %+v", step)
	}
}
