// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
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
	if to := d.Member(c.to); c.to != "" && (to == nil || d.incapable(to) != "" || d.foreign(to)) {
		why := "it is no member, or has another database"
		if to != nil && d.incapable(to) != "" {
			why = d.incapable(to)
		}
		d.find("", ReasonTargetUnfit, c.to+" cannot become the primary: "+why)
		return false
	}
	d.begin(v1alpha1.OperationFailover, topology.PhaseFencing, c, failoverTime)
	return true
}

// foreseeable says why a failover would be refused; empty: nothing is known against it.
func (d *decision) foreseeable(c cause) (reason, message string) {
	var voters []string
	for i := range d.Members {
		if m := &d.Members[i]; m != d.source && m.answers() && m.Seen.Busy == "" {
			voters = append(voters, m.Name)
		}
	}
	if len(voters) == 0 {
		return ReasonNoCandidate, "no other member answers"
	}
	if risk := d.lossRisk(voters); risk != "" {
		return ReasonDataLossRisk, risk + acceptLoss
	}
	if _, _, why := d.elected(voters, c.to); why != "" {
		return ReasonNoCandidate, why
	}
	if d.Request.Sync {
		return "", ""
	}
	if from := d.source; from == nil || !from.reachable() && !d.podEnded(from) {
		return ReasonNotFenced, "in rpl_async nothing but the end of the primary's server keeps it from acknowledging commits, and its agent cannot be asked: " +
			"wait for the kubelet to report the end of its pod, taint its node out-of-service, or annotate the replication with unit-operator.io/force-promote"
	}
	if message := d.tooFarBehind(c.reason, voters); message != "" {
		return ReasonDataLossRisk, message
	}
	return "", ""
}

const acceptLoss = "; a person may accept the loss by the annotation unit-operator.io/force-promote"

// podEnded: the end of the pod that was the primary is proven.
func (d *decision) podEnded(m *Member) bool {
	r := d.Recorded.Member(m.Name)
	return r != nil && r.PodUID != "" && r.PodUID == m.EndedPodUID
}

// elected of the voters: the member that is asked for, if it has all that any of them has,
// else the best.
func (d *decision) elected(voters []string, asked string) (to *Member, at wal.Position, why string) {
	if asked == "" {
		e := d.Elect(voters, false)
		return d.Member(e.To), e.Position, e.Why
	}
	m, top := d.Member(asked), d.top(voters)
	switch {
	case m == nil || !voter(voters, m):
		return nil, at, asked + " does not answer, or is no member"
	case top == nil:
		return nil, at, "none of the members that answer has all that the others have"
	case d.incapable(m) != "":
		return nil, at, asked + " cannot become the primary: " + d.incapable(m)
	}
	if lacks := lacking(m, top); lacks != "" {
		return nil, at, lacks
	}
	b, _ := m.stored()
	return m, b.Position(), ""
}

// tooFarBehind applies the limit of lag, where nobody acknowledges: what a member lacks is
// lost when it is promoted, what it received is not.
func (d *decision) tooFarBehind(reason string, voters []string) string {
	limit, ps := d.Request.Failover.MaximumLag, d.mem.Positions
	if limit == nil || d.Request.Sync || reason != ReasonSourceFailed {
		return ""
	}
	if len(ps) == 0 {
		return "how far the other members were behind when the primary was last seen is not known to this process of the operator, which has not seen it, " +
			"and failover.maximumLagSeconds limits it: wait for the primary, or accept what is lost by naming another member as primary, which no limit holds for"
	}
	last := ps[len(ps)-1].At
	for i := range d.Members {
		m := &d.Members[i]
		b, ok := m.stored()
		if !ok || !voter(voters, m) {
			continue
		}
		for j := len(ps) - 1; j >= 0 && last.Sub(ps[j].At) <= *limit; j-- {
			if position, ok := ps[j].Executed.(wal.Position); ok && d.reaches(b, position) {
				return ""
			}
		}
	}
	return "every other member was further behind than failover.maximumLagSeconds when the primary was last seen: wait for the primary, or accept what is lost by naming another member as primary"
}

// fencing is a failover before its commit: members vote, the fence is proven, and the one
// that has all that the voters have is recorded as the primary.
func (d *decision) fencing() {
	op := d.Recorded.Operation
	from := d.Member(op.From)
	forced := op.Fence != nil && op.Fence.How == v1alpha1.FenceForced
	if d.mem.Aborting == "" {
		switch {
		case d.expired():
			d.abort("it took longer than %s", lasting(failoverTime))
		case !forced && from != nil && from.primary() && !d.lost(from):
			d.abort("%s, the primary, answers again", op.From)
		}
	}
	if d.mem.Aborting != "" {
		d.takeBackFailover(from)
		return
	}
	if d.callVotes(from) {
		return
	}
	voters := d.voters()
	how := d.fenced(from, voters, forced)
	if how == "" {
		d.plan.Message += "; waiting for the proof that " + op.From + " acknowledges nothing any more"
		d.requeue(500 * time.Millisecond)
		return
	}
	to, at, why := d.judged(voters, forced)
	switch {
	case why != "" && d.awaitsVotes(from):
		d.plan.Message += "; waiting for votes: " + why
	case why != "":
		d.abort("%s", why)
		d.takeBackFailover(from)
	case to == from:
		d.abort("%s has more than the others, and answers as a standby", op.From)
		d.takeBackFailover(from)
	default:
		d.commit(to, how, at)
	}
}

// judged is who is made the primary by the votes, and why nobody is. By force it is the
// member that a person named, with what it has.
func (d *decision) judged(voters []string, forced bool) (to *Member, at wal.Position, why string) {
	op := d.Recorded.Operation
	if forced {
		m := d.Member(op.To)
		if m == nil || d.incapable(m) != "" || d.foreign(m) {
			return nil, at, op.To + " cannot become the primary any more"
		}
		b, ok := m.stored()
		if !ok {
			return nil, at, op.To + " does not say how far it has WAL"
		}
		return m, b.Position(), ""
	}
	if risk := d.lossRisk(voters); risk != "" {
		return nil, at, risk
	}
	if len(d.mem.Positions) > 0 {
		// Else another process has begun it, and has judged by what it had seen.
		if why := d.tooFarBehind(reasonOf(op), voters); why != "" {
			return nil, at, why
		}
	}
	return d.elected(voters, op.To)
}

// callVotes asks every member to receive nothing any more, and stops the former primary if
// its agent answers. It reports whether there was anything to ask.
func (d *decision) callVotes(from *Member) bool {
	asked := false
	for i := range d.Members {
		m := &d.Members[i]
		switch {
		case m == from && d.mem.Fenced != "":
			// It was fenced, and may be started as a standby to be asked.
		case m == from:
			asked = d.stop(m) || asked
		case !m.Owned || d.votes(m) || d.demoted(m):
		case d.stray(m):
			asked = d.step(m, topology.Step{Kind: topology.StepDemote, Why: "it is not the primary"}) || asked
		default:
			asked = d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "a vote: it acknowledges nothing of " + d.Recorded.Operation.From + " any more"}) || asked
		}
	}
	return asked
}

// votes: the member has promised in this operation to acknowledge nothing of the former
// primary.
func (d *decision) votes(m *Member) bool {
	return m.answers() && !m.primary() && d.fence().Vote(m.Member, m.Seen, m.receiving())
}

// awaitsVotes asks again those that are about to say how far they have WAL: their servers are
// being started, or replay what they have. It reports whether there are any.
func (d *decision) awaitsVotes(from *Member) bool {
	waits := false
	for i := range d.Members {
		m := &d.Members[i]
		if _, known := m.stored(); m != from && (d.demoted(m) || d.votes(m) && !known) {
			d.observe(m, "how far it has WAL is known once it has replayed that")
			waits = true
		}
	}
	return waits
}

// voters whose positions count, as far as they say how far they have WAL. A former primary
// that was made a standby is one of them.
func (d *decision) voters() (names []string) {
	for i := range d.Members {
		m := &d.Members[i]
		if _, known := m.stored(); known && d.votes(m) && m.Seen.Busy == "" {
			names = append(names, m.Name)
		}
	}
	return names
}

// fenced returns what proves that the former primary acknowledges nothing.
func (d *decision) fenced(from *Member, voters []string, forced bool) v1alpha1.FenceProof {
	if how := d.proof(from); how != "" {
		return how
	}
	if d.Request.Sync && d.silenced(d.Recorded.Durability, voters) {
		return v1alpha1.FenceQuorum
	}
	if forced {
		return v1alpha1.FenceForced
	}
	return ""
}

// silenced: so many of those that commits wait for receive nothing any more that too few are
// left to acknowledge one, by every entry. A quorum fences nobody who waits for nobody.
func (d *decision) silenced(entries []v1alpha1.ReplicationDurabilityEntry, voters []string) bool {
	for _, e := range entries {
		named := topology.Voters{}
		for _, was := range e.Members {
			if m := d.Member(was.Name); m != nil && voter(voters, m) && sameUnit(was, m) {
				named[was.Name] = ""
			}
		}
		if more, _ := topology.Missing([]v1alpha1.ReplicationDurabilityEntry{e}, named); e.W == 0 || more > 0 {
			return false
		}
	}
	return len(entries) > 0
}

// takeBackFailover has the voters follow the former primary again, and lets that start.
func (d *decision) takeBackFailover(from *Member) {
	op := d.Recorded.Operation
	asked := false
	if from != nil && from.reachable() && !d.serves(from) && (from.Seen.Held(topology.HoldFence) || from.answers()) {
		asked = d.reopen(from)
	}
	for i := range d.Members {
		m := &d.Members[i]
		r := d.ours(m)
		if m == from || from == nil || r == nil || r.Epoch < op.Epoch || !m.stays() || !m.answers() || m.primary() || d.gaveUp(m) || d.foreign(m) || d.follows(m, from) {
			continue
		}
		asked = d.step(m, d.follow(m, from)) || asked
	}
	if asked {
		return
	}
	why := d.mem.Aborting
	d.refuse()
	if d.neverPromoted() {
		d.openAgain("%s was not replaced as the primary, which it is to be: %s", op.From, why)
		return
	}
	d.end(EventFailoverRefused, true, "%s stays the primary: %s", op.From, why)
}

// neverPromoted: as far as can be seen the recorded primary has not begun the timeline that
// is recorded for it: nobody who answers has come to that.
func (d *decision) neverPromoted() bool {
	last, data := d.Recorded.LastTransition, d.Recorded.Data
	if last == nil || last.From == "" || last.To != d.Recorded.Source || last.Position != data.BeginLSN {
		return false
	}
	for i := range d.Members {
		if m := &d.Members[i]; m.Server != nil && d.StandingOf(wal.Branch{History: m.Server.History, End: wal.Unlimited}) == StandingCurrent {
			return false
		}
	}
	return true
}

// openAgain continues with the promotion of the recorded primary: what its predecessor had
// at last is asked for again before that.
func (d *decision) openAgain(format string, args ...any) {
	to, last := d.Recorded.Clone(), d.Recorded.LastTransition
	op := to.Operation
	op.ID = fmt.Sprintf("%s-%d-%s", kindOf(last.Type), d.Recorded.Epoch, last.Reason)
	op.Type, op.Phase, op.From, op.To, op.TargetPosition, op.Fence = last.Type, topology.PhaseOpening, last.From, last.To, last.Position, nil
	op.Deadline = new(stamp(d.Now.Add(openTime)))
	d.warn(topology.ChangeResume, to, EventFailoverRefused, format, args...)
	d.mem.Forget()
}
