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

// opening follows the commit: the former primary is fenced, also if another process
// committed; the new one is promoted with its rule in force, and the timeline that it began
// is recorded; the others follow it.
func (d *decision) opening() {
	op := d.Recorded.Operation
	from, to := d.Member(op.From), d.Member(op.To)
	if to == nil {
		d.end(EventOpeningFailed, true, "%s, which was made the primary, is no member any more", op.To)
		return
	}
	if d.openingFails(from, to) || !d.fencedAgain(from, to) || !d.complete(from, to) {
		return
	}
	if d.recordSourcePod(to) || d.recordPromotion(to) || d.demoteStrays(to) {
		return
	}
	r, rule := d.ours(to), d.recordedRule()
	if !d.serves(to) || !r.Rule.Equal(rule) {
		if !d.promoteSource(rule) {
			d.plan.Message += "; " + d.whyNotPromoted(to)
		}
		return
	}
	if d.sendFollowers(to) {
		return
	}
	d.succeed()
}

func (d *decision) whyNotPromoted(to *Member) string {
	if d.notInForce != "" {
		return d.notInForce
	}
	return d.whyNot(to, topology.StepPromote)
}

// succeed ends the operation: the new primary is open.
func (d *decision) succeed() {
	op := d.Recorded.Operation
	event := EventSwitchoverDone
	if op.Type == v1alpha1.OperationFailover {
		event = EventFailoverDone
	}
	begun, took := d.mem.Begun, ""
	if begun.IsZero() && op.StartedAt != nil {
		// Another process has begun it, and the API keeps whole seconds.
		begun = op.StartedAt.Time
	}
	if !begun.IsZero() {
		took = ", " + lasting(d.Now.Sub(begun)) + " after it was begun"
	}
	d.mem.NotBefore, d.mem.Refusal = d.Now, ""
	d.mem.FailingSince, d.mem.BlockedSince = time.Time{}, time.Time{}
	d.mem = unsettled(d.mem)
	d.end(event, false, "%s is the primary and open%s", op.To, took)
}

// openingFails: the new primary's server does not come to be promoted, or has other data.
// Once its time is over the former one takes the role back, behind a fence as any other, or
// another member does if failovers are enabled; else it is waited for. The operation does
// not end before that: what the former primary had at last is asked for nowhere else.
func (d *decision) openingFails(from, to *Member) bool {
	if to.answers() && !d.lost(to) {
		return false
	}
	why := to.Name + " has other data than it had, or none"
	if !to.answers() {
		why = to.Name + " does not answer: " + waitingFor(to)
	}
	d.plan.Message += "; " + why
	switch {
	case d.forceOpening(), !to.answers() && !d.expired():
	case from != nil && from.answers() && d.beginFailover(cause{reason: ReasonTakenBack, to: from.Name}):
	case d.Request.Failover.Enabled && d.beginFailover(cause{reason: ReasonSourceFailed}):
	case d.fencedAgain(from, to):
		d.plan.Reason = ReasonUnreachable
		d.plan.Message += fmt.Sprintf("; it is waited for; a person may have another member promoted by the annotation unit-operator.io/force-promote: <member>/%d", d.Recorded.Epoch)
	}
	if d.plan.Change == nil && to.reachable() && !to.answers() {
		d.startStandby(to)
	}
	if d.plan.Change == nil && d.expired() && d.mem.Fenced != "" {
		d.startOthers(to)
	}
	return true
}

// startOthers as standbys: what they have is to be known before one of them can take the
// role. That goes for the former primary as well, which stays fenced as one.
func (d *decision) startOthers(to *Member) {
	for i := range d.Members {
		switch m := &d.Members[i]; {
		case m == to || !m.reachable() || m.answers():
		case m.Seen.Held(topology.HoldFence):
			d.letStart(m)
		default:
			d.startStandby(m)
		}
	}
}

// fencedAgain: this process has seen the former primary fenced in the operation's epoch.
// Whoever committed may have taken the commit back, not knowing that it was recorded.
func (d *decision) fencedAgain(from, to *Member) bool {
	op := d.Recorded.Operation
	switch r := d.ours(to); {
	case d.mem.Fenced != "":
		return true
	case r != nil && r.Role == topology.RoleSource:
		// Nobody promotes it before the commit is known to be recorded, and nobody takes
		// it back after that.
		d.mem.Fenced = v1alpha1.FenceStopped
		if op.Fence != nil {
			d.mem.Fenced = op.Fence.How
		}
		return true
	case from != nil && d.stop(from):
		// Also by force: one that can be stopped is.
		return false
	case op.Fence != nil && op.Fence.How == v1alpha1.FenceForced:
		d.mem.Fenced = v1alpha1.FenceForced
		return true
	}
	if how := d.proof(from); how != "" {
		d.mem.Fenced = how
		return true
	}
	if former := d.promisesBefore(); d.Request.Sync && len(former) > 0 {
		if d.callVotes(from) {
			return false
		}
		if d.silenced(former, d.voters()) {
			d.mem.Fenced = v1alpha1.FenceQuorum
			return true
		}
	}
	d.waitOpening(ReasonNotFenced, "waiting for the proof that "+op.From+" acknowledges nothing any more: for its agent to answer, or the end of the pod that was the primary, such as by the taint out-of-service of its node")
	return false
}

// stop the former primary: one that answers is demoted, the server of one that does not is
// held down, unless it is being started as a standby.
func (d *decision) stop(from *Member) bool {
	if d.proof(from) != "" {
		return false
	}
	if from.answers() {
		return d.step(from, topology.Step{Kind: topology.StepDemote, Why: "it is being replaced as the primary"})
	}
	if d.demoted(from) && !d.expired() {
		d.observe(from, "it is started as a standby")
		return true
	}
	if from.reachable() && (!from.Seen.Held(topology.HoldFence) || from.Seen.Epoch < d.Recorded.Operation.Epoch) {
		return d.step(from, topology.Step{Kind: topology.StepHold, Why: "it is being replaced as the primary"})
	}
	return false
}

// promisesBefore are those of the former primary: all but those of the timeline that the
// recorded promotion begins.
func (d *decision) promisesBefore() (list []v1alpha1.ReplicationDurabilityEntry) {
	for _, e := range d.Recorded.Durability {
		if e.Timeline != d.Recorded.Data.Timeline {
			list = append(list, e)
		}
	}
	return list
}

// waitOpening says what the new primary is waited for with, and what a person can do,
// unless a person has done it.
func (d *decision) waitOpening(reason, message string) {
	if d.forceOpening() {
		return
	}
	op := d.Recorded.Operation
	d.plan.Reason = reason
	d.plan.Message += fmt.Sprintf("; %s; a person may accept the loss of what only %s had by the annotation unit-operator.io/force-promote: %s/%d",
		message, op.From, op.To, d.Recorded.Epoch)
	if reason == ReasonNotFenced {
		d.plan.Message += "; make sure that " + op.From + " takes no writes"
	}
}

// forceOpening: a person accepts the loss, at this epoch. No more proof is waited for, or
// another member is promoted instead.
func (d *decision) forceOpening() bool {
	op := d.Recorded.Operation
	switch {
	case d.Request.Force == "" || d.Request.ForceEpoch != d.Recorded.Epoch:
		return false
	case d.Request.Force != op.To:
		return d.beginFailover(cause{reason: ReasonForced, to: d.Request.Force, forced: true})
	}
	to, now := d.Recorded.Clone(), stamp(d.Now)
	to.Epoch = d.highestEpoch() + 1
	to.Operation.Epoch, to.Operation.Fence = to.Epoch, &v1alpha1.ReplicationFence{How: v1alpha1.FenceForced, At: &now}
	d.warn(topology.ChangeResume, to, EventResumed, "%s is promoted by force: what only %s had is lost", op.To, op.From)
	d.mem.Own(to.Operation)
	return true
}

// complete: the new primary has all that the former one had when it was fenced. This is
// asked where another process committed: since the commit of a switchover the former primary
// may have been one again, and a quorum fences one that runs.
func (d *decision) complete(from, to *Member) bool {
	if to.primary() {
		return true
	}
	b, ok := to.stored()
	if !ok {
		d.observe(to, "it has to say how far it has WAL")
		return false
	}
	r := d.ours(to)
	if (r == nil || r.Role != topology.RoleSource) && !d.mem.Committed && d.mem.Fenced != v1alpha1.FenceForced {
		if why := d.asksFormer(from, to); d.plan.Change != nil {
			return false
		} else if why != "" {
			d.waitOpening(ReasonDataLossRisk, why)
			return false
		}
	}
	return !d.recordBegin(to, b)
}

// asksFormer says why the new primary may lack what was acknowledged; empty: it has all. The
// former primary is asked for that as a standby, or else those that it waited for.
func (d *decision) asksFormer(from, to *Member) (why string) {
	op := d.Recorded.Operation
	// One that has lost its data has nothing to say any more.
	known := from != nil && !(from.reachable() && (from.Seen.Pristine || d.foreign(from)))
	why = op.From + " may have acknowledged commits after " + to.Name + " was made the primary: waiting for its server, which is started as a standby to be asked"
	switch {
	case op.Type == v1alpha1.OperationFailover && d.mem.Fenced != v1alpha1.FenceQuorum:
		return ""
	case known && from.Seen.Held(topology.HoldFence):
		d.letStart(from)
		return why
	case known && from.answers() && d.proof(from) == v1alpha1.FenceClosed:
		lacks := lacking(to, from)
		if lacks != "" {
			d.giveBack(from, to)
		}
		return lacks
	case known && d.demoted(from):
		d.observe(from, "it is started as a standby")
		return why
	case known && from.reachable() && d.step(from, topology.Step{Kind: topology.StepDemote, Why: "it is to say in this operation how far it has WAL"}):
		// It was demoted in the operation of another process: that one may be promoting it.
		return why
	case !d.Request.Sync:
		return ""
	case d.callVotes(from):
		return op.From + " may have acknowledged commits after " + to.Name + " was made the primary: those that it waited for are asked"
	}
	voters, former := d.voters(), d.promisesBefore()
	if !d.silenced(former, voters) {
		return why + ", or for those that it waited for"
	}
	for _, e := range former {
		for _, was := range e.Members {
			if m := d.Member(was.Name); m != nil && m != to && voter(voters, m) && lacking(to, m) != "" {
				return lacking(to, m)
			}
		}
	}
	return ""
}

// giveBack makes the former primary the recorded one again: it was promoted again after a
// commit of which nobody knew, and has what the new one can get of nobody else. That was not
// promoted, nor will be: its agent has recorded so in this operation.
func (d *decision) giveBack(from, to *Member) {
	b, known := from.stored()
	if _, ok := to.stored(); !known || !ok {
		d.observe(from, "how far it has WAL is known once it has replayed that")
		return
	}
	if !d.votes(to) {
		d.step(to, topology.Step{Kind: topology.StepIsolate, Why: "it lacks what " + from.Name + " has, which takes its role back"})
		return
	}
	op := d.Recorded.Operation.DeepCopy()
	op.From, op.To = to.Name, from.Name
	d.Recorded.Operation = op
	d.commit(from, v1alpha1.FenceClosed, b.Position())
}

// recordBegin records where the promotion will begin, if the new primary has received more
// than it had at the commit: it is promoted from there, to a number that nobody has.
func (d *decision) recordBegin(to *Member, b wal.Branch) bool {
	if standing := d.StandingOf(b); standing != StandingBeyond && standing != StandingApart {
		return false
	}
	next := d.Recorded.Clone()
	timeline := d.NextTimeline()
	setTimeline(&next.Data, timeline, b.End)
	next.Operation.TargetPosition = b.End.String()
	next.Durability = topology.Appended(next.Durability, d.entryAfter(to, timeline))
	d.change(topology.ChangeData, next, "", "")
	return true
}

// recordPromotion records the timeline that the new primary has begun: of which number, and
// where. That may be before all that it had received, whose end was half a record.
func (d *decision) recordPromotion(to *Member) bool {
	r := d.ours(to)
	if !to.primary() || r == nil || r.Role != topology.RoleSource || to.Server.History.IsZero() {
		return false
	}
	history, data := to.Server.History, d.Recorded.Data
	begin, _ := history.Begin(history.Timeline())
	next := d.Recorded.Clone()
	if _, recorded, err := d.View.promotion(); err != nil || begin > recorded && d.Standing(to) != StandingCurrent {
		return false
	}
	setTimeline(&next.Data, history.Timeline(), begin)
	if next.Data.Timeline == data.Timeline && next.Data.BeginLSN == data.BeginLSN {
		return false
	}
	d.change(topology.ChangeData, next, EventTimeline, "%s has begun timeline %d at %s", to.Name, history.Timeline(), begin)
	return true
}

// sendFollowers has all others follow the new primary that can, at the same time.
func (d *decision) sendFollowers(to *Member) bool {
	asked := false
	for i := range d.Members {
		m := &d.Members[i]
		if m == to || !m.answers() || !m.stays() || len(m.Seen.Holds) > 0 || d.Rejoin(m.Name).Way != WayFollow || d.inForce(m) {
			continue
		}
		asked = d.step(m, d.follow(m, to)) || asked
	}
	return asked
}
