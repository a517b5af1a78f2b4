// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"slices"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// opening follows the commit: the former source is fenced, also if another process
// committed; the new one gets its rule, and is opened if enough of the others can
// acknowledge; the others follow it.
func (d *decision) opening() {
	op := d.Recorded.Operation
	from, to := d.member(op.From), d.member(op.To)
	if to == nil {
		d.end(EventFailoverRefused, true, "%s, which was made the source, is no member any more", op.To)
		return
	}
	if d.openingFails(from, to) {
		return
	}
	if !d.fencedAgain(from, to) || !d.complete(from, to) {
		return
	}
	if d.recordSourcePod(to) {
		return
	}
	r := d.ours(to)
	rule := d.recordedRule()
	open := d.mayOpen(to, rule) || d.willAttach(to, rule) >= int(rule.W)
	if r == nil || r.Role != topology.RoleSource || r.Epoch < op.Epoch && !to.open() || !r.Rule.Equal(rule) || open && !(to.open() && r.Open) {
		if !d.step(to, topology.Step{Kind: topology.StepPromote, Rule: rule, Open: open, ServerID: d.recordedServer(to), Generation: d.Recorded.Data.Generation, Why: "it is the source now"}) {
			d.plan.Message += ": " + d.whyNot(to, topology.StepPromote)
		}
		return
	}
	if d.sendFollowers(to) {
		return
	}
	switch {
	case to.open() && r.Open:
		d.succeed()
	case d.expired():
		// It continues as a closed source: it is opened when they are attached, or made a
		// copy of.
		d.end(EventOpenedLater, true, "%s is the source and stays closed until %d of %s replicate from it", to.Name, rule.W, names(rule))
	default:
		d.step(to, topology.Step{Kind: topology.StepObserve, Timeout: attachPause, Why: "waiting for those that acknowledge"})
	}
}

// willAttach counts the members of the rule that replicate from the new source, or will
// once they are asked to: it need not be kept closed for them, for until they do no commit is
// acknowledged.
func (d *decision) willAttach(to *Member, rule topology.Rule) int {
	n := 0
	for _, e := range rule.Members {
		m := d.member(e.Name)
		if m == nil || m == to || !m.answers() || len(m.Seen.Holds) > 0 || d.stray(m) || d.errantOf(m) || d.needsCopy(m) || d.apart(m) {
			continue
		}
		if _, refused := m.refused(topology.StepFollow); !refused {
			n++
		}
	}
	return n
}

// succeed ends the operation: the new source is open.
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
	d.mem.FailingSince, d.mem.BlockedSince = zeroTime, zeroTime
	d.unsettle()
	d.end(event, false, "%s is the source and open%s", op.To, took)
}

// openingFails gives the new source up if its server never came to be opened, or lost its
// data before it was: the former one takes the role back, behind a fence as any other.
func (d *decision) openingFails(from, to *Member) bool {
	op := d.Recorded.Operation
	lost := d.lost(to)
	if to.answers() && !lost {
		return false
	}
	why := to.Name + " came back with other data than it had, or with none"
	if !lost {
		why = to.Name + " does not answer: " + waitingFor(to)
	}
	d.plan.Message += "; " + why
	if d.forceOpening() || !lost && !d.expired() {
		return true
	}
	if from != nil && from.answers() && reasonOf(op) != ReasonTakenBack && d.beginFailover(cause{reason: ReasonTakenBack, to: from.Name}) {
		return true
	}
	if !d.fencedAgain(from, to) {
		// Nothing keeps the new source from being opened once the operation is over.
		return true
	}
	d.end(EventFailoverRefused, true, "%s is the source and was not opened (%s): it is judged as any source that fails", to.Name, why)
	return true
}

// fencedAgain: this process has seen the former source fenced in the operation's epoch.
// Whoever committed may have taken the commit back, not knowing that it was recorded.
func (d *decision) fencedAgain(from, to *Member) bool {
	op := d.Recorded.Operation
	switch r := d.ours(to); {
	case d.mem.Fenced != "":
		return true
	case r != nil && r.Role == topology.RoleSource:
		// Nobody promotes it before the commit is known to be recorded, and nobody takes
		// it back after that.
		d.mem.Fenced = op.Fence.How
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
	if former := d.predecessor(); d.Request.Sync && promised(former) {
		if d.callVotes(from) {
			return false
		}
		if topology.HoldAll(former, d.voters(from)) {
			d.mem.Fenced = v1alpha1.FenceQuorum
			return true
		}
	}
	d.waitOpening(ReasonNotFenced, "waiting for the proof that "+op.From+" acknowledges nothing any more: for its agent to answer, or the end of the pod that was the source, such as by the taint out-of-service of its node")
	return false
}

// predecessor is what the former source's own server promised. What those before it had
// acknowledged is in the position that was recorded.
func (d *decision) predecessor() []v1alpha1.ReplicationDurabilityEntry {
	_, before := d.promises()
	if len(before) == 0 {
		return nil
	}
	last := before[len(before)-1].Source
	return slices.DeleteFunc(before, func(e v1alpha1.ReplicationDurabilityEntry) bool { return e.Source != last })
}

// waitOpening says what the new source is waited for with, and what a person can do,
// unless a person has done it.
func (d *decision) waitOpening(reason, message string) {
	if d.forceOpening() {
		return
	}
	d.plan.Reason = reason
	op := d.Recorded.Operation
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
	d.warn(topology.ChangeResume, to, EventResumed, "%s is opened by force: what only %s had is lost", op.To, op.From)
	d.mem.Own(to.Operation)
	return true
}

// complete: the new source has all that the former one had when it was fenced. If that
// cannot be asked, all that those have one of whom must have what was acknowledged: since
// the commit of a switchover the former source may have been open again.
func (d *decision) complete(from, to *Member) bool {
	op := d.Recorded.Operation
	if r := d.ours(to); r != nil && r.Role == topology.RoleSource || d.mem.Committed || d.mem.Fenced == v1alpha1.FenceForced {
		return true
	}
	all, err := gtid.Parse(op.TargetPosition)
	if err != nil {
		d.waitOpening(ReasonDataLossRisk, "the position that was recorded cannot be read: "+shorten(err.Error()))
		return false
	}
	former, switchover := d.predecessor(), op.Type == v1alpha1.OperationSwitchover
	var top *Member
	switch {
	case d.mem.Fenced == v1alpha1.FenceClosed && !switchover:
		// What the closed source alone has was never acknowledged, or is given up with it.
		return true
	case switchover && from != nil && from.answers() && d.proof(from) == v1alpha1.FenceClosed && (len(former) == 0 || former[0].Source == from.Seen.ServerID):
		top, all = from, all.Union(from.Server.Executed)
	case d.Request.Sync && (switchover || d.mem.Fenced == v1alpha1.FenceQuorum):
		if switchover && from != nil && from.Seen.Held(topology.HoldFence) && d.letStart(from) || d.callVotes(from) {
			return false
		}
		voters := d.voters(from)
		if top = d.top(voters); top == nil || !topology.HoldAll(former, voters) {
			d.waitOpening(ReasonDataLossRisk, op.From+" may have acknowledged commits after "+op.To+" was made the source, and they may be on members that do not answer: "+
				"waiting for its server, or for those that it waited for")
			return false
		}
		all = all.Union(top.holds())
		if !top.holds().Union(to.holds()).Contains(all) {
			d.waitOpening(ReasonDataLossRisk, "nobody that answers has all that "+op.From+" had when "+op.To+" was made the source")
			return false
		}
	}
	switch {
	case to.Server.Executed.Contains(all):
		return true
	case top == nil || to.holds().Contains(all):
		if c := to.Server.Channel; c != nil && c.ApplierError != "" {
			d.waitOpening(ReasonReplicating, to.Name+" cannot apply what it received: "+shorten(c.ApplierError))
		} else if d.expired() && !to.holds().Contains(all) {
			d.waitOpening(ReasonDataLossRisk, to.Name+" has not got what it lacks")
		}
		if d.plan.Change == nil {
			d.await(to, all)
		}
	default:
		why := d.catchUp(to, top)
		if why == "" {
			why = d.notCaughtUp(to, top)
		}
		if why != "" {
			d.waitOpening(ReasonDataLossRisk, why)
		}
	}
	return false
}

// notCaughtUp says why a member that is to catch up from another one may never do so;
// empty: it may yet.
func (d *decision) notCaughtUp(to, top *Member) string {
	why := to.Name + " has not got from " + top.Name + " what it lacks"
	c := to.Server.Channel
	switch {
	case c != nil && c.ApplierError != "":
		return why + ": " + shorten(c.ApplierError)
	case c != nil && c.ReceiverError != "" && d.followsServer(to, top):
		return why + ": " + shorten(c.ReceiverError)
	case d.expired():
		return why
	}
	return ""
}

// sendFollowers has all others follow the new source, at the same time.
func (d *decision) sendFollowers(to *Member) bool {
	asked := false
	for i := range d.Members {
		m := &d.Members[i]
		if m == to || !m.reachable() || !m.staysMember() {
			continue
		}
		if d.stray(m) {
			asked = d.step(m, topology.Step{Kind: topology.StepDemote, Why: "it is not the source any more"}) || asked
			continue
		}
		if !m.answers() || len(m.Seen.Holds) > 0 || d.errantOf(m) || d.needsCopy(m) || d.apart(m) || d.inForce(m) {
			continue
		}
		asked = d.step(m, d.follow(m)) || asked
	}
	return asked
}
