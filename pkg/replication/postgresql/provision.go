// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import "github.com/upmio/unit-operator/pkg/replication/topology"

// provision makes the member a copy of the primary, one member at a time. A member that has
// WAL which the primary has not is copied as well: whether pg_rewind can do it with less is
// its agent's business, which keeps the old data aside.
func (d *decision) provision(m *Member, r Rejoin) {
	if d.replaceable(m) || m.Provision != nil || d.copying(m) {
		return
	}
	if !d.isolatedRecord(m) && (m.Seen.Record != nil || !m.Seen.Pristine) {
		d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "its data is replaced"})
		return
	}
	d.step(m, topology.Step{
		Kind: topology.StepProvision, Upstream: d.upstream(d.source), ServerID: m.Seen.ServerID, Generation: d.Recorded.Data.Generation,
		Replace: !m.Seen.Pristine, Why: r.Why,
	})
}

// replaceable: commits wait for the member, and will not once the primary has its next
// rule. That comes first. Where nobody else could acknowledge, commits wait for the member
// to come back.
func (d *decision) replaceable(m *Member) bool {
	return d.neededNow(m) && !d.wanted().Has(m.Name)
}

// needsCopy: the member cannot get what it lacks from the primary's WAL, and may lose what
// it has.
func (d *decision) needsCopy(m *Member) bool {
	switch d.Rejoin(m.Name).Way {
	case WayCopy, WayRewind:
		return true
	case WayRefused:
		return d.permitted(m)
	}
	return m.Provision != nil && m.Provision.Running
}

func (d *decision) anyCopied() bool {
	for i := range d.Members {
		if m := &d.Members[i]; !d.isSource(m) && m.stays() && d.needsCopy(m) {
			return true
		}
	}
	return false
}

// copying: another member is being made a copy now, or isolated for that: those that wait
// for their turn keep what they have.
func (d *decision) copying(m *Member) bool {
	for i := range d.Members {
		o := &d.Members[i]
		if o == m {
			continue
		}
		if o.Provision != nil && o.Provision.Running || d.stepOf(o.Name, topology.StepProvision) || d.stepOf(o.Name, topology.StepIsolate) && d.needsCopy(o) {
			return true
		}
	}
	return false
}
