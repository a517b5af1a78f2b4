// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// replayMost is how many transactions an empty member replays from the source's binary
// log rather than being made a copy of it.
const replayMost = 1000

// cloneSince is the first version that can be copied by CLONE.
const cloneSince = "8.0.17"

// needsCopy: the member cannot get what it lacks from the source's binary log.
func (d *decision) needsCopy(m *Member) bool {
	s := d.source
	if s == nil || s == m {
		return false
	}
	if d.outdated(m) {
		return true
	}
	if !m.answers() {
		return m.Provision != nil && m.Provision.Running
	}
	if !s.answers() {
		return false
	}
	f := d.of(m)
	switch {
	case f.purged:
		return true
	case !f.empty || s.Server.Executed.IsEmpty():
		return false
	case d.ours(m) != nil && d.ours(m).Role == topology.RoleReplica:
		// It was asked to replay.
		return false
	}
	return s.Server.Executed.Count() > replayMost && topology.CompareVersions(m.Seen.Version, cloneSince) >= 0
}

// permitted: a person gave up the data that the member has now.
func (d *decision) permitted(m *Member) bool { return m.Reinit != "" && m.Reinit == m.Seen.ServerID }

// mayCopy: the member's data may be replaced. An empty one has none; one whose data all
// is on others needs nobody's permission, unless it is the last copy but the source.
func (d *decision) mayCopy(m *Member) bool {
	if d.of(m).empty || d.permitted(m) || d.outdated(m) {
		return true
	}
	if d.errantOf(m) {
		return false
	}
	for i := range d.Members {
		o := &d.Members[i]
		if o != m && !d.isSource(o) && o.answers() && !d.of(o).empty && !d.errantOf(o) && !d.of(o).purged && !d.outdated(o) {
			return true
		}
	}
	return false
}

// provision makes the member a copy of another one, one at a time for each donor.
func (d *decision) provision(m *Member) {
	s := d.source
	if !d.mayCopy(m) || d.replaceable(m) || !s.answers() {
		return
	}
	if m.Provision != nil || d.copying(m) {
		return
	}
	if !d.isolatedRecord(m) && (m.Seen.Record != nil || !d.of(m).empty) {
		d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "its data is rebuilt"})
		return
	}
	donor := d.donor(m)
	if donor == nil {
		return
	}
	if donor == s && s.open() && d.blocked() {
		// A copy waits for the commits that wait for an acknowledgement, which wait for
		// this copy. Closed it is opened again when the copy is attached.
		d.step(s, topology.Step{Kind: topology.StepDemote, Why: "its commits wait for a member that is made a copy of it"})
		return
	}
	d.step(m, topology.Step{
		Kind: topology.StepProvision, Upstream: d.upstream(donor), ServerID: m.Seen.ServerID, Generation: d.Recorded.Data.Generation,
		Replace: !d.of(m).empty || d.permitted(m), Why: "it lacks what the binary logs do not have any more",
	})
}

// copying: another member is being made a copy now, or isolated for that: those that wait
// for their turn keep what they have.
func (d *decision) copying(m *Member) bool {
	for i := range d.Members {
		o := &d.Members[i]
		if o != m && o.Provision != nil && o.Provision.Running {
			return true
		}
		if o != m && (d.stepOf(o.Name, topology.StepProvision) || d.stepOf(o.Name, topology.StepIsolate) && d.needsCopy(o)) {
			return true
		}
	}
	return false
}

func (d *decision) stepOf(member string, kind topology.StepKind) bool {
	for _, s := range d.plan.Steps {
		if s.Member == member && s.Kind == kind {
			return true
		}
	}
	return false
}

// donor to copy from: the source, but another replica while the source's commits wait.
func (d *decision) donor(m *Member) *Member {
	s := d.source
	if !d.blocked() {
		return s
	}
	failed := m.Provision != nil && m.Provision.Failed
	for i := range d.Members {
		o := &d.Members[i]
		if !failed && o != m && o != s && o.answers() && o.staysMember() && o.Delay == 0 && d.of(o).received && !d.errantOf(o) && !d.needsCopy(o) {
			return o
		}
	}
	if d.Request.Durability.Preferred {
		// It continues without waiting in a moment.
		if n := len(d.Recorded.Durability); n > 0 && d.Recorded.Durability[n-1].W > 0 {
			return nil
		}
	}
	return s
}

// blocked: fewer members can acknowledge than the source waits for.
func (d *decision) blocked() bool {
	n := len(d.Recorded.Durability)
	if n == 0 || !d.Request.Sync {
		return false
	}
	r := topology.RuleOf(d.Recorded.Durability[n-1])
	return r.W > 0 && d.attached(d.source, r) < int(r.W)
}
