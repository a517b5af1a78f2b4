// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// converge gives the primary and its standbys the roles that are recorded, and the data
// that they lack.
func (d *decision) converge() {
	s := d.source
	d.requeue(restInterval)
	if s != nil && s.reachable() && !d.lost(s) {
		if d.convergeSource() || d.plan.Change != nil {
			return
		}
	}
	for i := range d.Members {
		if m := &d.Members[i]; m != s {
			d.convergeStandby(m)
		}
	}
	if len(d.plan.Steps) > 0 {
		d.requeue(workInterval)
	}
	d.conclude()
}

// convergeSource gives the primary its role and its rule. It reports whether that comes
// before everything else.
func (d *decision) convergeSource() bool {
	s := d.source
	if d.recordSourcePod(s) {
		return true
	}
	if s.Seen.Held(topology.HoldFence) {
		return d.step(s, topology.Step{Kind: topology.StepUnhold, Why: "it is the primary"})
	}
	r := d.ours(s)
	if !s.answers() && r != nil && r.Role == topology.RoleSource {
		// Its agent starts it.
		return false
	}
	if r == nil || r.Role != topology.RoleSource || !s.primary() {
		if d.startSource() {
			return true
		}
		if message, refused := s.refused(topology.StepPromote); refused {
			d.notInForce = s.Name + " is the primary and its agent refuses that role: " + shorten(message)
		}
	}
	if d.recordTimeline(s) {
		return true
	}
	d.watchBlocked()
	if r == nil || r.Role != topology.RoleSource || !s.primary() {
		return false
	}
	if d.changeDurability() {
		return true
	}
	create, drop := d.Slots()
	if !r.Open || d.otherChannel(s) || len(create)+len(drop) > 0 {
		return d.promoteSource(d.recordedRule())
	}
	return false
}

// changeDurability takes the next step from the recorded durability to the one that the
// members allow. It reports whether nothing else is decided before.
func (d *decision) changeDurability() (done bool) {
	s, want := d.source, d.wanted()
	next, mem := d.Durability(want, d.mem, d.Now)
	d.mem = mem
	to := d.Recorded.Clone()
	to.Durability = next.Record
	switch {
	case next.Revoked:
		d.warn(topology.ChangeDurability, to, EventDurabilityRevoked,
			"%s did not wait for its standbys as it had promised (synchronous_standby_names was %q): no failover is made before enough of them have what it has now", s.Name, s.Server.Sync)
		return true
	case next.Record != nil:
		reason := EventDurabilityChanged
		if n := len(d.Recorded.Durability); n > 0 && topology.RuleOf(d.Recorded.Durability[n-1]).Equal(want) {
			// Entries before it go, or its timeline is another one: it waits for the same.
			reason = ""
		}
		d.change(topology.ChangeDurability, to, reason, "%s", describeRule(want))
		return true
	case next.Enforce:
		if d.promoteSource(want) {
			return true
		}
		d.notInForce = "that " + describeRule(want) + " is recorded for " + s.Name + " and not in force, for its agent refuses to promote it: " + d.whyNot(s, topology.StepPromote)
	}
	if len(d.Recorded.Durability) > 1 {
		d.requeue(workInterval)
	}
	return false
}

// watchBlocked remembers since when too few members can acknowledge.
func (d *decision) watchBlocked() {
	r := d.recordedRule()
	switch {
	case !d.Request.Sync || r.W == 0 || d.attached(d.source, r) >= int(r.W):
		d.mem.BlockedSince = time.Time{}
		return
	case d.mem.BlockedSince.IsZero():
		d.mem.BlockedSince = d.Now
	}
	d.requeue(blockedFor)
}

// convergeStandby makes a member a standby of the primary, or keeps it out.
func (d *decision) convergeStandby(m *Member) {
	s := d.source
	switch {
	case !m.reachable():
	case m.Seen.Held(topology.HoldFence):
		d.letStart(m)
	case !m.stays():
		d.keepOut(m)
	case !m.answers() && d.startStandby(m):
	case s == nil || d.ours(s) == nil || d.ours(s).Role != topology.RoleSource || !d.lineage():
		// Nobody to follow yet, or roles stay as they are recorded: receivers continue.
	default:
		d.rejoin(m)
	}
}

// rejoin the primary by the way that the member's WAL leaves.
func (d *decision) rejoin(m *Member) {
	switch r := d.Rejoin(m.Name); r.Way {
	case WayWait:
	case WayFollow:
		if !d.inForce(m) {
			d.step(m, d.follow(m, d.source))
		} else if d.joins(m) {
			d.requeue(workInterval)
		}
	case WayRewind, WayCopy:
		d.provision(m, r)
	case WayRefused:
		if d.permitted(m) {
			d.provision(m, r)
		}
	}
}

// joins: it follows, and commits are to wait for it once it has what the primary has.
func (d *decision) joins(m *Member) bool {
	return d.Request.Sync && len(d.Recorded.Durability) > 0 && !d.recordedRule().Has(m.Name) && m.receiving()
}

// letStart lets a member start again that was fenced as a former primary: as a standby
// without an upstream.
func (d *decision) letStart(m *Member) bool {
	if r := d.ours(m); r == nil || r.Role != topology.RoleIsolated {
		return d.step(m, topology.Step{Kind: topology.StepDemote, Why: "it was fenced and is not the primary"})
	}
	return d.step(m, topology.Step{Kind: topology.StepUnhold, Why: "it is not the primary any more, and starts as a standby"})
}

// keepOut isolates a member that is isolated by the spec, leaves, or is to be removed,
// once the primary waits for others; and releases one that leaves.
func (d *decision) keepOut(m *Member) {
	if d.neededNow(m) {
		return
	}
	r := m.Seen.Record
	if !d.isolatedRecord(m) && !(r != nil && r.Released && r.Role == topology.RoleIsolated) {
		d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "it is no standby any more"})
		return
	}
	if m.leaves() && r != nil && !r.Released && !d.View.counts(m.Name) {
		d.step(m, topology.Step{Kind: topology.StepRelease, Why: "it leaves the replication"})
	}
}

// neededNow: commits still wait for the member, because the primary has its rule yet.
func (d *decision) neededNow(m *Member) bool {
	s := d.source
	if s == nil || !s.answers() {
		return d.View.counts(m.Name)
	}
	r := d.ours(s)
	return d.recordedRule().Has(m.Name) || r != nil && r.Rule.Has(m.Name)
}

// conclude says in which state it all is, when nothing has said so before.
func (d *decision) conclude() {
	s := d.source
	if s != nil && s.primary() && d.Request.Sync && len(d.Recorded.Durability) > 0 {
		r := d.recordedRule()
		able := d.attached(s, r)
		switch {
		case r.W > 0 && able < int(r.W) && !d.mem.BlockedSince.IsZero():
			reason := ReasonWritesBlocked
			if d.anyCopied() {
				reason = ReasonReplicaMade
			}
			d.state(WritesBlocked, reason, "commits wait until %d of %s can acknowledge, %d can; it continues when they replicate again, or with durability.policy: Preferred", r.W, names(r), able)
		case r.W == 0 && d.wantsMembers():
			d.state(SyncDegraded, ReasonUnacknowledged, "commits are acknowledged before any standby has them, and are lost if %s is; they are waited for again when a standby has caught up", s.Name)
		}
	}
	if d.notInForce != "" {
		state := Degraded
		if !s.primary() {
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
		d.state(Healthy, ReasonHealthy, "%s is the primary, and all standbys replicate", d.Recorded.Source)
	}
}

// trouble of a standby: a reason, and what ends it.
func (d *decision) trouble(m *Member) (reason, message string) {
	switch {
	case !m.stays():
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
	}
	r := d.Rejoin(m.Name)
	switch {
	case r.Way == WayRefused:
		return ReasonNeedsPermission, "it does not follow the primary: " + r.Why + "; to replace its data by a copy of the primary's, annotate its Unit with unit-operator.io/reinit: " + m.Seen.ServerID
	case r.Way == WayCopy || r.Way == WayRewind:
		if message, refused := m.refused(topology.StepProvision); refused {
			return ReasonProvisioning, "copying the primary's data to it does not begin: " + shorten(message)
		}
		if r.At.Timeline > 0 {
			return ReasonDiverged, "its data is to be replaced by the primary's, and kept aside: " + r.Why
		}
		return ReasonProvisioning, "its data is to be copied from the primary: " + r.Why
	case !m.answers():
		return ReasonUnreachable, "its server does not answer: " + shorten(m.Seen.Trouble)
	case r.Way == WayWait && d.lineage():
		return ReasonReplicating, "it does not follow the primary yet: " + r.Why
	case d.lineage():
		if message, refused := m.refused(topology.StepFollow); refused {
			return ReasonReplicating, "it does not follow the primary: " + shorten(message)
		}
		if !m.receiving() {
			return ReasonReplicating, "it does not receive"
		}
	}
	return "", ""
}

// wantsMembers: there are members that could acknowledge.
func (d *decision) wantsMembers() bool {
	for i := range d.Members {
		if m := &d.Members[i]; !d.isSource(m) && m.stays() {
			return true
		}
	}
	return false
}

// durabilityMember names a member: all of a database share one identity.
func durabilityMember(m *Member) v1alpha1.DurabilityMember {
	return v1alpha1.DurabilityMember{Name: m.Name, UnitUID: m.UnitUID}
}
