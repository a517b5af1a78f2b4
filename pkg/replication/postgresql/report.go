// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// report says of each member what status.topology shows, and how its pod is labelled.
func (d *decision) report() {
	d.plan.Labels = map[string]topology.Role{}
	for i := range d.Members {
		m := &d.Members[i]
		if label := d.label(m); label != topology.RoleNone {
			d.plan.Labels[m.Name] = label
		}
	}
	if c := d.plan.Change; c != nil {
		// What is recorded next is reported by the decision after it.
		d.plan.Members = c.To.Members
		return
	}
	d.plan.Members = make([]v1alpha1.ReplicationMemberStatus, 0, len(d.Members))
	for i := range d.Members {
		d.plan.Members = append(d.plan.Members, d.reportOf(&d.Members[i]))
	}
}

// reportOf one member. What cannot be seen now is kept from what was reported before,
// except that the primary's pod is that which was last given the role.
func (d *decision) reportOf(m *Member) v1alpha1.ReplicationMemberStatus {
	var r v1alpha1.ReplicationMemberStatus
	if before := d.Recorded.Member(m.Name); before != nil && (before.UnitUID == "" || before.UnitUID == m.UnitUID) {
		r = *before
	}
	r.Name, r.UnitUID = m.Name, m.UnitUID
	source := d.isSource(m)
	if !source {
		if op := d.Recorded.Operation; op == nil || op.From != m.Name {
			// The pod of a former primary whose fence is not proven yet is kept as well.
			r.PodUID = m.PodUID
		}
		if m.reachable() && m.Seen.ServerID != "" {
			r.ServerID = m.Seen.ServerID
		}
	}
	r.Role, r.State, r.Lag, r.CaughtUp = "unknown", "", "", false
	switch {
	case source && m.answers() && !d.lost(m):
		r.Role, r.State = "source", "closed"
		if m.primary() {
			r.State = "open"
		}
	case source:
		r.State = "does not serve"
	case m.answers():
		r.Role, r.State = "replica", "replicates"
		if m.receiving() && d.lineage() {
			r.Lag = lagClass(d.lagOf(m, true))
			r.CaughtUp = r.Lag == v1alpha1.LagCaughtUp
		}
	}
	if !source {
		if reason, message := d.trouble(m); reason != "" {
			r.State = reason + ": " + message
		} else if !m.stays() {
			r.State = "is kept out"
		}
	}
	r.Evacuation = d.evacuation(m)
	r.Evacuated = r.Evacuation != nil && r.Evacuation.State == v1alpha1.EvacuationDone
	return r
}

// label of the member's pod. The primary keeps its own while it is not seen as a standby, or
// with other data. Standbys have one while they receive from the primary.
func (d *decision) label(m *Member) topology.Role {
	if d.isSource(m) {
		if m.answers() && !m.primary() || d.lost(m) {
			return topology.RoleNone
		}
		return topology.RoleSource
	}
	if !m.receiving() || !m.stays() || !d.follows(m, d.source) {
		return topology.RoleNone
	}
	switch d.Standing(m) {
	case StandingBeyond, StandingApart, StandingForeign:
		return topology.RoleNone
	}
	return topology.RoleReplica
}
