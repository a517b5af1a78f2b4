// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/replication/topology"
)

const (
	// restInterval is when a replication at rest is looked at again, workInterval one
	// that changes.
	restInterval = 10 * time.Second
	workInterval = time.Second
)

// converge gives the source and its replicas the roles that are recorded, and the data
// that they lack.
func (d *decision) converge() {
	s := d.source
	d.requeue(restInterval)
	if s != nil && s.answers() && !d.lost(s) {
		if d.convergeSource() || d.plan.Change != nil {
			return
		}
	}
	for i := range d.Members {
		if m := &d.Members[i]; m != s {
			d.convergeReplica(m)
			if d.plan.Change != nil {
				return
			}
		}
	}
	if len(d.plan.Steps) > 0 {
		d.requeue(workInterval)
	}
	d.conclude()
}

// convergeSource gives the source its role and its rule. It reports whether that comes
// before everything else.
func (d *decision) convergeSource() bool {
	s := d.source
	if d.recordSourcePod(s) {
		return true
	}
	if s.Seen.Held(topology.HoldFence) {
		return d.step(s, topology.Step{Kind: topology.StepUnhold, Why: "it is the source"})
	}
	r := d.ours(s)
	if r == nil || r.Role != topology.RoleSource {
		if d.promoteSource(d.recordedRule()) {
			return true
		}
		d.notInForce = s.Name + " is the source and its agent refuses that role: " + d.whyNot(s, topology.StepPromote)
	}
	d.watchBlocked()
	if d.replacement() {
		return true
	}
	if r == nil || r.Role != topology.RoleSource {
		return false
	}
	if d.changeDurability() {
		return true
	}
	want := d.rule()
	if !s.open() && d.mayOpen(s, want) || s.open() && !r.Open || d.otherChannel(s) {
		return d.promoteSource(d.recordedRule())
	}
	return false
}

// watchBlocked remembers since when too few members can acknowledge.
func (d *decision) watchBlocked() {
	n := len(d.Recorded.Durability)
	if n == 0 || !d.Request.Sync {
		d.mem.BlockedSince = time.Time{}
		return
	}
	r := topology.RuleOf(d.Recorded.Durability[n-1])
	switch {
	case r.W == 0 || d.attached(d.source, r) >= int(r.W):
		d.mem.BlockedSince = time.Time{}
	case d.mem.BlockedSince.IsZero():
		d.mem.BlockedSince = d.Now
		d.requeue(blockedFor)
	default:
		d.requeue(blockedFor)
	}
}

// convergeReplica makes a member a replica of the source, or keeps it out.
func (d *decision) convergeReplica(m *Member) {
	s := d.source
	if !m.reachable() {
		return
	}
	if m.Seen.Held(topology.HoldFence) {
		d.letStart(m)
		return
	}
	switch {
	case !m.staysMember():
		d.keepOut(m)
	case s == nil || !s.reachable() || d.ours(s) == nil || d.ours(s).Role != topology.RoleSource:
		// Nobody to follow yet.
	case !s.answers() || d.lost(s):
		// Roles stay as they are recorded: the receiver continues.
	case !m.answers():
	case d.errantOf(m):
		d.convergeErrant(m)
	case d.apart(m):
		// Who could not apply what it gets is better off without it.
	case d.needsCopy(m):
		d.provision(m)
	case !d.inForce(m):
		d.step(m, d.follow(m))
	case d.joins(m):
		d.requeue(workInterval)
	}
}

// joins: it follows, and commits are to wait for it once it has what the source has. Its
// server tells nobody when that is.
func (d *decision) joins(m *Member) bool {
	n, c := len(d.Recorded.Durability), m.Server.Channel
	return d.Request.Sync && n > 0 && !topology.RuleOf(d.Recorded.Durability[n-1]).Has(m.Name) && c.Applying && c.ReceiverError == ""
}

// letStart lets a member start again that was fenced as a former source: read-only, with a
// role that is none of a source.
func (d *decision) letStart(m *Member) bool {
	if r := d.ours(m); r == nil || r.Role != topology.RoleIsolated {
		return d.step(m, topology.Step{Kind: topology.StepDemote, Why: "it was fenced and is not the source"})
	}
	return d.step(m, topology.Step{Kind: topology.StepUnhold, Why: "it is not the source any more, and starts read-only"})
}

// keepOut isolates a member that is isolated by the spec, leaves, or is to be removed,
// once the source waits for others; and releases one that goes.
func (d *decision) keepOut(m *Member) {
	if !m.reachable() || d.neededNow(m) {
		return
	}
	r := m.Seen.Record
	if !d.isolatedRecord(m) && !(r != nil && r.Released && r.Role == topology.RoleIsolated) {
		d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "it is no replica any more"})
		return
	}
	if d.goes(m) && r != nil && !r.Released && d.dropped(m) {
		d.step(m, topology.Step{Kind: topology.StepRelease, Why: "it leaves the replication"})
	}
}

// goes: the member leaves for good.
func (d *decision) goes(m *Member) bool { return m.Leaving || m.Evacuate == "remove" }

// neededNow: commits still wait for the member, because the source has its rule yet.
func (d *decision) neededNow(m *Member) bool {
	s := d.source
	if s == nil || !s.answers() {
		return d.inDurability(m)
	}
	r := d.ours(s)
	n := len(d.Recorded.Durability)
	last := n > 0 && topology.RuleOf(d.Recorded.Durability[n-1]).Has(m.Name)
	return last || r != nil && r.Rule.Has(m.Name)
}

// replaceable: commits wait for the member, and will not once the source has its next
// rule. That comes first. Where nobody else could acknowledge, commits wait for the member
// to come back.
func (d *decision) replaceable(m *Member) bool {
	return d.neededNow(m) && !d.rule().Has(m.Name)
}

// inDurability: an entry names the member.
func (d *decision) inDurability(m *Member) bool {
	for _, e := range d.Recorded.Durability {
		if topology.RuleOf(e).Has(m.Name) {
			return true
		}
	}
	return false
}

// dropped: no entry of durability names the member any more.
func (d *decision) dropped(m *Member) bool { return !d.inDurability(m) }

// convergeErrant keeps a member with transactions of its own away from the others: its
// receiver is stopped, the transactions are kept as evidence, and it is rebuilt once a
// person has given its data up.
func (d *decision) convergeErrant(m *Member) {
	if d.replaceable(m) {
		return
	}
	if !d.isolatedRecord(m) {
		d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "it has transactions that the source has not"})
		return
	}
	if r := d.Recorded.Member(m.Name); m.Evidence == "" && (r == nil || !d.kept(m, r.Errant)) {
		d.step(m, topology.Step{Kind: topology.StepEvidence, Position: d.of(m).errant.String(), Why: "they are kept as evidence"})
		return
	}
	if d.permitted(m) {
		d.provision(m)
	}
}

// conclude says in which state it all is, when nothing has said so before.
func (d *decision) conclude() {
	s := d.source
	if n := len(d.Recorded.Durability); s != nil && s.answers() && d.Request.Sync && n > 0 {
		r := topology.RuleOf(d.Recorded.Durability[n-1])
		able := d.attached(s, r)
		switch {
		case r.W > 0 && able < int(r.W) && !d.mem.BlockedSince.IsZero():
			reason := ReasonWritesBlocked
			if d.anyNeedsCopy() {
				reason = ReasonReplicaMade
			}
			what := "commits wait"
			if !s.open() {
				what = s.Name + " is closed"
			}
			d.state(WritesBlocked, reason, "%s until %d of %s can acknowledge, %d can; it continues when they replicate again, or with durability.policy: Preferred", what, r.W, names(r), able)
		case r.W == 0 && d.wantsMembers():
			d.state(SemiSyncDegraded, ReasonUnacknowledged, "commits are acknowledged before any replica has them, and are lost if %s is; they are waited for again when a replica has caught up", s.Name)
		}
	}
	if d.notInForce != "" {
		state := Degraded
		if !s.open() {
			state = WritesBlocked
		}
		d.state(state, ReasonNotInForce, "%s; it is tried again", d.notInForce)
	}
	for i := range d.Members {
		m := &d.Members[i]
		if m == s {
			continue
		}
		if reason, message := d.trouble(m); reason != "" {
			state := Degraded
			if reason == ReasonProvisioning {
				state = Provisioning
			}
			if d.plan.State == "" {
				d.plan.State, d.plan.Reason, d.plan.Message = state, reason, m.Name+": "+message
			}
			d.find(m.Name, reason, message)
		}
	}
	if d.plan.State == "" {
		d.state(Healthy, ReasonHealthy, "%s is the source, and all replicas replicate", d.Recorded.Source)
	}
}

// wantsMembers: there are members that could acknowledge.
func (d *decision) wantsMembers() bool {
	for i := range d.Members {
		if m := &d.Members[i]; !d.isSource(m) && m.staysMember() {
			return true
		}
	}
	return false
}

func (d *decision) anyNeedsCopy() bool {
	for i := range d.Members {
		if m := &d.Members[i]; !d.isSource(m) && m.staysMember() && d.needsCopy(m) {
			return true
		}
	}
	return false
}

// trouble of a replica: a reason, and what ends it.
func (d *decision) trouble(m *Member) (reason, message string) {
	switch {
	case !m.staysMember():
		return "", ""
	case !m.Owned:
		return ReasonNotOwned, "its Unit is missing, or does not name this replication as its owner yet"
	case !m.reachable():
		return ReasonUnreachable, "its agent does not answer: " + shorten(m.Trouble)
	case m.StoppedByUser:
		return ReasonStoppedByUser, "its Unit says startup: false"
	case m.Provision != nil && m.Provision.Running:
		return ReasonProvisioning, "its data is copied from another member"
	case m.Provision != nil && m.Provision.Failed:
		return ReasonProvisioning, "copying its data failed (" + m.Provision.Reason + "): " + shorten(m.Provision.Message)
	case !m.answers():
		return ReasonUnreachable, "its server does not answer: " + shorten(m.Seen.Trouble)
	case d.errantOf(m):
		if message, refused := m.refused(topology.StepEvidence); refused {
			return ReasonErrant, "it has transactions that the source has not (" + shorten(d.of(m).errant.String()) + "), and they are not kept as evidence yet: " + shorten(message)
		}
		return ReasonErrant, "it has transactions that the source has not (" + shorten(d.of(m).errant.String()) +
			"): look at them, then annotate its Unit with unit-operator.io/reinit: " + m.Seen.ServerID + " to rebuild it"
	case d.apart(m):
		return ReasonVersions, "its version " + m.Seen.Version + " cannot replicate from " + d.source.Seen.Version +
			" of the source, which is not of the same release series or a neighbouring one (5.7, 8.0, 8.1 to 8.4, 9): change its image to one that is; its data is left as it is"
	case d.needsCopy(m) && !d.mayCopy(m):
		return ReasonNeedsPermission, "the source has purged what it lacks, and it is the last other copy: annotate its Unit with unit-operator.io/reinit: " + m.Seen.ServerID + " to rebuild it"
	case d.needsCopy(m):
		if message, refused := m.refused(topology.StepProvision); refused {
			return ReasonProvisioning, "copying another member's data to it does not begin: " + shorten(message)
		}
		return ReasonProvisioning, "its data is to be copied from another member"
	}
	if c := m.Server.Channel; d.source != nil && d.source.answers() {
		message, refused := m.refused(topology.StepFollow)
		switch {
		case c != nil && c.ApplierError != "":
			return ReasonReplicating, "it cannot apply what it received: " + shorten(c.ApplierError)
		case refused:
			return ReasonReplicating, "it does not follow the source: " + shorten(message)
		case c == nil || !c.Receiving:
			if c != nil && c.ReceiverError != "" {
				return ReasonReplicating, "it does not receive: " + shorten(c.ReceiverError)
			}
			return ReasonReplicating, "it does not receive"
		case !c.Applying:
			return ReasonReplicating, "its applier is stopped"
		}
	}
	return "", ""
}
