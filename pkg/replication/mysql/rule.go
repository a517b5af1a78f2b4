// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"reflect"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// blockedFor is how long too few members can acknowledge before anything is done about
// it: a replica that restarts is not a reason.
const blockedFor = 10 * time.Second

// changeDurability takes the next step from the recorded durability to the one that the
// members allow, and gives the source its rule. A change appends the new entry, has the
// source enforce it and read it back, and drops the old ones once enough members hold
// what the source had after that. done means that nothing else is decided before.
func (d *decision) changeDurability() (done bool) {
	s, list := d.source, d.Recorded.Durability
	if len(list) == 0 {
		d.record([]v1alpha1.ReplicationDurabilityEntry{d.entry(topology.Rule{})}, "", "")
		return true
	}
	if !reflect.DeepEqual(d.mem.SettledUnder, list) {
		d.unsettle()
		d.mem.SettledUnder = list
	}
	last := list[len(list)-1]
	if d.broken(last) {
		semi := s.Server.SemiSync
		next := []v1alpha1.ReplicationDurabilityEntry{d.entry(topology.Rule{})}
		to := d.Recorded.Clone()
		to.Durability = next
		d.warn(topology.ChangeDurability, to, EventDurabilityRevoked,
			"%s acknowledged commits that no replica has (%d so far; semi-synchronous replication is %s): no failover is made before enough replicas hold what it has now",
			s.Name, semi.Unacknowledged, onOff(semi.Active))
		d.unsettle()
		return true
	}
	want := d.rule()
	switch {
	case last.Source != s.Seen.ServerID || !topology.RuleOf(last).Equal(want):
		next := d.promising(d.entry(want))
		if len(next) > 16 {
			// Members come and go faster than the source's transactions reach them.
			return false
		}
		d.record(next, EventDurabilityChanged, describeRule(want))
		d.unsettle()
		return true
	case !d.enforced(want):
		d.unsettle()
		kind := topology.StepPromote
		var asked bool
		if want.W == 0 && s.open() && s.Server.SemiSync.Waiting > 0 {
			// To switch the wait off would acknowledge those commits.
			kind = topology.StepDemote
			asked = d.step(s, topology.Step{Kind: kind, Why: "commits wait for an acknowledgement, and those to come are not to"})
		} else {
			asked = d.promoteSource(want)
		}
		if !asked {
			d.notInForce = "that " + describeRule(want) + " is recorded for " + s.Name + " and not in force, for its agent refuses to " + strings.ToLower(string(kind)) + " it: " + d.whyNot(s, kind)
		}
		return asked
	}
	d.settle(list)
	if len(list) > 1 && d.held(last) {
		d.record(list[len(list)-1:], "", "")
		return true
	}
	if len(list) > 1 {
		d.requeue(time.Second)
	}
	return false
}

// promising is the list with what the source promises next.
func (d *decision) promising(next v1alpha1.ReplicationDurabilityEntry) []v1alpha1.ReplicationDurabilityEntry {
	return topology.Promising(d.Recorded.Durability, next)
}

// unsettle forgets what was seen of a rule: it is not in force, or another one is to be.
func (d *decision) unsettle() { d.mem.Settled, d.mem.Logged = time.Time{}, nil }

// settle remembers when the rule was seen in force with nobody left who acknowledges and
// is not in it, and what the source had logged after that. What it logs from then on is
// acknowledged by the rule's members only.
func (d *decision) settle(list []v1alpha1.ReplicationDurabilityEntry) {
	if d.mem.Settled.IsZero() {
		if d.departed(list) {
			d.mem.Settled = d.Now
		}
		return
	}
	if !d.source.Seen.At.After(d.mem.Settled) {
		return
	}
	now := d.source.Server.logged()
	if before, ok := d.mem.Logged.(gtid.Set); ok {
		// A transaction that was in the binary log of a server that crashed may be gone.
		now = now.Intersect(before)
	}
	d.mem.Logged = now
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// record a list of entries.
func (d *decision) record(list []v1alpha1.ReplicationDurabilityEntry, reason, message string) {
	to := d.Recorded.Clone()
	to.Durability = list
	d.change(topology.ChangeDurability, to, reason, "%s", message)
}

// entry for the source's server and a rule.
func (d *decision) entry(r topology.Rule) v1alpha1.ReplicationDurabilityEntry {
	return v1alpha1.ReplicationDurabilityEntry{
		Source: d.source.Seen.ServerID, W: r.W, Members: r.Members, Unacknowledged: d.source.Server.SemiSync.Unacknowledged,
	}
}

// broken: the source let commits through, or has stopped to wait for anybody, while the
// entry promised otherwise. The count of a server that was started again begins at 0.
func (d *decision) broken(last v1alpha1.ReplicationDurabilityEntry) bool {
	s := d.source
	semi := s.Server.SemiSync
	r := d.ours(s)
	if last.W == 0 || last.Source != s.Seen.ServerID || r == nil || r.Rule.W == 0 {
		return false
	}
	counted := semi.Unacknowledged != 0 && semi.Unacknowledged != last.Unacknowledged
	return counted || s.open() && !semi.Active
}

// enforced: the source's agent has recorded the rule, and its server has it in force.
func (d *decision) enforced(want topology.Rule) bool {
	r, semi := d.ours(d.source), d.source.Server.SemiSync
	if r == nil || r.Role != topology.RoleSource || !r.Rule.Equal(want) {
		return false
	}
	if want.W == 0 {
		return !semi.Enabled
	}
	return semi.Enabled && semi.WaitFor == want.W
}

// held: enough of an entry's members hold what the source had logged when its rule was in
// force.
func (d *decision) held(e v1alpha1.ReplicationDurabilityEntry) bool {
	logged, ok := d.mem.Logged.(gtid.Set)
	if !ok {
		return false
	}
	var n int32
	for i := range d.Members {
		m := &d.Members[i]
		if m.answers() && (topology.Voters{m.Name: m.Seen.ServerID}).In(e) && d.keeps(m).Contains(logged) {
			n++
		}
	}
	return n >= e.W
}

// keeps is what the member holds for good. What it received of another one than the
// source, and has not applied, it drops when it is told to follow the source, for the
// source has it.
func (d *decision) keeps(m *Member) gtid.Set {
	if c := m.Server.Channel; c != nil && c.Host == d.source.Host && c.Port == d.source.Port {
		return m.holds()
	}
	return m.Server.Executed
}

// departed: the members of the entries before the last that are not in the last can
// acknowledge nothing any more.
func (d *decision) departed(list []v1alpha1.ReplicationDurabilityEntry) bool {
	last := topology.RuleOf(list[len(list)-1])
	for _, e := range list[:len(list)-1] {
		for _, was := range e.Members {
			if last.Has(was.Name) || was.Name == d.source.Name {
				continue
			}
			m := d.member(was.Name)
			if m == nil || was.UnitUID != "" && m.UnitUID != was.UnitUID {
				continue
			}
			if m.answers() && was.ServerUUID != "" && m.Seen.ServerID != was.ServerUUID {
				continue
			}
			if !d.silent(m) {
				return false
			}
		}
	}
	return true
}

// rule that the present members allow: those that it had stay in it as long as they are
// wanted, whether they answer or not, so that it never degrades by itself; others come in
// once they have caught up.
func (d *decision) rule() topology.Rule {
	if !d.Request.Sync {
		return topology.Rule{}
	}
	var last topology.Rule
	if n := len(d.Recorded.Durability); n > 0 && d.source != nil {
		// After a transition it is the new source's entry; of a source whose server is
		// another now, the members are judged again.
		last = topology.RuleOf(d.Recorded.Durability[n-1])
	}
	var r topology.Rule
	able := 0
	for i := range d.Members {
		m := &d.Members[i]
		if d.isSource(m) || !d.counts(m, last) {
			continue
		}
		entry := v1alpha1.DurabilityMember{Name: m.Name, UnitUID: m.UnitUID}
		if was, ok := last.Member(m.Name); ok {
			entry = was
		}
		if m.answers() {
			entry.ServerUUID = m.Seen.ServerID
			if m.receiving() {
				able++
			}
		}
		r.Members = append(r.Members, entry)
	}
	if len(r.Members) == 0 && last.W > 0 && d.wantsMembers() {
		// Nobody that is left can acknowledge: that is no reason not to wait for it.
		r = last
	} else {
		r.W = d.Request.Durability.Waits(len(r.Members))
	}
	if d.Request.Durability.Preferred && d.unacknowledged(able, int(r.W), last.W) {
		return topology.Rule{}
	}
	return r
}

// unacknowledged: with the policy Preferred the source continues without waiting once too
// few members have been able for a while, and waits again as soon as enough are.
func (d *decision) unacknowledged(able, w int, lastW int32) bool {
	if able >= w {
		return false
	}
	if lastW == 0 {
		return true
	}
	return !d.mem.BlockedSince.IsZero() && d.Now.Sub(d.mem.BlockedSince) >= blockedFor
}

// counts: the member belongs to the rule.
func (d *decision) counts(m *Member, last topology.Rule) bool {
	if !m.staysMember() || d.errantOf(m) {
		return false
	}
	was, in := last.Member(m.Name)
	if in && was.UnitUID != "" && was.UnitUID != m.UnitUID {
		in = false
	}
	if !m.answers() {
		return in
	}
	if in {
		// One with another server, whose data was lost, stays by its name: what the one
		// before acknowledged is in the entry before, until the new one has it all.
		return d.of(m).empty || !d.needsCopy(m)
	}
	// It comes in once it has what the source had at the last look.
	return d.follows(m) && m.receiving() && d.of(m).received && !d.needsCopy(m)
}

// describeRule for people.
func describeRule(r topology.Rule) string {
	if r.W == 0 {
		return "commits wait for nobody"
	}
	return "commits wait for " + count(int(r.W)) + " of " + names(r)
}
