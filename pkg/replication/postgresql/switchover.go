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

// target of a switchover: the one that is asked for, or the best; nil and why otherwise.
func (d *decision) target(c cause) (*Member, string) {
	if c.to != "" {
		m := d.Member(c.to)
		if m == nil {
			return nil, c.to + " is asked for as primary and is no member"
		}
		if why := d.unfit(m); why != "" {
			return nil, c.to + " cannot become the primary now: " + why
		}
		return m, ""
	}
	var fit []topology.Candidate
	var followers []string
	why := ""
	for i := range d.Members {
		m := &d.Members[i]
		if m == d.source {
			continue
		}
		reason := d.unfit(m)
		if reason == "" && m.Priority == 0 {
			reason = "its priority is 0"
		}
		if reason == "" && d.evacuates(m) {
			reason = "it is about to stop itself"
		}
		if reason != "" {
			why += fmt.Sprintf("; %s: %s", m.Name, reason)
			continue
		}
		fit = append(fit, topology.Candidate{Name: m.Name, Priority: m.Priority, Delay: m.Delay, Ordinal: i, Version: m.Seen.Version})
		followers = append(followers, m.Seen.Version)
	}
	if len(fit) == 0 {
		if why == "" {
			why = "; there is no other member"
		}
		return nil, d.source.Name + " is about to stop, and no other member can become the primary now" + why
	}
	return d.Member(topology.Sorted(fit, followers)[0].Name), ""
}

// evacuates: the member is about to stop, and another one should be the primary.
func (d *decision) evacuates(m *Member) bool {
	return m.Evacuate != "" || m.PodTerminating || m.StoppedByUser || m.Leaving
}

// unfit says why a member cannot take the primary's role over in order; empty: it can.
func (d *decision) unfit(m *Member) string {
	why := d.unsuited(m)
	if why == "" && d.lags(m) {
		why = "it lags behind the primary"
	}
	return why
}

// lags: the member would have to receive or replay more than can be waited for with a
// stopped primary.
func (d *decision) lags(m *Member) bool {
	lag := d.lagOf(m, true)
	return !d.caughtUp(m) || lag < 0 || lag > closedMost
}

// unsuited says why a member cannot take the role over even if it has caught up.
func (d *decision) unsuited(m *Member) string {
	if why := d.incapable(m); why != "" {
		return why
	}
	switch r := d.Rejoin(m.Name); {
	case r.Way != WayFollow:
		return "it cannot follow the primary: " + r.Why
	case !d.follows(m, d.source):
		return "it does not follow the primary"
	case !m.receiving():
		return "it does not receive from the primary"
	}
	return d.unacknowledgeable(m)
}

// incapable says why a member cannot be a primary whatever its WAL; empty: it can.
func (v *View) incapable(m *Member) string {
	switch {
	case m.Isolated:
		return "it is isolated"
	case m.Leaving:
		return "it leaves the replication"
	case m.StoppedByUser:
		return "its Unit says startup: false"
	case m.PodTerminating:
		return "its pod is being deleted"
	case !m.answers():
		return waitingFor(m)
	case len(m.Seen.Holds) > 0:
		return "its server is held down"
	case m.Seen.LowOnDisk:
		return "its volume is full"
	case m.Seen.Busy != "":
		return "an operation has it: " + m.Seen.Busy
	case m.Provision != nil && m.Provision.Running:
		return "its data is being copied"
	}
	return ""
}

// unacknowledgeable says why nobody could acknowledge the commits of a new primary.
func (d *decision) unacknowledgeable(m *Member) string {
	last := d.recordedRule()
	if !d.Request.Sync || d.Request.Durability.Preferred || last.W == 0 {
		return ""
	}
	able, of := 0, 0
	for _, e := range last.Members {
		o := d.Member(e.Name)
		if o == nil || o == m {
			continue
		}
		of++
		if o.receiving() && d.Rejoin(o.Name).Way == WayFollow {
			able++
		}
	}
	if d.source.stays() && !d.source.PodTerminating {
		able, of = able+1, of+1
	}
	if w := d.Request.Durability.Waits(of); able < int(w) {
		return fmt.Sprintf("%d of the others could acknowledge its commits, and %d have to", able, w)
	}
	return ""
}

// preparing is a switchover before its commit: the primary is stopped cleanly and started
// as a standby, the target has all that it had then, and the commit follows. Whatever of it
// happened is observed: the primary is one still, or it is a standby in this operation.
func (d *decision) preparing() {
	op := d.Recorded.Operation
	from, to := d.Member(op.From), d.Member(op.To)
	if d.mem.Aborting != "" || d.mustTakeBack(from, to) {
		d.takeBack(from)
		return
	}
	how := d.proof(from)
	switch {
	case how == "" && d.demoted(from):
		if d.mem.ClosedAt.IsZero() {
			d.mem.ClosedAt = d.Now
		}
		d.observe(from, "it is being stopped, and started as a standby")
	case how == "" && d.mem.ClosedAt.IsZero() && from.primary() && d.lags(to):
		d.plan.Message += "; waiting for " + to.Name + " to catch up"
	case how == "":
		if d.mem.ClosedAt.IsZero() {
			d.mem.ClosedAt = d.Now
		}
		if !d.step(from, topology.Step{Kind: topology.StepDemote, Why: "the role of the primary passes to " + op.To}) {
			d.abort("%s could not be stopped: %s", from.Name, d.whyNot(from, topology.StepDemote))
			d.takeBack(from)
		}
	default:
		if lacks := lacking(to, from); lacks != "" {
			d.plan.Message += "; " + lacks
			d.observe(to, "it has to receive the rest")
			d.observe(from, "how far it has WAL is known once it has replayed that")
			return
		}
		b, _ := to.stored()
		d.commit(to, how, b.Position())
	}
}

// demoted: its agent has recorded in this operation that it is no primary any more, and its
// server does not answer yet. It is only ever started as a standby by that.
func (d *decision) demoted(m *Member) bool {
	r := d.ours(m)
	return r != nil && r.Role == topology.RoleIsolated && r.Epoch >= d.Recorded.Operation.Epoch && !m.answers()
}

// observe asks a member again in a moment.
func (d *decision) observe(m *Member, why string) {
	d.step(m, topology.Step{Kind: topology.StepObserve, Timeout: askPause, Why: why})
}

// lacking says what a member lacks of what a former primary has, which is a standby now;
// empty: nothing. Its shutdown checkpoint is the last that it wrote.
func lacking(m, of *Member) string {
	theirs, known := of.stored()
	mine, ok := m.stored()
	switch {
	case !known:
		return of.Name + " does not say yet how far it has WAL"
	case !ok:
		return m.Name + " does not say how far it has WAL"
	}
	if relation, common := wal.Compare(theirs, mine); relation != wal.Same && relation != wal.Behind {
		return fmt.Sprintf("%s has WAL up to %s, and %s the same up to %s", of.Name, theirs.Position(), m.Name, common)
	}
	return ""
}

// mustTakeBack reports whether the switchover cannot continue, and remembers why.
func (d *decision) mustTakeBack(from, to *Member) bool {
	op := d.Recorded.Operation
	switch {
	case from == nil || to == nil:
		d.abort("%s or %s is no member any more", op.From, op.To)
	case d.expired():
		d.abort("it took longer than %s", lasting(switchoverTime))
	case !d.mem.ClosedAt.IsZero() && d.Now.Sub(d.mem.ClosedAt) > closedMost:
		d.abort("%s was stopped for longer than %s: %s", from.Name, lasting(closedMost), lacking(to, from))
	case !from.reachable():
		d.abort("%s, the primary, does not answer: %s", from.Name, waitingFor(from))
	case !from.answers() && d.serving(from):
		// To demote it now would be to kill it.
		d.abort("the server of %s does not answer: %s", from.Name, shorten(from.Seen.Trouble))
	case d.incapable(to) != "":
		d.abort("%s cannot become the primary: %s", to.Name, d.incapable(to))
	case from.primary() && d.unsuited(to) != "":
		d.abort("%s cannot become the primary: %s", to.Name, d.unsuited(to))
	}
	return d.mem.Aborting != ""
}

// serving: its agent was not asked yet to make it another than the primary.
func (d *decision) serving(m *Member) bool {
	r := d.ours(m)
	return r != nil && r.Role == topology.RoleSource
}

// takeBack makes the old primary one again, then ends the operation: nobody was recorded in
// its place. If it cannot be reached, it is a primary that fails, and judged as one.
func (d *decision) takeBack(from *Member) {
	op := d.Recorded.Operation
	if from != nil && from.reachable() && !d.serves(from) && d.reopen(from) {
		return
	}
	why := d.mem.Aborting
	d.refuse()
	d.end(EventSwitchoverBack, true, "%s stays the primary, %s was not made it: %s", op.From, op.To, why)
}

// serves: it is the open primary.
func (d *decision) serves(m *Member) bool {
	r := d.ours(m)
	return m.primary() && r != nil && r.Role == topology.RoleSource && r.Open
}

// reopen a primary that the operation has stopped. It was made a standby, so that it begins
// a timeline, which is not recorded before. What it promised stays. It reports whether there is a
// call to make for it.
func (d *decision) reopen(from *Member) bool {
	if from.Seen.Held(topology.HoldFence) {
		return d.step(from, topology.Step{Kind: topology.StepUnhold, Why: "the operation is taken back"})
	}
	if from.answers() && d.unopenable(from) != "" {
		return false
	}
	step := d.promotion(from, d.recordedRule(), d.unrecordedTimeline())
	step.Why = "the operation is taken back"
	return d.step(from, step)
}

// takeBackUnknown makes the old primary one again after a switchover's commit whose outcome
// is not known, by calls to agents alone. What was recorded is read again after that, and whoever
// continues begins with the fence.
func (d *decision) takeBackUnknown() {
	from := d.Member(d.Recorded.Operation.From)
	d.plan.Message += "; the commit was not confirmed within its time, so that the old primary is promoted again"
	if from != nil && from.reachable() && !d.serves(from) && (!from.answers() || d.unopenable(from) == "") {
		if !d.reopen(from) {
			d.requeue(askPause)
		}
		return
	}
	d.mem.Forget()
	d.requeue(workInterval)
}

// demandSwitchover begins one if another primary is asked for, or the primary's unit is
// about to stop; else it says what is waited for. It reports whether it did begin one.
func (d *decision) demandSwitchover() bool {
	s := d.source
	c := cause{reason: ReasonRequested, to: d.requested()}
	if c.to == "" {
		if !d.evacuates(s) {
			return false
		}
		c.reason = ReasonEvacuated
	}
	if !d.mem.NotBefore.IsZero() && d.Now.Before(d.mem.NotBefore) {
		d.state(SwitchoverDue, ReasonTargetUnfit, "the last attempt was taken back: %s; the next is made at %s", d.mem.Refusal, d.mem.NotBefore.UTC().Format(time.TimeOnly))
		d.requeue(d.mem.NotBefore.Sub(d.Now))
		return false
	}
	to, why := d.target(c)
	if to == nil {
		d.requeue(workInterval)
		d.state(SwitchoverDue, ReasonTargetUnfit, "%s", why)
		return false
	}
	if !d.LeaseFresh {
		d.requeue(workInterval)
		d.state(SwitchoverDue, ReasonLeaseOld, "the operator's lease was not renewed lately: a switchover begins when the API server answers again")
		return false
	}
	c.to = to.Name
	d.begin(v1alpha1.OperationSwitchover, topology.PhasePreparing, c, switchoverTime)
	return true
}

// requested is the member that somebody asks to be the primary and that is not; empty:
// none. What the spec named when the primary last changed is no request any more.
func (d *decision) requested() string {
	if r := d.Request.Switchover; r != "" && r != d.Recorded.Source {
		return r
	}
	r, last := d.Request.Source, d.Recorded.LastTransition
	if r == "" || r == d.Recorded.Source || last != nil && last.Requested == r {
		return ""
	}
	return r
}
