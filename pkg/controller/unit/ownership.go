// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/membership"
)

// ownershipInput is what decides about the record of who owns a unit.
type ownershipInput struct {
	// unit is the name of the unit.
	unit string
	// recorded owner and released role, as the status has them.
	recorded *v1alpha2.UnitReplication
	released *v1alpha2.UnitReleased
	// owner is the Replication that owns the unit now; nil if none does.
	owner *membership.Replication
	// last is what was seen last of the recorded owner; nil if nothing is known.
	last *membership.Replication
	// record is what the agent of the unit's pod has from the recorded owner; nil if
	// it has nothing, or was not asked.
	record *agentclient.RoleRecord
}

// ownership is the record of who owns a unit.
type ownership struct {
	recorded *v1alpha2.UnitReplication
	released *v1alpha2.UnitReleased
}

// planOwnership decides. A unit that its Replication leaves goes on in the role that
// it had; the record of that role stays until the next Replication has a source and
// counts the unit in.
func planOwnership(in ownershipInput) ownership {
	released := in.released
	if in.recorded != nil && (in.owner == nil || in.owner.UID != in.recorded.UID) {
		if role := releasedRole(in); role != nil {
			released = role
		}
	}
	if in.owner == nil {
		return ownership{released: released}
	}
	next := &v1alpha2.UnitReplication{
		Kind: v1alpha2.ReplicationKind(in.owner.Kind), Name: in.owner.Name, UID: in.owner.UID, Epoch: in.owner.Epoch,
	}
	if in.released != nil {
		next.Epoch = max(next.Epoch, in.released.Epoch)
	}
	if in.recorded != nil {
		// One that takes a unit over begins above the epoch of the one before.
		next.Epoch = max(next.Epoch, in.recorded.Epoch)
		if in.recorded.UID == in.owner.UID && in.owner.Source != "" && in.owner.Member != nil {
			released = nil
		}
	}
	return ownership{recorded: next, released: released}
}

// releasedRole is the role in which the recorded owner leaves the unit; nil if it never
// gave it one. What the Replication says comes before what the agent has: a source
// that was cut off while another one took its place still has that role. Where nobody
// can tell, the unit goes on read-only: no second source comes of that.
func releasedRole(in ownershipInput) *v1alpha2.UnitReleased {
	source := &v1alpha2.UnitReleased{ReplicationUID: in.recorded.UID, Role: v1alpha2.ReleasedSource, Epoch: in.recorded.Epoch}
	replica := func(host string, port int32) *v1alpha2.UnitReleased {
		return &v1alpha2.UnitReleased{
			ReplicationUID: in.recorded.UID, Role: v1alpha2.ReleasedReplica, UpstreamHost: host, UpstreamPort: port, Epoch: in.recorded.Epoch,
		}
	}
	switch last, record := in.last, in.record; {
	case last != nil && last.Source == in.unit:
		return source
	case last != nil && last.Source != "":
		return replica(last.SourceHost, last.SourcePort)
	case record != nil && record.Role == agentclient.RoleSource && record.Epoch >= in.recorded.Epoch:
		return source
	case record != nil && record.Upstream != nil:
		return replica(record.Upstream.Host, record.Upstream.Port)
	case record != nil, in.recorded.Epoch > 0:
		return replica("", 0)
	}
	return nil
}

// syncOwnership records who owns the unit. That is in the status before an agent
// hears of it, and before a Replication acts on it, which waits for its own UID there.
// The pod of a member is held for the proof of its end before that; one that is being
// deleted without it is none of the Replication's.
func (c *Controller) syncOwnership(ctx context.Context, s *state) error {
	if s.member.Contested() {
		s.found.Because(v1alpha2.ConditionMemberTaken,
			"%s list the unit, too, and touch nothing of it: %s, which is older, owns it; take it out of all of them but one. No restart that could wait begins before that",
			s.member.Names(), s.member.Owner)
	}
	in := ownershipInput{unit: s.unit.Name, recorded: s.status.Replication, released: s.status.Released, owner: s.member.Owner}
	m := c.memory(cache.MetaObjectToName(s.unit))
	if in.recorded != nil {
		in.last = c.members.Get(membership.Of(s.unit), string(in.recorded.Kind), in.recorded.Name, in.recorded.UID)
		if in.last == nil && m.owner != nil && m.owner.UID == in.recorded.UID {
			in.last = m.owner
		}
		told, err := c.hearRecord(ctx, s, in)
		if !told || err != nil {
			return err
		}
		if s.agent != nil && s.agent.Record != nil && s.agent.Record.ReplicationUID == in.recorded.UID {
			in.record = s.agent.Record
		}
	}
	if in.owner != nil {
		m.owner = in.owner
	}
	plan := planOwnership(in)
	if ptr.Equal(plan.recorded, in.recorded) && ptr.Equal(plan.released, in.released) {
		return nil
	}
	changed := uidOf(plan.recorded) != uidOf(in.recorded)
	if changed && plan.recorded != nil {
		if held, err := c.holdPod(ctx, s); !held || err != nil {
			return err
		}
	}
	err := c.record(ctx, s, func(status *v1alpha2.UnitStatus) {
		status.Replication, status.Released = plan.recorded, plan.released
		if s.pod == nil && in.recorded == nil {
			// The pod before was no member's: nothing is to be proven of it.
			status.PodUID, status.NodeName = "", ""
		}
		// Its agent has to hear of it.
		if changed || !ptr.Equal(plan.released, in.released) {
			status.ConfigSyncStatus.AppliedGeneration = 0
		}
	})
	if err != nil {
		return err
	}
	switch {
	case changed && plan.recorded != nil:
		c.control.Events.Normal(s.unit, v1alpha2.ReasonAdopted, actionReconcile, "%s owns the unit", in.owner)
	case changed:
		c.control.Events.Normal(s.unit, v1alpha2.ReasonReleased, actionReconcile, "%s %s does not list the unit any more; it %s",
			in.recorded.Kind, in.recorded.Name, goesOn(plan.released))
	}
	return errWritten
}

// hearRecord asks the agent in which role the unit is, where nothing else tells it and
// the unit leaves its Replication: an operator that was restarted has not heard of it.
// It is false while an agent that may know does not answer.
func (c *Controller) hearRecord(ctx context.Context, s *state, in ownershipInput) (told bool, err error) {
	leaves := in.owner == nil || in.owner.UID != in.recorded.UID
	known := in.last != nil && (in.last.Source != "" || max(in.last.Epoch, in.recorded.Epoch) == 0)
	if !leaves || known || s.agent != nil || s.pod == nil || s.unit.OwnCommand || !s.answered() {
		return true, nil
	}
	since, up := agentUp(s.pod)
	if !up {
		// Its pod tells when it is, or is replaced by one that knows nothing.
		return s.pod.DeletionTimestamp != nil, nil
	}
	answered, err := c.ask(ctx, s, since)
	if err != nil {
		c.explainAgent(s, err, since)
	}
	return answered && err == nil, nil
}

func uidOf(r *v1alpha2.UnitReplication) types.UID {
	if r == nil {
		return ""
	}
	return r.UID + "/" + types.UID(r.Kind)
}

// goesOn says how a unit goes on without its Replication.
func goesOn(released *v1alpha2.UnitReleased) string {
	switch {
	case released == nil:
		return "goes on by itself"
	case released.Role == v1alpha2.ReleasedSource:
		return "goes on as a source, writable"
	case released.UpstreamHost == "":
		return "goes on read-only and follows nobody"
	}
	return fmt.Sprintf("goes on as a replica, read-only, and follows %s:%d", released.UpstreamHost, released.UpstreamPort)
}

// released is the role that the agent is told to go on in. One that has an owner again
// hears only that another member took its place, lest the source that it was goes on
// until the owner has given it a role.
func (s *state) released() *agentclient.Released {
	r := s.status.Released
	switch {
	case r == nil:
		return nil
	case s.status.Replication != nil && (r.Role == v1alpha2.ReleasedSource || r.ReplicationUID == s.status.Replication.UID):
		return nil
	}
	out := &agentclient.Released{ReplicationUID: r.ReplicationUID, Role: agentclient.RoleSource, Epoch: r.Epoch}
	if r.Role == v1alpha2.ReleasedReplica {
		out.Role = agentclient.RoleReplica
		if r.UpstreamHost != "" {
			out.Upstream = &agentclient.Upstream{Host: r.UpstreamHost, Port: r.UpstreamPort}
		}
	}
	return out
}

// record changes the stored status before the steps that follow from it, and nothing
// else of it: what this sync would find later is not known yet.
func (c *Controller) record(ctx context.Context, s *state, change func(*v1alpha2.UnitStatus)) error {
	status := *s.unit.Status.DeepCopy()
	change(&status)
	return c.patchStatus(ctx, s.unit, status)
}
