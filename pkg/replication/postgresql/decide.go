// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"slices"
	"time"

	"github.com/upmio/unit-operator/pkg/replication/topology"
)

const (
	// restInterval is when a replication at rest is looked at again, workInterval one
	// that changes.
	restInterval = 10 * time.Second
	workInterval = time.Second
)

// decision is one Decide.
type decision struct {
	View
	mem  topology.Memory
	plan topology.Plan
	// source is the recorded primary; nil if none is recorded, or it is no member.
	source *Member
	// notInForce says what of the primary's role is recorded and not in force, and why;
	// empty: nothing.
	notInForce string
}

// Decide what is done next. It is a pure function: equal views give equal plans.
func Decide(v View) topology.Plan {
	v.Members = slices.Clone(v.Members)
	v.recogniseCopies()
	d := &decision{View: v, mem: v.Memory}
	d.keepLast()
	d.source = d.Source()
	d.remember()
	d.decide()
	d.report()
	d.plan.Memory = d.mem
	return d.plan
}

// recogniseCopies: a server that has the replication's database is not pristine, although
// nobody has written to that yet: the copies of a new primary are as empty as it is.
func (v *View) recogniseCopies() {
	for i := range v.Members {
		m := &v.Members[i]
		if m.Seen != nil && m.Seen.Pristine && m.Seen.ServerID != "" && m.Seen.ServerID == v.Recorded.Data.SystemID {
			seen := *m.Seen
			seen.Pristine = false
			m.Seen = &seen
		}
	}
}

func (d *decision) decide() {
	switch {
	case d.Request.Hibernated:
		d.state(Hibernated, ReasonHibernated, "the set has no units; who was the primary is recorded, and is started first when it has units again")
	case d.Recorded.Operation != nil:
		// One that has begun is ended, paused or not: a primary may be stopped for it.
		d.operate()
	case d.Request.Paused:
		d.mem.FailingSince = time.Time{}
		d.state(Paused, ReasonPaused, "nothing is changed while the annotation paused says so; new pods get the roles that are recorded")
		d.requeue(restInterval)
		d.giveRecordedRoles()
		if len(d.plan.Steps) > 0 {
			d.requeue(workInterval)
		}
	case d.blind():
		d.agentAway()
		d.state(Blind, ReasonBlind, "no member's agent answers the operator, which says nothing about the servers; nothing is done until one does")
		d.requeue(5 * time.Second)
	case d.Recorded.Source == "":
		d.adopt()
	default:
		d.keep()
	}
}

// keep the recorded primary and its standbys what they should be, or begin to replace it.
func (d *decision) keep() {
	if d.demoteStrays(nil) {
		return
	}
	if d.demand() {
		return
	}
	d.converge()
}

// state is the first that was given.
func (d *decision) state(s topology.State, reason, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if d.plan.State == "" {
		d.plan.State, d.plan.Reason, d.plan.Message = s, reason, message
		return
	}
	d.find("", reason, message)
}

// find adds a finding about a member.
func (d *decision) find(member, reason, message string) {
	d.plan.Findings = append(d.plan.Findings, topology.Finding{Member: member, Reason: reason, Message: message})
}

// requeue at the latest after a while.
func (d *decision) requeue(after time.Duration) {
	if d.plan.Requeue == 0 || after < d.plan.Requeue {
		d.plan.Requeue = after
	}
}

// step adds a call at the present epoch, unless it has failed in this pass.
func (d *decision) step(m *Member, s topology.Step) bool {
	if _, refused := m.refused(s.Kind); refused || !m.reachable() {
		return false
	}
	s.Member, s.Epoch = m.Name, d.Recorded.Epoch
	d.plan.Steps = append(d.plan.Steps, s)
	return true
}

// stepOf reports whether the plan has such a call already.
func (d *decision) stepOf(member string, kind topology.StepKind) bool {
	return slices.ContainsFunc(d.plan.Steps, func(s topology.Step) bool { return s.Member == member && s.Kind == kind })
}

// change what is recorded, instead of all steps.
func (d *decision) change(kind topology.ChangeKind, to topology.Recorded, reason, format string, args ...any) {
	d.plan.Steps = nil
	d.plan.Change = &topology.Change{Kind: kind, To: to, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// warn is change whose event is a warning.
func (d *decision) warn(kind topology.ChangeKind, to topology.Recorded, reason, format string, args ...any) {
	d.change(kind, to, reason, format, args...)
	d.plan.Change.Warning = true
}

// blind: nobody answers.
func (d *decision) blind() bool {
	for i := range d.Members {
		if d.Members[i].reachable() {
			return false
		}
	}
	return true
}

// isSource reports whether the member is the recorded primary.
func (d *decision) isSource(m *Member) bool { return m != nil && m == d.source }

// whyNot says why a call was not made.
func (d *decision) whyNot(m *Member, kind topology.StepKind) string {
	if message, ok := m.refused(kind); ok {
		return shorten(message)
	}
	return waitingFor(m)
}

// waitingFor says why a member does not answer; never nothing.
func waitingFor(m *Member) string {
	switch {
	case !m.Owned:
		return "its Unit is missing, or does not name this replication as its owner yet"
	case m.Seen == nil:
		return "its agent does not answer: " + shorten(m.Trouble)
	case m.Seen.Trouble == "":
		return "its server does not answer"
	}
	return shorten(m.Seen.Trouble)
}
