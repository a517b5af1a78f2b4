// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

var zeroTime time.Time

// report says of each member what status.topology shall show, and how its pod is
// labelled.
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
// except that the source's pod is that which was last given the role.
func (d *decision) reportOf(m *Member) v1alpha1.ReplicationMemberStatus {
	var r v1alpha1.ReplicationMemberStatus
	if before := d.Recorded.Member(m.Name); before != nil && (before.UnitUID == "" || before.UnitUID == m.UnitUID) {
		r = *before
	}
	r.Name, r.UnitUID = m.Name, m.UnitUID
	source := d.isSource(m)
	if !source {
		r.PodUID = m.PodUID
		if m.reachable() && m.Seen.ServerID != "" {
			r.ServerID = m.Seen.ServerID
		}
	}
	r.Role, r.State, r.Lag, r.CaughtUp = "unknown", "", "", false
	switch {
	case source && m.answers() && !d.lost(m):
		r.Role = "source"
		r.State = "closed"
		if m.open() {
			r.State = "open"
		}
	case source:
		r.State = "does not serve"
	case m.answers():
		r.Role = "replica"
		if m.receiving() && d.of(m).known {
			r.Lag = d.of(m).lagClass()
			r.CaughtUp = r.Lag == v1alpha1.LagCaughtUp
		}
		r.State = "replicates"
	}
	if !source {
		if reason, message := d.trouble(m); reason != "" {
			r.State = reason + ": " + message
		} else if !m.staysMember() {
			r.State = "is kept out"
		}
		d.reportErrant(m, &r)
	} else {
		r.Errant = nil
	}
	r.Evacuation = d.evacuation(m)
	r.Evacuated = r.Evacuation != nil && r.Evacuation.State == v1alpha1.EvacuationDone
	return r
}

// reportErrant keeps what was seen last while it cannot be compared.
func (d *decision) reportErrant(m *Member, r *v1alpha1.ReplicationMemberStatus) {
	f := d.of(m)
	if !f.known {
		return
	}
	if f.errant.IsEmpty() {
		r.Errant = nil
		return
	}
	evidence := m.Evidence
	if r.Errant != nil && evidence == "" {
		evidence = r.Errant.Evidence
	}
	text := f.errant.String()
	r.Errant = &v1alpha1.ReplicationErrant{GTIDs: text[:min(len(text), 1024)], Evidence: evidence}
}

// label of the member's pod. The source keeps its own while it is not seen closed;
// replicas have one while they serve reads that are not too old.
func (d *decision) label(m *Member) topology.Role {
	if d.isSource(m) {
		if m.answers() && !m.open() || d.lost(m) {
			return topology.RoleNone
		}
		return topology.RoleSource
	}
	if !m.answers() || m.open() || !m.staysMember() || d.errantOf(m) || !m.receiving() || !m.Server.Channel.Applying {
		return topology.RoleNone
	}
	return topology.RoleReplica
}
