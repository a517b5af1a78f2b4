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

const (
	// switchoverTime and failoverTime are how long an operation may take before it is taken
	// back, or waited for no longer.
	switchoverTime = 60 * time.Second
	failoverTime   = 60 * time.Second
	// closedMost is how long the primary may be stopped before the switchover is taken back:
	// it is stopped cleanly, and started as a standby, within that.
	closedMost = 15 * time.Second
	// openTime is how long a primary that is committed has to be promoted.
	openTime = 10 * time.Second
	// askPause is how long to wait before asking again how far a member has come.
	askPause = 50 * time.Millisecond
	// retryAfter one that was taken back.
	retryAfter = 15 * time.Second
)

// cause of an operation.
type cause struct {
	// reason in one word.
	reason string
	// to is the member that is asked for; empty: the best one.
	to string
	// forced: acknowledged commits may be lost.
	forced bool
}

// begin records an operation, before its first call.
func (d *decision) begin(t v1alpha1.ReplicationOperationType, phase string, c cause, within time.Duration) {
	to := d.Recorded.Clone()
	to.Epoch = d.highestEpoch() + 1
	event := EventSwitchoverStarted
	message := fmt.Sprintf("%s is to become the primary in place of %s (%s)", c.to, d.Recorded.Source, c.reason)
	if t == v1alpha1.OperationFailover {
		event = EventFailoverStarted
		message = fmt.Sprintf("%s is to be replaced as the primary (%s)", d.Recorded.Source, c.reason)
	}
	now := stamp(d.Now)
	to.Operation = &v1alpha1.ReplicationOperation{
		// The reason is part of the identity, so that whoever resumes it knows it.
		ID: fmt.Sprintf("%s-%d-%s", kindOf(t), to.Epoch, c.reason), Type: t, Phase: phase, From: d.Recorded.Source, To: c.to, Epoch: to.Epoch,
		StartedAt: &now, Deadline: new(stamp(d.Now.Add(within))),
	}
	if c.forced {
		to.Operation.Fence = &v1alpha1.ReplicationFence{How: v1alpha1.FenceForced, At: &now}
	}
	d.plan.State, d.plan.Reason, d.plan.Message = InOperation, phase, message
	d.change(topology.ChangeBegin, to, event, "%s", message)
	d.plan.Change.Warning = t == v1alpha1.OperationFailover
	d.mem.Own(to.Operation)
	d.mem.Begun = d.Now
}

// kindOf an operation, as its identity has it.
func kindOf(t v1alpha1.ReplicationOperationType) string {
	if t == v1alpha1.OperationFailover {
		return "failover"
	}
	return "switchover"
}

// operate takes the next step of the recorded operation.
func (d *decision) operate() {
	op := d.Recorded.Operation
	d.requeue(workInterval)
	d.state(InOperation, op.Phase, "%s", describe(op))
	if d.mem.CommitUnknown && op.Phase == topology.PhasePreparing && d.mem.Owns(op) {
		d.takeBackUnknown()
		return
	}
	if d.mem.CommitUnknown {
		// What was recorded has been read since. Whoever continues begins with the fence, for
		// the old primary may have been promoted again.
		d.mem.Forget()
	}
	if !d.mem.Owns(op) {
		to := d.Recorded.Clone()
		to.Epoch = d.highestEpoch() + 1
		to.Operation.Epoch = to.Epoch
		d.change(topology.ChangeResume, to, EventResumed, "%s continues in the phase %s, at epoch %d", op.ID, op.Phase, to.Epoch)
		d.mem.Own(to.Operation)
		return
	}
	switch op.Phase {
	case topology.PhaseOpening:
		d.opening()
	case topology.PhaseFencing:
		d.fencing()
	default:
		d.preparing()
	}
}

// describe an operation in words.
func describe(op *v1alpha1.ReplicationOperation) string {
	switch {
	case op.Phase == topology.PhaseOpening:
		return op.To + " is the primary and is being promoted"
	case op.Type == v1alpha1.OperationFailover:
		return op.From + " is being replaced as the primary"
	}
	return "the primary's role passes from " + op.From + " to " + op.To
}

// reasonOf an operation, as begin has put it into the identity.
func reasonOf(op *v1alpha1.ReplicationOperation) string {
	for i := len(op.ID) - 1; i >= 0; i-- {
		if op.ID[i] == '-' {
			return op.ID[i+1:]
		}
	}
	return ""
}

// expired: the operation's time is over.
func (d *decision) expired() bool {
	deadline := d.Recorded.Operation.Deadline
	return deadline != nil && !d.Now.Before(deadline.Time)
}

// end the operation.
func (d *decision) end(event string, warning bool, format string, args ...any) {
	to := d.Recorded.Clone()
	to.Operation = nil
	d.change(topology.ChangeEnd, to, event, format, args...)
	d.plan.Change.Warning = warning
	d.mem.Forget()
}

// abort remembers why the operation is being taken back.
func (d *decision) abort(format string, args ...any) {
	if d.mem.Aborting == "" {
		d.mem.Aborting = fmt.Sprintf(format, args...)
	}
	d.plan.Message += "; it is being taken back: " + d.mem.Aborting
}

// refuse to try again for a while.
func (d *decision) refuse() {
	d.mem.NotBefore, d.mem.Refusal = d.Now.Add(retryAfter), d.mem.Aborting
}

// fence of the present operation.
func (d *decision) fence() topology.Fence {
	f := topology.Fence{Epoch: d.Recorded.Operation.Epoch, Replication: d.Request.UID}
	if m := d.Recorded.Member(d.Recorded.Operation.From); m != nil {
		f.Pod = m.PodUID
	}
	return f
}

// proof that the former primary acknowledges nothing; empty: none. One that answers as a
// standby has been stopped: nothing but a promotion makes it a primary again.
func (d *decision) proof(from *Member) v1alpha1.FenceProof {
	if from == nil {
		return ""
	}
	return d.fence().Proof(from.Member, from.Seen)
}

// commit makes another member the primary, with the timeline that its promotion begins and
// what it promises on that. What was promised by the former one stays recorded until
// enough members have what the new one has.
func (d *decision) commit(to *Member, how v1alpha1.FenceProof, position wal.Position) {
	op := d.Recorded.Operation
	next := d.Recorded.Clone()
	now := stamp(d.Now)
	timeline := d.NextTimeline()
	next.Source = to.Name
	next.Operation.Phase, next.Operation.To, next.Operation.TargetPosition = topology.PhaseOpening, to.Name, position.LSN.String()
	next.Operation.Fence = &v1alpha1.ReplicationFence{How: how, At: &now}
	next.Operation.Deadline = new(stamp(later(op.Deadline.Time, d.Now.Add(openTime))))
	setTimeline(&next.Data, timeline, position.LSN)
	next.Durability = topology.Appended(next.Durability, d.entryAfter(to, timeline))
	next.LastTransition = &v1alpha1.ReplicationTransition{
		Type: op.Type, From: op.From, To: to.Name, Reason: reasonOf(op), At: now, Requested: d.Request.Source, Position: position.LSN.String(),
	}
	setPod(&next, to)
	answerEvacuation(&next, to)
	d.change(topology.ChangeCommit, next, EventCommitted, "%s is the primary now, %s was before (%s; its fence: %s)", to.Name, op.From, reasonOf(op), how)
	d.plan.Change.Warning = op.Type == v1alpha1.OperationFailover
	d.mem.Fenced, d.mem.Committed = how, true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// entryAfter is what the new primary promises on its timeline: it waits for those that its
// predecessor waited for, and for the predecessor if that continues as a standby. After a
// failover that counts only if there is nobody else: it has to prove itself first.
func (d *decision) entryAfter(to *Member, timeline wal.Timeline) v1alpha1.ReplicationDurabilityEntry {
	e := v1alpha1.ReplicationDurabilityEntry{Source: d.Recorded.Data.SystemID, Timeline: int64(timeline)}
	if !d.Request.Sync {
		return e
	}
	op, last := d.Recorded.Operation, d.recordedRule()
	for i := range d.Members {
		m := &d.Members[i]
		was, in := last.Member(m.Name)
		switch {
		case m == to || !m.stays() || m.reachable() && m.Seen.Pristine || d.foreign(m):
		case m.Name == op.From:
			if !m.PodTerminating && op.Type != v1alpha1.OperationFailover {
				e.Members = append(e.Members, durabilityMember(m))
			}
		case in && sameUnit(was, m):
			e.Members = append(e.Members, was)
		}
	}
	if from := d.Member(op.From); len(e.Members) == 0 && from != nil && from != to && from.stays() && last.W > 0 {
		e.Members = append(e.Members, durabilityMember(from))
	}
	e.W = d.Request.Durability.Waits(len(e.Members))
	return e
}

// answerEvacuation that a commit changes, in the same write: a member that becomes the
// primary is not evacuated any more.
func answerEvacuation(to *topology.Recorded, source *Member) {
	m := to.Member(source.Name)
	if m == nil || m.Evacuation == nil {
		return
	}
	m.Evacuated = false
	m.Evacuation = &v1alpha1.MemberEvacuation{
		Request: m.Evacuation.Request, State: v1alpha1.EvacuationInProgress, Reason: ReasonNoCandidate, Message: "it became the primary, for no other member could",
	}
}
