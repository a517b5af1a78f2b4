// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// adopt records the first source: the member that already is one, by the record of its
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
	if !s.answers() {
		d.state(Uninitialised, ReasonWaiting, "waiting for the server of %s, which is to be the first source: %s", s.Name, waitingFor(s))
		return
	}
	to := d.Recorded.Clone()
	to.Source = s.Name
	to.Epoch = d.highestEpoch() + 1
	to.Data = v1alpha1.ReplicationData{SystemID: s.Seen.ServerID, Generation: s.Seen.Generation}
	to.Durability = []v1alpha1.ReplicationDurabilityEntry{{Source: s.Seen.ServerID}}
	to.LastTransition = &v1alpha1.ReplicationTransition{To: s.Name, At: stamp(d.Now), Requested: s.Name}
	setPod(&to, s)
	d.state(Uninitialised, ReasonNoSource, "%s becomes the first source", s.Name)
	d.change(topology.ChangeAdopt, to, EventAdopted, "%s is the source", s.Name)
}

// former is the member that is a source already; nil: none is. The one with the highest
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
		// Another former source may be away.
		for i := range d.Members {
			if m := &d.Members[i]; m.HadData && !m.reachable() && !d.harmless(m) {
				d.state(Uninitialised, ReasonWaiting, "waiting for the agent of %s, which may have been the source later than %s: %s", m.Name, found.Name, shorten(m.Trouble))
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

// named is the member that the spec asks for, if it may become the first source.
func (d *decision) named() *Member {
	s := d.member(d.Request.Source)
	switch {
	case s == nil:
		d.state(Uninitialised, ReasonNoSource, "%s, which the spec names as source, is no member", d.Request.Source)
		return nil
	case !s.Owned || !s.answers():
		return s
	}
	for i := range d.Members {
		m := &d.Members[i]
		switch {
		case m == s:
		case !m.answers() && m.HadData:
			d.state(Uninitialised, ReasonWaiting, "waiting for the server of %s: it has data, and %s becomes the source only if it has all of it: %s", m.Name, s.Name, waitingFor(m))
			return nil
		case m.answers() && !s.holds().Contains(m.holds()):
			d.state(Uninitialised, ReasonOtherData, "%s, which the spec names as source, lacks what %s has (%s): name %s as source, or annotate its Unit with unit-operator.io/reinit: %s to give that up",
				s.Name, m.Name, shorten(m.holds().Subtract(s.holds()).String()), m.Name, m.Seen.ServerID)
			if d.permitted(m) {
				d.plan.State, d.plan.Reason, d.plan.Message = "", "", ""
				continue
			}
			return nil
		}
	}
	return s
}

// highestEpoch that anybody knows of.
func (d *decision) highestEpoch() int64 {
	highest := d.Recorded.Epoch
	for i := range d.Members {
		if m := &d.Members[i]; m.Seen != nil {
			highest = max(highest, m.Seen.Epoch)
			if m.Seen.Record != nil {
				highest = max(highest, m.Seen.Record.Epoch)
			}
		}
	}
	return highest
}

// waitingFor says why a member does not answer.
func waitingFor(m *Member) string {
	switch {
	case !m.Owned:
		return "its Unit is missing, or does not name this replication as its owner yet"
	case m.Seen == nil:
		return "its agent does not answer: " + shorten(m.Trouble)
	}
	return shorten(m.Seen.Trouble)
}
