// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// closeStrays closes whoever is, or may become, a second source: a member other than
// the recorded one that takes writes, or whose agent would open it. spare is left alone.
// It reports whether there is anything to do for it.
func (d *decision) closeStrays(spare *Member) bool {
	open := 0
	for i := range d.Members {
		if d.Members[i].open() {
			open++
		}
	}
	begun := false
	for i := range d.Members {
		m := &d.Members[i]
		if d.isSource(m) || m == spare || !d.stray(m) {
			continue
		}
		if open > 1 {
			d.state(SplitBrain, ReasonSplitBrain, "%s takes writes and is not the source, %s is: it is being closed", m.Name, d.Recorded.Source)
		}
		if d.step(m, topology.Step{Kind: topology.StepDemote, Why: "it is not the source"}) {
			begun = true
		}
	}
	return begun
}

// stray: it is no source, and takes writes or would.
func (d *decision) stray(m *Member) bool {
	if !m.reachable() {
		return false
	}
	r := m.Seen.Record
	return m.open() || r != nil && r.Role == topology.RoleSource
}

// giveRecordedRoles gives pods that have no role yet the one that is recorded.
func (d *decision) giveRecordedRoles() {
	s := d.source
	if s == nil {
		return
	}
	for i := range d.Members {
		m := &d.Members[i]
		if !m.reachable() || d.lost(m) {
			continue
		}
		if m == s && d.waitsToOpen() {
			d.requeue(workInterval)
			if d.mayOpen(s, d.recordedRule()) {
				d.promoteSource(d.recordedRule())
			}
			continue
		}
		if m.Seen.Record != nil {
			continue
		}
		switch {
		case m == s:
			if d.recordSourcePod(s) {
				return
			}
			d.promoteSource(d.recordedRule())
		case d.Recorded.Data.Replacement != nil:
			// Nobody follows a source whose data may be replaced.
		case !m.Isolated && !m.Leaving && s.answers() && m.answers() && !d.needsCopy(m) && !d.errantOf(m):
			d.step(m, d.follow(m))
		}
	}
}

// waitsToOpen: its agent has recorded that it is the source, closed until enough members
// can acknowledge. Nothing else opens it while the replication is paused.
func (d *decision) waitsToOpen() bool {
	r := d.ours(d.source)
	return r != nil && r.Role == topology.RoleSource && !r.Open && d.source.answers() && !d.source.Seen.Held(topology.HoldFence)
}

// recordedRule is that of the last entry, if it is about the source's server.
func (d *decision) recordedRule() topology.Rule {
	if n := len(d.Recorded.Durability); n > 0 && d.source.reachable() && d.Recorded.Durability[n-1].Source == d.source.Seen.ServerID {
		return topology.RuleOf(d.Recorded.Durability[n-1])
	}
	return topology.Rule{}
}

// recordSourcePod records in which pod the source gets its role, before it gets it: the
// end of that pod is what proves later that it acknowledges nothing.
func (d *decision) recordSourcePod(s *Member) bool {
	r, replaced := d.Recorded.Member(s.Name), d.replaced(s)
	if s.PodUID == "" || r != nil && r.PodUID == s.PodUID && (!s.answers() || replaced || r.ServerID == s.Seen.ServerID) {
		return false
	}
	to := d.Recorded.Clone()
	setPod(&to, s)
	if replaced {
		// Which server it had before is what the replacement is judged by.
		to.Member(s.Name).ServerID = r.ServerID
	}
	d.change(topology.ChangeSourcePod, to, "", "")
	return true
}

// setPod of the source in a record.
func setPod(to *topology.Recorded, s *Member) {
	m := to.Member(s.Name)
	if m == nil {
		to.Members = append(to.Members, v1alpha1.ReplicationMemberStatus{Name: s.Name})
		m = &to.Members[len(to.Members)-1]
	}
	m.UnitUID, m.PodUID = s.UnitUID, s.PodUID
	if s.Seen != nil && s.Seen.ServerID != "" {
		m.ServerID = s.Seen.ServerID
	}
}

// promoteSource gives the source its rule. It is opened when it waits for nobody, when
// enough members are attached, and left open if it was: one that nobody could
// acknowledge for stays closed, which its clients see at once.
func (d *decision) promoteSource(r topology.Rule) bool {
	s := d.source
	return d.step(s, topology.Step{
		Kind: topology.StepPromote, Rule: r, Open: d.mayOpen(s, r), ServerID: d.recordedServer(s), Generation: d.Recorded.Data.Generation,
		Why: "it is the source",
	})
}

// recordedServer is the server that the member is recorded to have: another one that is
// found there is not the one that was judged.
func (d *decision) recordedServer(m *Member) string {
	if r := d.Recorded.Member(m.Name); r != nil && r.ServerID != "" && !d.replaced(m) {
		return r.ServerID
	}
	return m.Seen.ServerID
}

// mayOpen: it is open, or it waits for nobody, or enough members are attached.
func (d *decision) mayOpen(s *Member, r topology.Rule) bool {
	return s.open() || r.W == 0 || d.attached(s, r) >= int(r.W)
}

// attached counts the members of a rule that receive from the source and may acknowledge,
// by the word of the source, or by their own.
func (d *decision) attached(s *Member, r topology.Rule) int {
	n := 0
	for _, e := range r.Members {
		m := d.member(e.Name)
		if m == nil || !m.answers() || e.ServerUUID != "" && e.ServerUUID != m.Seen.ServerID {
			continue
		}
		if s.answers() && acknowledging(s, m.Seen.ServerID) || d.followsServer(m, s) && m.receiving() && m.Server.SemiSync.Acknowledges {
			n++
		}
	}
	return n
}

// acknowledging: the source says that the server receives from it and may acknowledge.
func acknowledging(s *Member, server string) bool {
	for _, r := range s.Server.Receivers {
		if r.ServerUUID == server && r.Acknowledging {
			return true
		}
	}
	return false
}

// follow is the call by which a member follows the source.
func (d *decision) follow(m *Member) topology.Step { return d.followOf(m, d.source) }

// followOf makes a member follow another one.
func (d *decision) followOf(m, s *Member) topology.Step {
	step := topology.Step{
		Kind: topology.StepFollow, Upstream: d.upstream(s), Generation: d.Recorded.Data.Generation, Why: "it follows " + s.Name,
	}
	if s.answers() {
		step.UpstreamPosition = s.Server.Executed.String()
	}
	if n := len(d.Recorded.Durability); n > 0 && d.isSource(s) {
		step.Acknowledge = topology.RuleOf(d.Recorded.Durability[n-1]).Has(m.Name)
	}
	return step
}

// upstream to reach a member by.
func (d *decision) upstream(s *Member) topology.Upstream {
	u := topology.Upstream{Name: s.Name, Host: s.Host, Port: s.Port}
	if s.Seen != nil {
		u.ServerID = s.Seen.ServerID
	}
	if r := d.Recorded.Member(s.Name); u.ServerID == "" && r != nil {
		u.ServerID = r.ServerID
	}
	return u
}

// follows: the member's agent has recorded that it follows the source.
func (d *decision) follows(m *Member) bool { return d.source != nil && d.followsServer(m, d.source) }

func (d *decision) followsServer(m, s *Member) bool {
	r := d.ours(m)
	return r != nil && r.Role == topology.RoleReplica && r.Upstream == d.upstream(s)
}

// inForce: it follows the source as it should; nothing needs to be called.
func (d *decision) inForce(m *Member) bool {
	if !d.follows(m) || m.Seen.Record.Generation != d.Recorded.Data.Generation {
		return false
	}
	if s := d.ours(d.source); d.otherChannel(m) && s != nil && s.Channel == d.Request.Channel {
		return false
	}
	c := m.Server.Channel
	if c == nil || c.Host != d.source.Host || c.Port != d.source.Port {
		return false
	}
	return m.Server.SemiSync.Acknowledges == d.follow(m).Acknowledge
}

// otherChannel: the account of channels was changed since its agent got it, such as when
// its Secret was made again. The source lets it in before the replicas log in with it.
func (d *decision) otherChannel(m *Member) bool {
	r := d.ours(m)
	return r != nil && r.Channel != "" && r.Channel != d.Request.Channel
}

// lost: the member has other data than the source it is recorded as, or none.
func (d *decision) lost(m *Member) bool {
	r := d.Recorded.Member(m.Name)
	if r == nil || !m.answers() {
		return false
	}
	if r.UnitUID != "" && r.UnitUID != m.UnitUID {
		// Another unit has the name of the source now.
		return d.isSource(m)
	}
	if r.ServerID != "" && m.Seen.ServerID != r.ServerID {
		// Replaced on request, or by accident.
		return !d.replaced(m)
	}
	if !m.Server.Executed.IsEmpty() {
		return false
	}
	// An empty source among members that have data. Its own first transactions wait for
	// their acknowledgement by them.
	for i := range d.Members {
		if o := &d.Members[i]; o != m && o.answers() && !o.holds().NotOf(m.Server.UUID).IsEmpty() {
			return true
		}
	}
	return false
}
