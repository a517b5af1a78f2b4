// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// evacuation answers the request that stands about a member; nil: none does.
func (d *decision) evacuation(m *Member) *v1alpha1.MemberEvacuation {
	if m.Evacuate == "" {
		return nil
	}
	answer := func(state v1alpha1.EvacuationState, reason, message string) *v1alpha1.MemberEvacuation {
		return &v1alpha1.MemberEvacuation{Request: m.Evacuate, State: state, Reason: reason, Message: message}
	}
	op := d.Recorded.Operation
	if op != nil && (op.To == m.Name || op.From == m.Name) {
		return answer(v1alpha1.EvacuationInProgress, string(InOperation), describe(op))
	}
	if d.Recorded.Source == m.Name || d.Recorded.Source == "" {
		return d.evacuationOfSource(m, answer)
	}
	if m.Evacuate == v1alpha1.EvacuationRestart {
		if m.open() {
			return answer(v1alpha1.EvacuationInProgress, ReasonWaiting, "it is being closed")
		}
		return answer(v1alpha1.EvacuationDone, "", "")
	}
	return d.evacuationForGood(m, answer)
}

type answerFunc func(state v1alpha1.EvacuationState, reason, message string) *v1alpha1.MemberEvacuation

func (d *decision) evacuationOfSource(m *Member, answer answerFunc) *v1alpha1.MemberEvacuation {
	if !d.others(m) {
		if m.Evacuate == v1alpha1.EvacuationRestart {
			return answer(v1alpha1.EvacuationDone, ReasonOnlyMember, "there is no other member that could be the source meanwhile")
		}
		return answer(v1alpha1.EvacuationRefused, ReasonOnlyMember, "it is the source and there is no other member: add one, or delete the replication")
	}
	message := "another member becomes the source first"
	if d.plan.State == SwitchoverDue {
		message = d.plan.Message
	}
	return answer(v1alpha1.EvacuationInProgress, ReasonNoCandidate, message)
}

// others: there is another member that could be the source some time.
func (d *decision) others(m *Member) bool {
	for i := range d.Members {
		if o := &d.Members[i]; o != m && o.staysMember() {
			return true
		}
	}
	return false
}

// evacuationForGood: done once commits wait for it no more, its agent has recorded that
// it receives nothing and is released, and the source has all that it has.
func (d *decision) evacuationForGood(m *Member, answer answerFunc) *v1alpha1.MemberEvacuation {
	if m.kept {
		return answer(v1alpha1.EvacuationRefused, ReasonDurability,
			"it is the last member that can acknowledge: change the mode to rpl_async first, or add a member")
	}
	switch {
	case d.inDurability(m):
		return answer(v1alpha1.EvacuationInProgress, ReasonDurability, "commits still wait for it")
	case m.reachable() && !(m.Seen.Record != nil && m.Seen.Record.Released && m.Seen.Record.Role == topology.RoleIsolated):
		return answer(v1alpha1.EvacuationInProgress, ReasonWaiting, "its agent is asked to receive nothing any more")
	case !m.reachable() && !d.silent(m):
		return answer(v1alpha1.EvacuationInProgress, ReasonUnreachable, "its agent does not answer: "+waitingFor(m))
	case d.errantOf(m):
		return answer(v1alpha1.EvacuationRefused, ReasonErrant, "it has transactions that the source has not: they would be lost with it")
	case d.source == nil || !d.source.answers():
		return answer(v1alpha1.EvacuationInProgress, ReasonWaiting, "whether the source has all that it has cannot be seen now")
	}
	return answer(v1alpha1.EvacuationDone, "", "")
}

// keepLast keeps the last member that acknowledges although its removal is asked for.
func (d *decision) keepLast() {
	if !d.Request.Sync {
		return
	}
	for i := range d.Members {
		m := &d.Members[i]
		if m.Evacuate == v1alpha1.EvacuationRemove && m.Name != d.Recorded.Source && !m.Leaving && !m.Isolated && d.inDurability(m) && !d.othersAcknowledge(m) {
			m.kept = true
		}
	}
}

// othersAcknowledge: without the member there would still be one that acknowledges.
func (d *decision) othersAcknowledge(m *Member) bool {
	for i := range d.Members {
		if o := &d.Members[i]; o != m && o.Name != d.Recorded.Source && o.staysMember() {
			return true
		}
	}
	return false
}

// answerEvacuations that a commit changes, in the same write: a member that becomes the
// source is not evacuated any more.
func (d *decision) answerEvacuations(to *topology.Recorded, source *Member) {
	m := to.Member(source.Name)
	if m == nil || m.Evacuation == nil {
		return
	}
	m.Evacuated = false
	m.Evacuation = &v1alpha1.MemberEvacuation{
		Request: m.Evacuation.Request, State: v1alpha1.EvacuationInProgress, Reason: ReasonNoCandidate, Message: "it became the source, for no other member could",
	}
}
