// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// beginFailover records a failover if it can succeed by what is seen now; else it says
// why it cannot.
func (d *decision) beginFailover(c cause) bool {
	if !c.forced {
		if reason, message := d.foreseeable(c); reason != "" {
			d.find("", reason, message)
			return false
		}
	}
	if to := d.member(c.to); c.to != "" && (to == nil || d.unable(to) != "") {
		why := "it is no member"
		if to != nil {
			why = d.unable(to)
		}
		d.find("", ReasonTargetUnfit, c.to+" cannot become the source: "+why)
		return false
	}
	d.begin(v1alpha1.OperationFailover, topology.PhaseFencing, c, failoverTime)
	return true
}

// foreseeable says why a failover would be refused; empty: nothing is known against it.
func (d *decision) foreseeable(c cause) (reason, message string) {
	voters := topology.Voters{}
	for i := range d.Members {
		if m := &d.Members[i]; m != d.source && m.answers() && m.Seen.Busy == "" && !d.errantOf(m) && !d.outdated(m) {
			voters[m.Name] = m.Seen.ServerID
		}
	}
	if len(voters) == 0 {
		return ReasonNoCandidate, "no other member answers"
	}
	if c.to == "" && !d.anyCandidate(voters) {
		return ReasonNoCandidate, "no member that answers may become the source" + d.whyNone(voters)
	}
	if d.Request.Sync {
		return d.lossRisk(voters)
	}
	from := d.source
	if len(d.Recorded.Durability) == 0 {
		return ReasonDataLossRisk, "the source's data was being replaced, and what became of that is not known: a member that has what was there before may lose what was put there"
	}
	if from == nil || !from.reachable() && !d.podEnded(from) {
		return ReasonNotFenced, "in rpl_async nothing but the end of the source's server keeps it from acknowledging commits, and its agent cannot be asked: " +
			"wait for the kubelet to report the end of its pod, taint its node out-of-service, or annotate the replication with unit-operator.io/force-promote"
	}
	if message := d.tooFarBehind(c.reason, voters); message != "" {
		return ReasonDataLossRisk, message
	}
	return "", ""
}

// anyCandidate: one of the voters may become the source.
func (d *decision) anyCandidate(voters topology.Voters) bool {
	for i := range d.Members {
		if m := &d.Members[i]; d.isVoter(voters, m) && m.Priority > 0 && d.unableInFailover(m) == "" {
			return true
		}
	}
	return false
}

// podEnded: the end of the pod that was the source is proven.
func (d *decision) podEnded(m *Member) bool {
	r := d.Recorded.Member(m.Name)
	return r != nil && r.PodUID != "" && r.PodUID == m.EndedPodUID
}

// lossRisk says why acknowledged commits may be on none of the voters; empty: they hold
// all of them. What the source itself acknowledged is judged by its entries. What its
// predecessors did was all in the position with which it became the source; their entries
// do not tell who has it now, for a member that received it may have given its relay log
// up to follow the new source.
func (d *decision) lossRisk(voters topology.Voters) (reason, message string) {
	own, before := d.promises()
	if len(before) > 0 {
		if missing := d.missingOf(voters); missing != "" {
			return ReasonDataLossRisk, "the members that answer lack what " + d.Recorded.Source + " had when it became the source: " + missing +
				"; a person may accept the loss by the annotation unit-operator.io/force-promote"
		}
	}
	if topology.HoldAll(own, voters) {
		return "", ""
	}
	if len(d.Recorded.Durability) == 0 {
		return ReasonDataLossRisk, "it is not recorded who holds what was acknowledged: no failover can be made without loss"
	}
	more, e := topology.Missing(own, voters)
	return ReasonDataLossRisk, "acknowledged commits may be on members that do not answer: " + count(int(more)) + " more of " + names(topology.RuleOf(e)) +
		" must answer, for " + count(int(e.W)) + " of " + count(len(e.Members)) + " acknowledged each; a person may accept the loss by the annotation unit-operator.io/force-promote"
}

// promises of the source's own server, and those of its predecessors.
func (d *decision) promises() (own, before []v1alpha1.ReplicationDurabilityEntry) {
	list := d.Recorded.Durability
	for _, e := range list {
		if e.Source == list[len(list)-1].Source {
			own = append(own, e)
		} else {
			before = append(before, e)
		}
	}
	return own, before
}

// missingOf says what the voters together lack of the position with which the source
// became it; empty: nothing.
func (d *decision) missingOf(voters topology.Voters) string {
	last := d.Recorded.LastTransition
	if last == nil {
		return ""
	}
	position, err := gtid.Parse(last.Position)
	if err != nil {
		return err.Error()
	}
	for i := range d.Members {
		if m := &d.Members[i]; d.isVoter(voters, m) {
			position = position.Subtract(m.holds())
		}
	}
	return shorten(position.String())
}

// tooFarBehind applies the limit of lag, where nobody acknowledges: what a member lacks is
// lost when it is promoted, what it received is not.
func (d *decision) tooFarBehind(reason string, voters topology.Voters) string {
	limit := d.Request.Failover.MaximumLag
	if limit == nil || d.Request.Sync || reason != ReasonSourceFailed {
		return ""
	}
	for i := range d.Members {
		m := &d.Members[i]
		if !d.isVoter(voters, m) {
			continue
		}
		if lag := d.lastLag(m); lag >= 0 && lag <= *limit {
			return ""
		}
	}
	if !d.sawSource() {
		return "how far the other members were behind when the source was last seen is not known to this process of the operator, which has not seen it, " +
			"and failover.maximumLagSeconds limits it: wait for the source, or accept what is lost by naming another member as source, which no limit holds for"
	}
	return "every other member was further behind than failover.maximumLagSeconds when the source was last seen: wait for the source, or accept what is lost by naming another member as source"
}

// sawSource: what the recorded source had is remembered, also if its pod came back with
// another server.
func (d *decision) sawSource() bool {
	ps, was := d.mem.Positions, d.Recorded.Member(d.Recorded.Source)
	return len(ps) > 0 && was != nil && ps[len(ps)-1].ServerID == was.ServerID
}

// lastLag is how long before the source was last seen it had no more than the member has
// received; -1: longer than is remembered.
func (d *decision) lastLag(m *Member) time.Duration {
	ps := d.mem.Positions
	if !d.sawSource() {
		return -1
	}
	for i := len(ps) - 1; i >= 0; i-- {
		if executed, ok := ps[i].Executed.(gtid.Set); ok && m.holds().Contains(executed) {
			return ps[len(ps)-1].At.Sub(ps[i].At)
		}
	}
	return -1
}

// fencing is a failover before its commit: members vote, the fence is proven, the best
// one applies what it has received, and the commit follows.
func (d *decision) fencing() {
	op := d.Recorded.Operation
	from := d.member(op.From)
	forced := op.Fence != nil && op.Fence.How == v1alpha1.FenceForced
	if d.mem.Aborting == "" {
		switch {
		case d.expired():
			d.abort("it took longer than %s", lasting(failoverTime))
		case !forced && from != nil && from.answers() && !d.lost(from) && d.proof(from) == "":
			d.abort("%s, the source, answers again", op.From)
		}
	}
	if d.mem.Aborting != "" {
		d.takeBackFailover(from)
		return
	}
	if d.callVotes(from) {
		return
	}
	voters := d.voters(from)
	how := d.fenced(from, voters, forced)
	if how == "" {
		d.plan.Message += "; waiting for the proof that " + op.From + " acknowledges nothing any more"
		d.requeue(500 * time.Millisecond)
		return
	}
	risk := ""
	switch {
	case forced:
	case d.Request.Sync:
		_, risk = d.lossRisk(voters)
	case len(d.mem.Positions) > 0:
		// Else another process has begun it, and has judged by what it had seen.
		risk = d.tooFarBehind(reasonOf(op), voters)
	}
	if risk != "" {
		d.abort("%s", risk)
		d.takeBackFailover(from)
		return
	}
	d.elect(from, voters, how)
}

// callVotes asks every member to receive nothing any more, and stops the former source
// if its agent answers. It reports whether there was anything to ask.
func (d *decision) callVotes(from *Member) bool {
	asked := false
	for i := range d.Members {
		m := &d.Members[i]
		switch r := d.ours(m); {
		case m == from && d.mem.Fenced != "" && r != nil && r.Role == topology.RoleIsolated && r.Epoch >= d.Recorded.Operation.Epoch && !m.open():
			// It was fenced, and starts read-only to be asked.
		case m == from:
			asked = d.stop(m) || asked
		case !m.Owned || d.votes(m, from):
		case d.copies(m, from):
			// It catches up from another member.
		case m.Seen != nil && m.Seen.Record != nil && m.Seen.Record.Role == topology.RoleSource:
			if d.runsForOther(m) {
				continue
			}
			asked = d.step(m, topology.Step{Kind: topology.StepDemote, Why: "it is not the source"}) || asked
		default:
			asked = d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "a vote: it acknowledges nothing of " + d.Recorded.Operation.From + " any more"}) || asked
		}
	}
	return asked
}

// stop the former source: one that answers is closed, the server of one that does not is
// held down.
func (d *decision) stop(from *Member) bool {
	if d.proof(from) != "" {
		return false
	}
	if from.answers() {
		return d.step(from, topology.Step{Kind: topology.StepDemote, Why: "it is being replaced as the source"})
	}
	if from.reachable() && (!from.Seen.Held(topology.HoldFence) || from.Seen.Epoch < d.Recorded.Operation.Epoch) {
		return d.step(from, topology.Step{Kind: topology.StepHold, Why: "it is being replaced as the source"})
	}
	return false
}

// votes: the member has promised in this operation to acknowledge nothing of the former
// source.
func (d *decision) votes(m, from *Member) bool {
	return m.answers() && d.fence().Vote(m.Member, m.Seen, m.receiving())
}

// copies: in this operation the member was asked to follow another one than the former
// source, which is as good as a vote.
func (d *decision) copies(m, from *Member) bool {
	r := d.ours(m)
	return r != nil && m.answers() && r.Role == topology.RoleReplica && r.Epoch >= d.Recorded.Operation.Epoch && r.Upstream.Name != d.Recorded.Operation.From
}

// runsForOther: the member is a closed source of this operation, from which another one
// catches up.
func (d *decision) runsForOther(m *Member) bool {
	r := d.ours(m)
	return r != nil && r.Role == topology.RoleSource && !r.Open && !m.open() && r.Epoch >= d.Recorded.Operation.Epoch
}

// voters whose positions count.
func (d *decision) voters(from *Member) topology.Voters {
	voters := topology.Voters{}
	for i := range d.Members {
		m := &d.Members[i]
		if m != from && (d.votes(m, from) || d.copies(m, from) || d.runsForOther(m)) && m.Seen.Busy == "" && !d.reportedErrant(m) && !d.outdated(m) {
			voters[m.Name] = m.Seen.ServerID
		}
	}
	return voters
}

// reportedErrant: it had transactions of its own when the source could be compared with.
func (d *decision) reportedErrant(m *Member) bool {
	r := d.Recorded.Member(m.Name)
	return r != nil && r.Errant != nil && (r.UnitUID == "" || r.UnitUID == m.UnitUID)
}

// fenced returns what proves that the former source acknowledges nothing.
func (d *decision) fenced(from *Member, voters topology.Voters, forced bool) v1alpha1.FenceProof {
	if how := d.proof(from); how != "" {
		return how
	}
	if own, _ := d.promises(); d.Request.Sync && promised(own) && topology.HoldAll(own, voters) {
		return v1alpha1.FenceQuorum
	}
	if forced {
		return v1alpha1.FenceForced
	}
	return ""
}

// promised: by every entry commits wait for somebody. A quorum fences no other source.
func promised(entries []v1alpha1.ReplicationDurabilityEntry) bool {
	for _, e := range entries {
		if e.W == 0 {
			return false
		}
	}
	return len(entries) > 0
}

// takeBackFailover has the voters follow the former source again, and lets that start.
func (d *decision) takeBackFailover(from *Member) {
	op := d.Recorded.Operation
	asked := false
	if from != nil && from.reachable() {
		switch {
		case from.Seen.Held(topology.HoldFence):
			asked = d.step(from, topology.Step{Kind: topology.StepUnhold, Why: "the failover is taken back"})
		case from.answers() && !d.lost(from) && !d.serves(from):
			asked = d.step(from, d.reopen(from))
		}
	}
	for i := range d.Members {
		m := &d.Members[i]
		r := d.ours(m)
		if m == from || from == nil || r == nil || !m.staysMember() || r.Epoch < op.Epoch || d.followsServer(m, from) || d.reportedErrant(m) || d.keepsOff(m, from) {
			continue
		}
		if r.Role == topology.RoleSource {
			asked = d.step(m, topology.Step{Kind: topology.StepDemote, Why: "the failover is taken back"}) || asked
			continue
		}
		step := d.followOf(m, from)
		if n := len(d.Recorded.Durability); n > 0 {
			step.Acknowledge = topology.RuleOf(d.Recorded.Durability[n-1]).Has(m.Name)
		}
		asked = d.step(m, step) || asked
	}
	if asked {
		return
	}
	why := d.mem.Aborting
	d.refuse()
	d.end(EventFailoverRefused, true, "%s stays the source: %s", op.From, why)
}
