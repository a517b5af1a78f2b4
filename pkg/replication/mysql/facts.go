// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// maxPositions of the source are remembered.
const maxPositions = 24

// facts that follow from what was observed of one member and of the source.
type facts struct {
	// errant is what it has and the source neither has nor numbered.
	errant gtid.Set
	// known: errant could be computed, because both answered.
	known bool
	// empty: it has no transaction at all.
	empty bool
	// purged: the source has purged what it lacks.
	purged bool
	// received and applied: it has what the source had at the last look, in its relay log
	// or executed. lag is how long ago it was that the source had no more than it has
	// executed; -1: longer than is remembered.
	received, applied bool
	lag               time.Duration
}

// derive the facts, and remember the source's position.
func (d *decision) derive() {
	d.facts = make([]facts, len(d.Members))
	for i := range d.Members {
		d.facts[i] = d.deriveOf(&d.Members[i])
	}
	if !d.comparable() {
		return
	}
	s := d.source
	ps := d.mem.Positions
	if n := len(ps); n > 0 && (ps[n-1].ServerID != s.Seen.ServerID || !ps[n-1].At.Before(s.Seen.At)) {
		if ps[n-1].ServerID == s.Seen.ServerID {
			return
		}
		ps = nil
	}
	ps = append(ps[:len(ps):len(ps)], topology.Position{At: s.Seen.At, ServerID: s.Seen.ServerID, Executed: s.Server.Executed})
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

func (d *decision) deriveOf(m *Member) facts {
	var f facts
	if !m.answers() {
		return f
	}
	f.empty = m.holds().IsEmpty()
	s := d.source
	if s == nil || s == m {
		return f
	}
	f.lag = -1
	holds := m.holds()
	if d.comparable() {
		f.known = true
		f.errant = gtid.Errant(holds, s.Server.Executed, s.Server.UUID)
		f.purged = !holds.Contains(s.Server.Purged)
		if m.Server.Executed.Contains(s.Server.Executed) {
			f.applied, f.received, f.lag = true, true, 0
			return f
		}
		f.received = holds.Contains(s.Server.Executed)
	}
	latest := true
	for i := len(d.mem.Positions) - 1; i >= 0; i-- {
		p := d.mem.Positions[i]
		executed, ok := p.Executed.(gtid.Set)
		if !ok || p.At.After(m.Seen.At) {
			// The source was asked after the member: more than the member could have.
			continue
		}
		if latest && holds.Contains(executed) {
			f.received = true
		}
		if m.Server.Executed.Contains(executed) {
			f.applied = latest
			if !latest {
				f.lag = max(0, m.Seen.At.Sub(p.At))
			} else {
				f.lag = 0
			}
			break
		}
		latest = false
	}
	return f
}

// comparable: the source answers, with the data that the others are to have.
func (d *decision) comparable() bool {
	s := d.source
	return s != nil && s.answers() && !d.lost(s) && !d.replaced(s)
}

// of a member.
func (d *decision) of(m *Member) *facts {
	for i := range d.Members {
		if &d.Members[i] == m {
			return &d.facts[i]
		}
	}
	return &facts{}
}

// lagClass for the status.
func (f *facts) lagClass() v1alpha1.ReplicationLag {
	switch {
	case f.applied:
		return v1alpha1.LagCaughtUp
	case f.lag < 0, f.lag >= 10*time.Minute:
		return v1alpha1.LagOver10m
	case f.lag >= time.Minute:
		return v1alpha1.LagUnder10m
	case f.lag >= 10*time.Second:
		return v1alpha1.LagUnder1m
	}
	return v1alpha1.LagUnder10s
}

// ours: the member's agent has a record of this replication that was not released.
func (d *decision) ours(m *Member) *topology.Record {
	if !m.reachable() || m.Seen.Record == nil || m.Seen.Record.Replication != d.Request.UID || m.Seen.Record.Released {
		return nil
	}
	return m.Seen.Record
}

// isolatedRecord: its agent has recorded that it receives nothing, and it does not.
func (d *decision) isolatedRecord(m *Member) bool {
	r := d.ours(m)
	return r != nil && r.Role == topology.RoleIsolated && !m.receiving()
}

// silent: it is proven that the member acknowledges nothing as a replica.
func (d *decision) silent(m *Member) bool {
	switch {
	case m == nil:
		return true
	case m.reachable() && m.Seen.Record != nil && m.Seen.Record.Role == topology.RoleIsolated && !m.receiving():
		return true
	}
	return m.PodUID == "" && (m.EndedPodUID != "" || m.NeverRan)
}

// errantOf is what is known of it: observed now, or reported before. What a member has
// from before the data was replaced is given up with that, unless it was reported then.
func (d *decision) errantOf(m *Member) bool {
	f := d.of(m)
	if f.known && !d.outdated(m) {
		return !f.errant.IsEmpty()
	}
	r := d.Recorded.Member(m.Name)
	return r != nil && r.Errant != nil && (r.UnitUID == "" || r.UnitUID == m.UnitUID)
}

// staysMember: it is to be a replica that may acknowledge and become the source.
func (m *Member) staysMember() bool {
	return !m.Isolated && !m.Leaving && (m.kept || m.Evacuate != v1alpha1.EvacuationRemove)
}
