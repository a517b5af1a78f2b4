// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

const (
	// switchoverTime and failoverTime are how long an operation may take before it is
	// taken back, or given up waiting for.
	switchoverTime = 60 * time.Second
	failoverTime   = 60 * time.Second
	// finishTime is how long transactions that change rows have to finish by themselves
	// before the source is closed and ends them.
	finishTime = 30 * time.Second
	// closedMost is how long the source may be closed before the switchover is taken back.
	closedMost = 10 * time.Second
	// waitSlice bounds one wait for transactions to be applied.
	waitSlice = 2 * time.Second
	// attachTime is how long a source that is ready waits closed for those that
	// acknowledge.
	attachTime = 5 * time.Second
	// attachPause is how long to wait before asking again whether they are attached.
	attachPause = 50 * time.Millisecond
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
	kind := "switchover"
	if t == v1alpha1.OperationFailover {
		kind = "failover"
	}
	now := stamp(d.Now)
	to.Operation = &v1alpha1.ReplicationOperation{
		// The reason is part of the identity, so that whoever resumes it knows it.
		ID: fmt.Sprintf("%s-%d-%s", kind, to.Epoch, c.reason), Type: t, Phase: phase, From: d.Recorded.Source, To: c.to, Epoch: to.Epoch,
		StartedAt: &now, Deadline: new(stamp(d.Now.Add(within))),
	}
	if c.forced {
		to.Operation.Fence = &v1alpha1.ReplicationFence{How: v1alpha1.FenceForced, At: &now}
	}
	event, message := EventSwitchoverStarted, fmt.Sprintf("%s is to become the source in place of %s (%s)", c.to, d.Recorded.Source, c.reason)
	if t == v1alpha1.OperationFailover {
		event, message = EventFailoverStarted, fmt.Sprintf("%s is to be replaced as the source (%s)", d.Recorded.Source, c.reason)
	}
	d.plan.State, d.plan.Reason, d.plan.Message = InOperation, phase, message
	d.change(topology.ChangeBegin, to, event, "%s", message)
	d.plan.Change.Warning = t == v1alpha1.OperationFailover
	d.mem.Own(to.Operation)
	d.mem.Begun = d.Now
}

// operate takes the next step of the recorded operation.
func (d *decision) operate() {
	op := d.Recorded.Operation
	d.requeue(workInterval)
	d.state(InOperation, op.Phase, "%s", describe(op))
	if d.mem.CommitUnknown {
		d.takeBackUnknown()
		return
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
		return op.To + " is the source and is being opened"
	case op.Type == v1alpha1.OperationSwitchover:
		return "the source's role passes from " + op.From + " to " + op.To
	}
	return op.From + " is being replaced as the source"
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

// proof that the former source acknowledges nothing; empty: none.
func (d *decision) proof(from *Member) v1alpha1.FenceProof {
	if from == nil {
		return ""
	}
	return d.fence().Proof(from.Member, from.Seen)
}

// commit makes another member the source. What was promised by the former one stays
// recorded until enough members hold what the new one has.
func (d *decision) commit(to *Member, how v1alpha1.FenceProof, position string) {
	op := d.Recorded.Operation
	next := d.Recorded.Clone()
	now := stamp(d.Now)
	next.Source = to.Name
	next.Operation.Phase, next.Operation.To, next.Operation.TargetPosition = topology.PhaseOpening, to.Name, position
	next.Operation.Fence = &v1alpha1.ReplicationFence{How: how, At: &now}
	next.Operation.Deadline = new(stamp(later(op.Deadline.Time, d.Now.Add(attachTime))))
	next.Durability = topology.Appended(next.Durability, d.entryAfter(to))
	next.LastTransition = &v1alpha1.ReplicationTransition{
		Type: op.Type, From: op.From, To: to.Name, Reason: reasonOf(op), At: now, Requested: d.Request.Source, Position: position,
	}
	setPod(&next, to)
	d.answerEvacuations(&next, to)
	d.change(topology.ChangeCommit, next, EventCommitted, "%s is the source now, %s was before (%s; its fence: %s)", to.Name, op.From, reasonOf(op), how)
	d.plan.Change.Warning = op.Type == v1alpha1.OperationFailover
	d.mem.Fenced, d.mem.Committed = how, true
}

// stamp is a time as the API keeps it: what is recorded compares equal to what is read
// back.
func stamp(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// entryAfter is what the new source promises: it waits for those that its predecessor
// waited for, and for the predecessor if that continues as a replica. After a failover the
// predecessor counts only if there is nobody else: it has to prove itself first.
func (d *decision) entryAfter(to *Member) v1alpha1.ReplicationDurabilityEntry {
	e := v1alpha1.ReplicationDurabilityEntry{Source: to.Seen.ServerID}
	if !d.Request.Sync {
		return e
	}
	e.Unacknowledged = to.Server.SemiSync.Unacknowledged
	op := d.Recorded.Operation
	var last topology.Rule
	if n := len(d.Recorded.Durability); n > 0 {
		last = topology.RuleOf(d.Recorded.Durability[n-1])
	}
	for i := range d.Members {
		m := &d.Members[i]
		was, in := last.Member(m.Name)
		switch {
		case m == to || !m.staysMember() || d.errantOf(m):
			continue
		case m.Name == op.From:
			if op.Type == v1alpha1.OperationFailover || m.PodTerminating {
				continue
			}
			was = d.durabilityMember(m)
		case !in:
			continue
		}
		e.Members = append(e.Members, was)
	}
	if from := d.member(op.From); len(e.Members) == 0 && from != nil && from != to && from.staysMember() && last.W > 0 {
		e.Members = append(e.Members, d.durabilityMember(from))
	}
	e.W = d.Request.Durability.Waits(len(e.Members))
	return e
}

// durabilityMember names a member by what it was last seen to be.
func (d *decision) durabilityMember(m *Member) v1alpha1.DurabilityMember {
	return v1alpha1.DurabilityMember{Name: m.Name, UnitUID: m.UnitUID, ServerUUID: d.upstream(m).ServerID}
}
