// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// promise of u0: w of the named members. u2' is another server of u2.
func promise(w int32, names ...string) v1alpha1.ReplicationDurabilityEntry {
	e := v1alpha1.ReplicationDurabilityEntry{Source: uuid(0), W: w}
	for _, n := range names {
		i := int(n[1] - '0')
		m := v1alpha1.DurabilityMember{Name: n[:2], ServerUUID: uuid(i)}
		if len(n) > 2 {
			m.ServerUUID = uuid(10 + i)
		}
		e.Members = append(e.Members, m)
	}
	return e
}

// A server counts the acknowledgements of receivers that have left for the commits that
// waited then.
func TestWhoHasLeftMayHaveAcknowledgedWhatWaited(t *testing.T) {
	type list = []v1alpha1.ReplicationDurabilityEntry
	other := promise(1, "u2", "u3")
	other.Source = uuid(1)
	for name, tc := range map[string]struct {
		before list
		next   v1alpha1.ReplicationDurabilityEntry
		want   list
	}{
		"the count is lowered: a commit may be on one that has left alone": {
			list{promise(2, "u1", "u2", "u3", "u4")}, promise(1, "u1", "u3"),
			list{promise(2, "u1", "u2", "u3", "u4"), promise(1, "u1", "u3", "u2", "u4"), promise(1, "u1", "u3")}},
		"one takes the place of another: a commit may be on these two alone": {
			list{promise(2, "u1", "u2", "u3")}, promise(2, "u1", "u2", "u4"),
			list{promise(2, "u1", "u2", "u3"), promise(2, "u1", "u2", "u4", "u3"), promise(2, "u1", "u2", "u4")}},
		"one leaves and the count stays: the entry before says so": {
			list{promise(1, "u1", "u2")}, promise(1, "u1"),
			list{promise(1, "u1", "u2"), promise(1, "u1")}},
		"one comes: its own entry says so": {
			list{promise(1, "u1", "u2")}, promise(2, "u1", "u2", "u3"),
			list{promise(1, "u1", "u2"), promise(2, "u1", "u2", "u3")}},
		"changes one after the other: all that acknowledged in between": {
			list{promise(1, "u1"), promise(1, "u2", "u1"), promise(1, "u2")}, promise(1, "u3"),
			list{promise(1, "u1"), promise(1, "u2", "u1"), promise(1, "u2"), promise(1, "u3", "u1", "u2"), promise(1, "u3")}},
		"a member with another server now: the one before may have been one of them": {
			list{promise(2, "u1", "u2", "u3")}, promise(2, "u1", "u2'", "u3"),
			list{promise(2, "u1", "u2", "u3"), promise(1, "u1", "u2'", "u3"), promise(2, "u1", "u2'", "u3")}},
		"and is counted once": {
			list{promise(2, "u1", "u2", "u3"), promise(1, "u1", "u2")}, promise(2, "u1", "u2'", "u3"),
			list{promise(2, "u1", "u2", "u3"), promise(1, "u1", "u2"), promise(1, "u1", "u2'", "u3"), promise(2, "u1", "u2'", "u3")}},
		"another source's promises: nobody has acknowledged to this one": {
			list{other}, promise(1, "u4"), list{other, promise(1, "u4")}},
		"nobody is waited for any more: nothing is promised": {
			list{promise(1, "u1", "u2")}, promise(0), list{promise(1, "u1", "u2"), promise(0)}},
		"nobody was waited for": {
			list{promise(0)}, promise(1, "u1"), list{promise(0), promise(1, "u1")}},
	} {
		t.Run(name, func(t *testing.T) {
			d := &decision{View: View{Recorded: topology.Recorded{Durability: tc.before}}}
			if diff := cmp.Diff(tc.want, d.promising(tc.next)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The entries before go when enough of the new members have all that was in the source's
// binary log after the last one of the others had left: a commit that waits was logged
// before, and may count who has left.
func TestPromisesBeforeStayWhileWhatWaitedIsNotElsewhere(t *testing.T) {
	left := func(edits ...edit) View {
		return with(healthy(3), append([]edit{notPromised(2), promisedBefore(2), isolatedAt(2, 7), member(2, func(m *Member) { m.Isolated = true })}, edits...)...)
	}
	later := func(v View, mem topology.Memory, edits ...edit) View {
		v.Memory, v.Now = mem, v.Now.Add(1)
		for i := range v.Members {
			seen := *v.Members[i].Seen
			seen.At = v.Now
			v.Members[i].Seen = &seen
		}
		return with(v, edits...)
	}
	dropped := func(p topology.Plan) bool { return p.Change != nil && p.Change.Kind == topology.ChangeDurability }
	waits := member(0, func(m *Member) { m.Server.Committing = gtids(0, "11"); m.Server.SemiSync.Waiting = 1 })

	if p := Decide(left(waits)); dropped(p) {
		t.Errorf("a commit that waits is on nobody: %s", line(p))
	}
	if p := Decide(left(waits, member(1, func(m *Member) { m.Server.Channel.Retrieved = gtids(0, "1-11") }))); !dropped(p) {
		t.Errorf("it is where it has to be: %s", line(p))
	}

	// The one that has left is silent only now: what was logged before proves nothing.
	fresh := left(unsettled)
	p := Decide(fresh)
	if dropped(p) {
		t.Errorf("by a look at the source before the one that has left was seen silent: %s", line(p))
	}
	if p = Decide(later(fresh, p.Memory)); !dropped(p) {
		t.Errorf("by the look after that: %s", line(p))
	}

	// The source crashed before the transaction was in its binary log for good.
	p = Decide(left(waits))
	if p = Decide(later(left(), p.Memory)); !dropped(p) {
		t.Errorf("what is gone with a crash is waited for: %s", line(p))
	}
	if got := p.Memory.Logged.(gtid.Set).String(); got != gtids(0, "1-10").String() {
		t.Errorf("logged: %s", got)
	}
}
