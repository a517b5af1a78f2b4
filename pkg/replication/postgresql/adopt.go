// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// adopt records the first primary: the member that already is one, by the record of its
// agent with the highest epoch; else the one that the spec asks for, if no other member
// has anything that it has not.
func (d *decision) adopt() {
	d.requeue(workInterval)
	s := d.former()
	if s == nil {
		if s = d.named(); s == nil {
			return
		}
	}
	timeline, begin, ok := s.timeline()
	if !ok {
		d.state(Uninitialised, ReasonWaiting, "waiting for %s, which is to be the first primary, to say which database it has: %s", s.Name, waitingFor(s))
		return
	}
	to := d.Recorded.Clone()
	to.Source = s.Name
	to.Epoch = d.highestEpoch() + 1
	to.Data = v1alpha1.ReplicationData{SystemID: s.Seen.ServerID, Generation: s.Seen.Generation}
	setTimeline(&to.Data, timeline, begin)
	to.Durability = []v1alpha1.ReplicationDurabilityEntry{{Source: s.Seen.ServerID, Timeline: int64(timeline)}}
	to.LastTransition = &v1alpha1.ReplicationTransition{To: s.Name, At: stamp(d.Now), Requested: s.Name}
	setPod(&to, s)
	d.state(Uninitialised, ReasonNoSource, "%s becomes the first primary", s.Name)
	d.change(topology.ChangeAdopt, to, EventAdopted, "%s is the primary", s.Name)
}

// timeline that the member's data is on, by its server or by the files of one that is
// stopped, and where it begins.
func (m *Member) timeline() (t wal.Timeline, begin wal.LSN, ok bool) {
	if !m.reachable() || m.Seen.ServerID == "" || m.Server == nil || m.Server.History.IsZero() {
		return 0, wal.None, false
	}
	t = m.Server.History.Timeline()
	begin, ok = m.Server.History.Begin(t)
	return t, begin, ok
}

// former is the member that is a primary already; nil: none is. The one with the highest
// epoch was made one last.
func (d *decision) former() *Member {
	var found *Member
	for i := range d.Members {
		m := &d.Members[i]
		if !m.reachable() || m.Seen.Record == nil || m.Seen.Record.Role != topology.RoleSource {
			continue
		}
		if found == nil || m.Seen.Record.Epoch > found.Seen.Record.Epoch {
			found = m
		}
	}
	if found != nil {
		// Another former primary may be away.
		for i := range d.Members {
			if m := &d.Members[i]; m.HadData && !m.reachable() && !d.harmless(m) {
				d.state(Uninitialised, ReasonWaiting, "waiting for the agent of %s, which may have been the primary later than %s: %s", m.Name, found.Name, shorten(m.Trouble))
				return m
			}
		}
	}
	return found
}

// harmless: its last pod has ended, so that its role went with it.
func (d *decision) harmless(m *Member) bool {
	return m.EndedPodUID != "" && (m.PodUID == "" || m.PodUID == m.EndedPodUID)
}

// named is the member that the spec asks for, if it may become the first primary. Where
// another one has data as well, each says how far that is before.
func (d *decision) named() *Member {
	s := d.Member(d.Request.Source)
	switch {
	case s == nil:
		d.state(Uninitialised, ReasonNoSource, "%s, which the spec names as primary, is no member", d.Request.Source)
		return nil
	case !s.Owned || !s.reachable() || s.Seen.ServerID == "":
		return s
	}
	for i := range d.Members {
		m := &d.Members[i]
		switch {
		case m == s, m.reachable() && m.Seen.Pristine, !m.reachable() && !m.HadData:
		case d.permitted(m):
		case m.reachable() && m.Seen.ServerID != "" && m.Seen.ServerID != s.Seen.ServerID:
			d.state(Uninitialised, ReasonOtherData, "%s has database %s, and %s, which the spec names as primary, has %s: name %s as primary, or annotate its Unit with unit-operator.io/reinit: %s to give its data up",
				m.Name, m.Seen.ServerID, s.Name, s.Seen.ServerID, m.Name, m.Seen.ServerID)
			return nil
		case !d.contains(s, m):
			return nil
		}
	}
	return s
}

// contains reports whether the first primary has all that another member has; else it says
// what is waited for, and asks servers that do not run.
func (d *decision) contains(s, m *Member) bool {
	mine, known := s.stored()
	others, knownToo := m.stored()
	if !known || !knownToo {
		d.state(Uninitialised, ReasonWaiting, "waiting for %s and %s to say how far they have WAL: %s becomes the primary only if it has all that the other has; %s: %s",
			s.Name, m.Name, s.Name, m.Name, waitingFor(m))
		for _, o := range []*Member{s, m} {
			if !o.answers() && o.reachable() && d.startStandby(o) {
				d.plan.Steps[len(d.plan.Steps)-1].Epoch = d.highestEpoch()
			}
		}
		return false
	}
	if relation, at := wal.Compare(others, mine); relation != wal.Same && relation != wal.Behind {
		d.state(Uninitialised, ReasonOtherData, "%s, which the spec names as primary, has the WAL of %s up to %s, and that has it up to %s: name %s as primary, or annotate its Unit with unit-operator.io/reinit: %s to give that up",
			s.Name, m.Name, at, others.Position(), m.Name, m.Seen.ServerID)
		return false
	}
	return true
}

// permitted: a person gave up the data that the member has now.
func (d *decision) permitted(m *Member) bool {
	return m.reachable() && m.Reinit != "" && m.Reinit == m.Seen.ServerID
}
