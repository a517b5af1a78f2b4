// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// blockedFor is how long too few members can acknowledge before anything is done about
// it: a standby that restarts is not a reason.
const blockedFor = 10 * time.Second

// wanted is the rule that the present members allow: those that it had stay in it as long
// as they are wanted, whether they answer or not, so that it never degrades by itself;
// others come in once they have caught up.
func (d *decision) wanted() topology.Rule {
	if !d.Request.Sync {
		return topology.Rule{}
	}
	last := d.recordedRule()
	var r topology.Rule
	able := 0
	for i := range d.Members {
		m := &d.Members[i]
		if d.isSource(m) || !d.acknowledges(m, last) {
			continue
		}
		r.Members = append(r.Members, durabilityMember(m))
		if m.receiving() || d.source.streamsTo(m) {
			able++
		}
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

// unacknowledged: with the policy Preferred the primary continues without waiting once too
// few members have been able for a while, and waits again as soon as enough are.
func (d *decision) unacknowledged(able, w int, lastW int32) bool {
	if able >= w {
		return false
	}
	return lastW == 0 || !d.mem.BlockedSince.IsZero() && d.Now.Sub(d.mem.BlockedSince) >= blockedFor
}

// acknowledges: the member belongs to the rule.
func (d *decision) acknowledges(m *Member, last topology.Rule) bool {
	if !m.stays() {
		return false
	}
	was, in := last.Member(m.Name)
	in = in && sameUnit(was, m)
	if way := d.Rejoin(m.Name).Way; way != WayFollow && way != WayWait {
		return false
	}
	if !m.answers() {
		return in
	}
	// It comes in once it has what the primary had at the last look.
	return in || d.inForce(m) && d.source.streamsTo(m) && d.caughtUp(m)
}

// describeRule for people.
func describeRule(r topology.Rule) string {
	if r.W == 0 {
		return "commits wait for nobody"
	}
	return "commits wait for " + count(int(r.W)) + " of " + names(r)
}
