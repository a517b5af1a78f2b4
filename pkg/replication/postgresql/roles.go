// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// demoteStrays demotes whoever is, or may become, a second primary: a member other than the
// recorded one that is one, or whose agent would make it one. spare is left alone. It
// reports whether there is anything to do for it.
func (d *decision) demoteStrays(spare *Member) bool {
	primaries := 0
	for i := range d.Members {
		if d.Members[i].primary() {
			primaries++
		}
	}
	begun := false
	for i := range d.Members {
		m := &d.Members[i]
		if d.isSource(m) || m == spare || !d.stray(m) {
			continue
		}
		if primaries > 1 {
			d.state(SplitBrain, ReasonSplitBrain, "%s is a primary and not the recorded one, which is %s: it is being demoted", m.Name, d.Recorded.Source)
		}
		begun = d.step(m, topology.Step{Kind: topology.StepDemote, Why: "it is not the primary"}) || begun
	}
	return begun
}

// stray: it is not the recorded primary, and is one or would be.
func (d *decision) stray(m *Member) bool {
	return m.reachable() && (m.primary() || m.Seen.Record != nil && m.Seen.Record.Role == topology.RoleSource)
}

// giveRecordedRoles gives pods that have no role yet the one that is recorded. A standby is
// asked how far it has WAL before it follows.
func (d *decision) giveRecordedRoles() {
	s := d.source
	if s == nil {
		return
	}
	for i := range d.Members {
		m := &d.Members[i]
		switch {
		case !m.reachable() || d.lost(m):
		case m == s:
			if r := d.ours(s); r != nil && r.Role == topology.RoleSource {
				continue
			}
			if d.recordSourcePod(s) {
				return
			}
			d.startSource()
		case d.stray(m) || !m.stays():
		case !m.answers():
			d.startStandby(m)
		case d.isolatedRecord(m) && d.Rejoin(m.Name).Way == WayFollow:
			d.step(m, d.follow(m, s))
		}
	}
}

// startSource gives the recorded primary its role, in a pod where it has none or where it is
// a standby. One whose files do not say that it is the primary that it was is asked first.
func (d *decision) startSource() bool {
	s := d.source
	if s.answers() || d.resumes(s) {
		return d.promoteSource(d.recordedRule())
	}
	return d.startStandby(s)
}

// startStandby has a server that has no role yet started without an upstream: it replays
// what it has, and answers then how far that is.
func (d *decision) startStandby(m *Member) bool {
	switch r := m.Seen.Record; {
	case m.Seen.Pristine || d.ours(m) != nil && r.Role != topology.RoleNone:
		return false
	case r != nil && r.Role == topology.RoleSource:
		return d.step(m, topology.Step{Kind: topology.StepDemote, Why: "how far it has WAL is not known before it has replayed what it has"})
	}
	return d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "how far it has WAL is not known before it has replayed what it has"})
}

// recordedRule is that of the last entry, which is the recorded primary's.
func (d *decision) recordedRule() topology.Rule {
	if n := len(d.Recorded.Durability); n > 0 {
		return topology.RuleOf(d.Recorded.Durability[n-1])
	}
	return topology.Rule{}
}

// recordSourcePod records in which pod the primary gets its role, before it gets it: the
// end of that pod is what proves later that it has ended.
func (d *decision) recordSourcePod(s *Member) bool {
	if r := d.Recorded.Member(s.Name); s.PodUID == "" || r != nil && r.PodUID == s.PodUID {
		return false
	}
	to := d.Recorded.Clone()
	setPod(&to, s)
	d.change(topology.ChangeSourcePod, to, "", "")
	return true
}

// setPod of the primary in a record.
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

// recordTimeline records the timeline that the primary has begun: it was promoted again, such
// as after it was started as a standby.
func (d *decision) recordTimeline(s *Member) bool {
	if !d.lineage() {
		return false
	}
	history := s.Server.History
	begin, _ := history.Begin(history.Timeline())
	to := d.Recorded.Clone()
	setTimeline(&to.Data, history.Timeline(), begin)
	if to.Data.Timeline == d.Recorded.Data.Timeline && to.Data.BeginLSN == d.Recorded.Data.BeginLSN {
		return false
	}
	d.change(topology.ChangeData, to, EventTimeline, "%s has begun timeline %d at %s", s.Name, history.Timeline(), begin)
	return true
}

// setTimeline of a promotion. The first one begins nowhere.
func setTimeline(data *v1alpha1.ReplicationData, timeline wal.Timeline, begin wal.LSN) {
	data.Timeline, data.BeginLSN = int64(timeline), ""
	if timeline > wal.FirstTimeline {
		data.BeginLSN = begin.String()
	}
}

// promoteSource makes the recorded primary one, open and with a rule, or changes its rule.
// Commits wait as the rule says from the first on.
func (d *decision) promoteSource(r topology.Rule) bool {
	s := d.source
	if why := d.MayOpen(s.Name); why != "" {
		d.notInForce = s.Name + " is the recorded primary and is not opened: " + why
		return false
	}
	timeline := d.unrecordedTimeline()
	if d.Standing(s) == StandingBefore {
		timeline = wal.Timeline(d.Recorded.Data.Timeline) //nolint:gosec // One that is recorded was read as one.
	}
	return d.step(s, d.promotion(s, r, timeline))
}

// promotion is the call by which a member becomes the primary, or is given another rule.
func (d *decision) promotion(s *Member, r topology.Rule, timeline wal.Timeline) topology.Step {
	step := topology.Step{
		Kind: topology.StepPromote, Rule: r, Open: true, ServerID: d.Recorded.Data.SystemID, Generation: d.Recorded.Data.Generation, Slots: d.slotted(s),
		Why: "it is the primary",
	}
	if !s.primary() {
		step.Timeline = int64(timeline)
	}
	return step
}

// attached counts the members of a rule that receive from the primary, by its own word or by
// theirs.
func (d *decision) attached(s *Member, r topology.Rule) int {
	n := 0
	for _, e := range r.Members {
		if m := d.Member(e.Name); m != nil && sameUnit(e, m) && (s.streamsTo(m) || m.receiving() && d.follows(m, s) && m.Server.Receiver.Host == s.Host) {
			n++
		}
	}
	return n
}

// streamsTo: the server sends to the member, which has caught up once.
func (m *Member) streamsTo(o *Member) bool {
	if !m.answers() {
		return false
	}
	for _, client := range m.Server.Standbys {
		if client.Streaming && client.Application == settings.ApplicationName(o.Name) {
			return true
		}
	}
	return false
}

// follow is the call by which a member follows another one.
func (d *decision) follow(m, s *Member) topology.Step {
	return topology.Step{
		Kind: topology.StepFollow, Upstream: d.upstream(s), Generation: d.Recorded.Data.Generation, Acknowledge: d.recordedRule().Has(m.Name),
		Why: "it follows " + s.Name,
	}
}

// upstream to reach a member by.
func (d *decision) upstream(s *Member) topology.Upstream {
	return topology.Upstream{Name: s.Name, Host: s.Host, Port: s.Port, ServerID: d.Recorded.Data.SystemID}
}

// follows: the member's agent has recorded that it follows the other one.
func (d *decision) follows(m, s *Member) bool {
	r := d.ours(m)
	return r != nil && s != nil && r.Role == topology.RoleReplica && r.Upstream == d.upstream(s)
}

// inForce: it follows the primary as it should; nothing needs to be called.
func (d *decision) inForce(m *Member) bool {
	s := d.source
	if !d.follows(m, s) || m.Seen.Record.Generation != d.Recorded.Data.Generation {
		return false
	}
	if r := d.ours(s); d.otherChannel(m) && r != nil && r.Channel == d.Request.Channel {
		return false
	}
	receiver := m.Server.Receiver
	return receiver == nil || receiver.Host == s.Host && receiver.Port == s.Port
}

// otherChannel: the account of channels was changed since its agent got it, such as when
// its Secret was made again. The primary lets it in before the standbys log in with it.
func (d *decision) otherChannel(m *Member) bool {
	r := d.ours(m)
	return r != nil && r.Channel != "" && r.Channel != d.Request.Channel
}

// stamp is a time as the API keeps it: what is recorded compares equal to what is read
// back.
func stamp(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

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
