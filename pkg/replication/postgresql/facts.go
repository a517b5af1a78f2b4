// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// maxPositions of the primary are remembered.
const maxPositions = 24

// ours: the member's agent has a record of this replication that was not released.
func (d *decision) ours(m *Member) *topology.Record {
	if m == nil || !m.reachable() || m.Seen.Record == nil || m.Seen.Record.Replication != d.Request.UID || m.Seen.Record.Released {
		return nil
	}
	return m.Seen.Record
}

// isolatedRecord: its agent has recorded that it receives nothing, and it does not.
func (d *decision) isolatedRecord(m *Member) bool {
	r := d.ours(m)
	return r != nil && r.Role == topology.RoleIsolated && !m.receiving()
}

// silent: it is proven that the member acknowledges nothing as a standby.
func (d *decision) silent(m *Member) bool {
	switch {
	case m == nil:
		return true
	case m.reachable() && m.Seen.Record != nil && m.Seen.Record.Role == topology.RoleIsolated && !m.receiving():
		return true
	}
	return m.PodUID == "" && (m.EndedPodUID != "" || m.NeverRan)
}

// lost: the recorded primary has other data than it had, or none. One that is promoted after
// it was recorded has not come to that timeline yet.
func (d *decision) lost(m *Member) bool {
	r := d.Recorded.Member(m.Name)
	if !d.isSource(m) || !m.reachable() || m.Server == nil {
		return false
	}
	if r != nil && r.UnitUID != "" && r.UnitUID != m.UnitUID || d.foreign(m) {
		return true
	}
	switch d.Standing(m) {
	case StandingBefore, StandingBeyond, StandingApart:
		return !d.promoting(m.Name)
	}
	return false
}

// lineage: the recorded primary answers as one, with the data that the others are to have.
func (d *decision) lineage() bool {
	s := d.source
	return s != nil && s.primary() && !d.lost(s) && d.Standing(s) == StandingCurrent
}

// remember the primary's position: how far a member lags is seen from it later.
func (d *decision) remember() {
	if !d.lineage() {
		return
	}
	s := d.source
	ps := d.mem.Positions
	if n := len(ps); n > 0 && !ps[n-1].At.Before(s.Seen.At) {
		return
	}
	b, _ := s.stored()
	ps = append(ps[:len(ps):len(ps)], topology.Position{At: s.Seen.At, ServerID: s.Seen.ServerID, Executed: b.Position()})
	if len(ps) > maxPositions {
		// The older half gets coarser.
		kept := ps[:0:0]
		for i, p := range ps {
			if i >= maxPositions/2 || i%2 == 0 {
				kept = append(kept, p)
			}
		}
		ps = kept
	}
	d.mem.Positions = ps
}

// lagOf is how long before it was asked a member had all that the primary had: of what it
// has replayed, or of what it has stored as well; -1: longer than is remembered.
func (d *decision) lagOf(m *Member, replayed bool) time.Duration {
	b, ok := m.stored()
	if replayed {
		b, ok = m.applied()
	}
	if !ok {
		return -1
	}
	latest := true
	for i := len(d.mem.Positions) - 1; i >= 0; i-- {
		p := d.mem.Positions[i]
		position, ok := p.Executed.(wal.Position)
		if !ok || p.At.After(m.Seen.At) {
			// The primary was asked after the member: more than the member could have.
			continue
		}
		if d.reaches(b, position) {
			if latest {
				return 0
			}
			return max(0, m.Seen.At.Sub(p.At))
		}
		latest = false
	}
	return -1
}

// caughtUp: the member has stored what the primary had when both were asked.
func (d *decision) caughtUp(m *Member) bool { return d.lagOf(m, false) == 0 }

// lagClass for the status.
func lagClass(lag time.Duration) v1alpha1.ReplicationLag {
	switch {
	case lag == 0:
		return v1alpha1.LagCaughtUp
	case lag < 0, lag >= 10*time.Minute:
		return v1alpha1.LagOver10m
	case lag >= time.Minute:
		return v1alpha1.LagUnder10m
	case lag >= 10*time.Second:
		return v1alpha1.LagUnder1m
	}
	return v1alpha1.LagUnder10s
}
