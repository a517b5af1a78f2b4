// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
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
		if m == nil || m == to || !m.answers() || len(m.Seen.Holds) > 0 || d.stray(m) || d.errantOf(m) || d.needsCopy(m) {
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
	took := ""
	if op.StartedAt != nil {
		took = d.Now.Sub(op.StartedAt.Time).String()
	}
	d.mem.NotBefore, d.mem.Refusal = d.Now, ""
	d.mem.FailingSince, d.mem.BlockedSince, d.mem.Settled = zeroTime, zeroTime, zeroTime
	d.end(event, false, "%s is the source and open, %s after it was begun", op.To, took)
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
	if !lost && !d.expired() {
		return true
	}
	if from != nil && from.answers() && reasonOf(op) != ReasonTakenBack && d.beginFailover(cause{reason: ReasonTakenBack, to: from.Name}) {
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
	case op.Fence != nil && op.Fence.How == v1alpha1.FenceForced:
		d.mem.Fenced = v1alpha1.FenceForced
		return true
	}
	if how := d.proof(from); how != "" {
		d.mem.Fenced = how
		return true
	}
	if from != nil && d.stop(from) {
		return false
	}
	if _, before := d.promises(); d.Request.Sync && promised(before) {
		asked := false
		voters := topology.Voters{}
		for i := range d.Members {
			m := &d.Members[i]
			switch {
			case m == from || !m.Owned:
			case d.votes(m, from):
				voters[m.Name] = m.Seen.ServerID
			default:
				asked = d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "a vote: it acknowledges nothing of " + op.From + " any more"}) || asked
			}
		}
		if asked {
			return false
		}
		if topology.HoldAll(before, voters) {
			d.mem.Fenced = v1alpha1.FenceQuorum
			return true
		}
	}
	d.plan.Message += "; waiting for the proof that " + op.From + " acknowledges nothing any more"
	return false
}

// complete: the new source has all that the former one had when it was fenced, and all
// that those that were isolated have.
func (d *decision) complete(from, to *Member) bool {
	op := d.Recorded.Operation
	if r := d.ours(to); r != nil && r.Role == topology.RoleSource {
		return true
	}
	if d.mem.Fenced == v1alpha1.FenceForced {
		return true
	}
	all, err := gtid.Parse(op.TargetPosition)
	if err != nil {
		d.plan.Message += "; the position that was recorded cannot be read: " + shorten(err.Error())
		return false
	}
	switch d.mem.Fenced {
	case v1alpha1.FenceClosed:
		if from != nil && from.answers() {
			all = all.Union(from.Server.Executed)
		}
	case v1alpha1.FenceQuorum:
		for i := range d.Members {
			if m := &d.Members[i]; m != to && m != from && d.votes(m, from) && !d.reportedErrant(m) {
				all = all.Union(m.holds())
			}
		}
	}
	if to.Server.Executed.Contains(all) {
		return true
	}
	if op.Type == v1alpha1.OperationFailover && d.mem.Fenced == v1alpha1.FenceClosed {
		// What the closed source alone has was never acknowledged, or is given up with it.
		return true
	}
	d.await(to, all)
	return false
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
		if !m.answers() || len(m.Seen.Holds) > 0 || d.errantOf(m) || d.needsCopy(m) || d.inForce(m) {
			continue
		}
		asked = d.step(m, d.follow(m)) || asked
	}
	return asked
}
