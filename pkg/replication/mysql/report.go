// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
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
	op := d.Recorded.Operation
	if !source {
		if op == nil || op.From != m.Name {
			// The pod of a former source whose fence is not proven yet is kept as well.
			r.PodUID = m.PodUID
		}
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
	if !f.known || d.outdated(m) {
		return
	}
	if op := d.Recorded.Operation; op != nil && op.Phase == topology.PhaseOpening && (d.ours(d.source) == nil || d.ours(d.source).Role != topology.RoleSource) {
		// The new source may lack what others have, and gets it before it is opened.
		return
	}
	if f.errant.IsEmpty() {
		r.Errant = nil
		return
	}
	evidence := m.Evidence
	if evidence == "" && d.kept(m, r.Errant) {
		evidence = r.Errant.Evidence
	}
	r.Errant = &v1alpha1.ReplicationErrant{GTIDs: errantText(f.errant), Evidence: evidence}
}

// kept: there is evidence of all errant transactions that the member has now. One that
// has got more since may be rebuilt only after those were copied as well.
func (d *decision) kept(m *Member, reported *v1alpha1.ReplicationErrant) bool {
	f := d.of(m)
	if reported == nil || reported.Evidence == "" {
		return false
	}
	if !f.known || d.outdated(m) || reported.GTIDs == errantText(f.errant) {
		return true
	}
	covered, err := gtid.Parse(reported.GTIDs)
	return err == nil && covered.Contains(f.errant)
}

// maxErrantText is what the API keeps of a set.
const maxErrantText = 1024

// errantText is a set as the status has it. One that is too long ends with its digest, by
// which a set that has grown beyond the cut is another.
func errantText(set gtid.Set) string {
	text := set.String()
	if len(text) <= maxErrantText {
		return text
	}
	end := fmt.Sprintf("... sha256:%x", sha256.Sum256([]byte(text)))
	return text[:maxErrantText-len(end)] + end
}

// label of the member's pod. The source keeps its own while it is not seen closed, but for
// an operation that replaces its data: what clients wrote then would be lost. Replicas
// have one while they serve reads that are not too old.
func (d *decision) label(m *Member) topology.Role {
	if d.isSource(m) {
		if m.answers() && !m.open() || d.lost(m) || d.plan.State == SourceInOperation {
			return topology.RoleNone
		}
		return topology.RoleSource
	}
	if !m.answers() || m.open() || !m.staysMember() || d.errantOf(m) || d.outdated(m) {
		return topology.RoleNone
	}
	if d.plan.State == SourceInOperation && d.isolatedRecord(m) {
		// It was isolated for the operation, and has what the source had before that.
		return topology.RoleReplica
	}
	if !m.receiving() || !m.Server.Channel.Applying {
		return topology.RoleNone
	}
	return topology.RoleReplica
}
