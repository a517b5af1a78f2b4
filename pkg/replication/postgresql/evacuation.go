// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

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
	if op := d.Recorded.Operation; op != nil && (op.To == m.Name || op.From == m.Name) {
		return answer(v1alpha1.EvacuationInProgress, string(InOperation), describe(op))
	}
	if d.Recorded.Source == m.Name || d.Recorded.Source == "" {
		return d.evacuationOfSource(m, answer)
	}
	if m.Evacuate == v1alpha1.EvacuationRestart {
		if m.primary() {
			return answer(v1alpha1.EvacuationInProgress, ReasonWaiting, "it is being demoted")
		}
		return answer(v1alpha1.EvacuationDone, "", "")
	}
	return d.evacuationForGood(m, answer)
}

type answerFunc func(state v1alpha1.EvacuationState, reason, message string) *v1alpha1.MemberEvacuation

func (d *decision) evacuationOfSource(m *Member, answer answerFunc) *v1alpha1.MemberEvacuation {
	if !d.others(m) {
		if m.Evacuate == v1alpha1.EvacuationRestart {
			return answer(v1alpha1.EvacuationDone, ReasonOnlyMember, "there is no other member that could be the primary meanwhile")
		}
		return answer(v1alpha1.EvacuationRefused, ReasonOnlyMember, "it is the primary and there is no other member: add one, or delete the replication")
	}
	message := "another member becomes the primary first"
	if d.plan.State == SwitchoverDue {
		message = d.plan.Message
	}
	return answer(v1alpha1.EvacuationInProgress, ReasonNoCandidate, message)
}

// others: there is another member that could be the primary some time.
func (d *decision) others(m *Member) bool {
	for i := range d.Members {
		if o := &d.Members[i]; o != m && o.stays() {
			return true
		}
	}
	return false
}

// evacuationForGood: done once commits wait for it no more, its agent has recorded that
// it receives nothing and is released, and the primary has all that it has.
func (d *decision) evacuationForGood(m *Member, answer answerFunc) *v1alpha1.MemberEvacuation {
	if m.kept {
		return answer(v1alpha1.EvacuationRefused, ReasonDurability,
			"it is the last member that can acknowledge: change the mode to rpl_async first, or add a member")
	}
	switch {
	case d.View.counts(m.Name):
		return answer(v1alpha1.EvacuationInProgress, ReasonDurability, "commits still wait for it")
	case m.reachable() && !(m.Seen.Record != nil && m.Seen.Record.Released && m.Seen.Record.Role == topology.RoleIsolated):
		return answer(v1alpha1.EvacuationInProgress, ReasonWaiting, "its agent is asked to receive nothing any more")
	case !m.reachable() && !d.silent(m):
		return answer(v1alpha1.EvacuationInProgress, ReasonUnreachable, "its agent does not answer: "+waitingFor(m))
	}
	switch r := d.Rejoin(m.Name); {
	case !d.lineage():
		return answer(v1alpha1.EvacuationInProgress, ReasonWaiting, "whether the primary has all that it has cannot be seen now")
	case m.reachable() && !m.Seen.Pristine && (r.Way == WayRewind || r.Way == WayCopy || r.Way == WayRefused):
		return answer(v1alpha1.EvacuationRefused, ReasonDiverged, "it has what the primary has not, which would be lost with it: "+r.Why)
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
		if m.Evacuate == v1alpha1.EvacuationRemove && m.Name != d.Recorded.Source && !m.Leaving && !m.Isolated && d.View.counts(m.Name) && !d.othersAcknowledge(m) {
			m.kept = true
		}
	}
}

// othersAcknowledge: without the member there would still be one that acknowledges.
func (d *decision) othersAcknowledge(m *Member) bool {
	for i := range d.Members {
		if o := &d.Members[i]; o != m && o.Name != d.Recorded.Source && o.stays() {
			return true
		}
	}
	return false
}
