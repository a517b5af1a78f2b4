// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// target of a switchover: the one that is asked for, or the best; nil and why otherwise.
func (d *decision) target(c cause) (*Member, string) {
	if c.to != "" {
		m := d.member(c.to)
		if m == nil {
			return nil, c.to + " is asked for as source and is no member"
		}
		if why := d.unfit(m); why != "" {
			return nil, c.to + " cannot become the source now: " + why
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
		fit = append(fit, d.candidate(m, i))
		followers = append(followers, m.Seen.Version)
	}
	if len(fit) == 0 {
		if why == "" {
			why = "; there is no other member"
		}
		return nil, d.source.Name + " is about to stop, and no other member can become the source now" + why
	}
	return d.member(topology.Sorted(fit, followers)[0].Name), ""
}

func (d *decision) candidate(m *Member, ordinal int) topology.Candidate {
	return topology.Candidate{
		Name: m.Name, Priority: m.Priority, Delay: m.Delay, Evacuated: d.evacuates(m), Ordinal: ordinal, Version: m.Seen.Version,
	}
}

// unfit says why a member cannot take the source's role over in order; empty: it can.
func (d *decision) unfit(m *Member) string {
	why := d.unsuited(m)
	if why == "" && d.lags(m) {
		why = "it lags behind the source"
	}
	return why
}

// lags: the member would have to apply more than can be waited for with a closed source.
func (d *decision) lags(m *Member) bool {
	f := d.of(m)
	return !f.received || f.lag < 0 || f.lag > closedMost
}

// unsuited says why a member cannot take the role over even if it has caught up.
func (d *decision) unsuited(m *Member) string {
	if why := d.unable(m); why != "" {
		return why
	}
	c := m.Server.Channel
	f := d.of(m)
	switch {
	case d.errantOf(m):
		return "it has transactions that the source has not: " + shorten(f.errant.String())
	case f.empty && d.source.answers() && !d.source.holds().IsEmpty():
		return "it has no data"
	case d.needsCopy(m):
		return "its data has to be copied from another member first"
	case c == nil || !d.follows(m):
		return "it does not follow the source"
	case c.ApplierError != "":
		return "it cannot apply what it received: " + shorten(c.ApplierError)
	case !c.Applying:
		return "its applier is stopped"
	case !c.Receiving:
		return "it does not receive from the source"
	}
	return d.unacknowledgeable(m)
}

// unable says why a member cannot be a source whatever its data; empty: it can.
func (d *decision) unable(m *Member) string {
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

// unacknowledgeable says why nobody could acknowledge the commits of a new source.
func (d *decision) unacknowledgeable(m *Member) string {
	if !d.Request.Sync || d.Request.Durability.Preferred || !d.source.answers() {
		return ""
	}
	n := len(d.Recorded.Durability)
	if n == 0 {
		return ""
	}
	last := topology.RuleOf(d.Recorded.Durability[n-1])
	if last.W == 0 {
		return ""
	}
	if d.source.Server.SemiSync.Waiting > 0 && d.attached(d.source, last) < int(last.W) {
		return "commits of the source wait for members that are not there, and would be lost"
	}
	able, of := 0, 1
	for _, e := range last.Members {
		o := d.member(e.Name)
		if o == nil || o == m {
			continue
		}
		of++
		if o.receiving() && !d.errantOf(o) {
			able++
		}
	}
	if d.source.staysMember() && !d.source.PodTerminating {
		able++
	} else {
		of--
	}
	if w := d.Request.Durability.Waits(of); able < int(w) {
		return fmt.Sprintf("%d of the others could acknowledge its commits, and %d have to", able, w)
	}
	return ""
}

// preparing is a switchover before its commit: the source is closed, the target applies
// the rest, and the commit follows. Whatever of it happened is observed: the source is
// open, or it is closed in this operation.
func (d *decision) preparing() {
	op := d.Recorded.Operation
	from, to := d.member(op.From), d.member(op.To)
	if d.mem.Aborting != "" || d.mustTakeBack(from, to) {
		d.takeBack(from)
		return
	}
	how := d.proof(from)
	if how == "" {
		if d.mem.ClosedAt.IsZero() && from.open() && d.lags(to) {
			d.plan.Message += "; waiting for " + to.Name + " to catch up"
			return
		}
		if d.mem.ClosedAt.IsZero() && d.busy(from) {
			return
		}
		if d.mem.ClosedAt.IsZero() {
			d.mem.ClosedAt = d.Now
		}
		if !d.step(from, topology.Step{Kind: topology.StepDemote, Why: "the role of the source passes to " + op.To}) {
			d.abort("%s could not be closed: %s", from.Name, d.whyNot(from, topology.StepDemote))
			d.takeBack(from)
		}
		return
	}
	rest := from.Server.Executed
	if !to.Server.Executed.Contains(rest) {
		d.await(to, rest)
		return
	}
	d.commit(to, how, rest.String())
}

// busy asks what the source's clients are doing while writes still flow: a definition
// that is being changed ends the switchover, transactions are waited for a while.
func (d *decision) busy(from *Member) bool {
	if !from.open() {
		return false
	}
	if from.Activity == nil {
		// An agent that cannot say leaves it to the fence, which ends all sessions.
		return d.step(from, topology.Step{Kind: topology.StepActivity, Why: "its clients may be in the middle of something"})
	}
	op := d.Recorded.Operation
	switch {
	case from.Activity.Definition != "":
		d.abort("a definition is being changed on %s: %s", from.Name, from.Activity.Definition)
		d.takeBack(from)
		return true
	case from.Activity.Writing > 0 && !from.PodTerminating && op.StartedAt != nil && d.Now.Sub(op.StartedAt.Time) < finishTime:
		d.plan.Message += "; waiting for " + count(from.Activity.Writing) + " transactions to finish, until " + op.StartedAt.Add(finishTime).UTC().Format(time.TimeOnly)
		d.requeue(workInterval)
		return true
	}
	return false
}

// await waits until a member has executed a position.
func (d *decision) await(m *Member, position gtid.Set) {
	d.step(m, topology.Step{Kind: topology.StepWait, Position: position.String(), Timeout: waitSlice, Why: "it has to apply the rest"})
}

func (d *decision) whyNot(m *Member, kind topology.StepKind) string {
	if message, ok := m.refused(kind); ok {
		return shorten(message)
	}
	return waitingFor(m)
}

// mustTakeBack reports whether the switchover cannot go on, and remembers why.
func (d *decision) mustTakeBack(from, to *Member) bool {
	op := d.Recorded.Operation
	closed := from != nil && d.proof(from) != ""
	switch {
	case from == nil || to == nil:
		d.abort("%s or %s is no member any more", op.From, op.To)
	case d.expired():
		d.abort("it took longer than %s", lasting(switchoverTime))
	case !d.mem.ClosedAt.IsZero() && d.Now.Sub(d.mem.ClosedAt) > closedMost:
		d.abort("%s was closed for longer than %s: %s", from.Name, lasting(closedMost), d.behind(to, from))
	case !from.reachable():
		d.abort("%s, the source, does not answer: %s", from.Name, waitingFor(from))
	case !from.answers() && d.serving(from):
		// To close it now would be to kill it.
		d.abort("the server of %s does not answer: %s", from.Name, shorten(from.Seen.Trouble))
	case closed && !from.answers():
		d.abort("the server of %s does not answer after it was closed: %s", from.Name, shorten(from.Seen.Trouble))
	case d.unable(to) != "":
		d.abort("%s cannot become the source: %s", to.Name, d.unable(to))
	case to.Server.Channel == nil || to.Server.Channel.ApplierError != "":
		d.abort("%s cannot apply what it received: %s", to.Name, d.applierError(to))
	case !to.Server.Channel.Applying:
		d.abort("the applier of %s is stopped", to.Name)
	case !closed && d.unsuited(to) != "":
		d.abort("%s cannot become the source: %s", to.Name, d.unsuited(to))
	}
	return d.mem.Aborting != ""
}

// serving: its agent was not asked yet to make it another than the source.
func (d *decision) serving(m *Member) bool {
	r := d.ours(m)
	return r != nil && r.Role == topology.RoleSource
}

func (d *decision) applierError(m *Member) string {
	if m.Server.Channel == nil {
		return "it has no channel"
	}
	return shorten(m.Server.Channel.ApplierError)
}

// behind says what a member lacks.
func (d *decision) behind(m, of *Member) string {
	if !m.answers() || of == nil || !of.answers() {
		return "what " + m.Name + " lacks is not known"
	}
	return m.Name + " lacks " + shorten(of.Server.Executed.Subtract(m.Server.Executed).String())
}

// takeBack opens the old source again, then ends the operation. If the source cannot be
// reached, it is a source that fails, and judged as one.
func (d *decision) takeBack(from *Member) {
	op := d.Recorded.Operation
	if from != nil && from.reachable() && !d.serves(from) {
		if from.Seen.Held(topology.HoldFence) && d.step(from, topology.Step{Kind: topology.StepUnhold, Why: "the operation is taken back"}) {
			return
		}
		if d.step(from, d.reopen(from)) {
			return
		}
	}
	why := d.mem.Aborting
	d.refuse()
	d.end(EventSwitchoverBack, true, "%s stays the source, %s was not made it: %s", op.From, op.To, why)
}

// serves: it is the open source.
func (d *decision) serves(m *Member) bool {
	r := d.ours(m)
	return m.open() && r != nil && r.Role == topology.RoleSource && r.Open
}

// reopen a source that the operation has closed. What it promised stays.
func (d *decision) reopen(from *Member) topology.Step {
	s := topology.Step{
		Kind: topology.StepPromote, Rule: d.ruleOf(from), Open: true, ServerID: d.recordedServer(from), Generation: d.Recorded.Data.Generation,
		Why: "the operation is taken back",
	}
	return s
}

// ruleOf the newest entry about a member's server.
func (d *decision) ruleOf(m *Member) topology.Rule {
	id := d.upstream(m).ServerID
	for i := len(d.Recorded.Durability) - 1; i >= 0; i-- {
		if e := d.Recorded.Durability[i]; e.Source == id {
			return topology.RuleOf(e)
		}
	}
	return topology.Rule{}
}

// takeBackUnknown opens the old source again after a commit whose outcome is not known,
// by calls to agents alone. What was recorded is read again after that, and whoever goes
// on begins with the fence.
func (d *decision) takeBackUnknown() {
	op := d.Recorded.Operation
	from := d.member(op.From)
	d.plan.Message += "; the commit was not confirmed within its time, so the source is opened again"
	if op.Type == v1alpha1.OperationSwitchover && from != nil && from.reachable() && !d.serves(from) {
		if d.step(from, d.reopen(from)) {
			return
		}
		d.requeue(attachPause)
		return
	}
	d.mem.Forget()
	d.requeue(workInterval)
}
