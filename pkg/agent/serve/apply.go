// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

func validateApply(request *agentv1.ApplyRequest) error {
	if request.GetFence().GetUnitGeneration() == 0 {
		return status.Error(codes.InvalidArgument, "fence: unit_generation is required, Apply belongs to the Unit")
	}
	if request.GetFence().GetReplicationUid() != "" {
		return status.Error(codes.InvalidArgument, "fence: Apply belongs to the Unit, replication_uid must be empty")
	}
	if c := request.GetConfiguration(); c != nil {
		files := configFiles(c)
		if len(files) != len(c.GetFiles()) {
			return status.Error(codes.InvalidArgument, "configuration: a file name comes twice")
		}
		if err := state.ValidateConfig(c.GetHash(), files); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
	if request.GetExpected() != nil && request.GetExpected().GetSystemId() == "" {
		return status.Error(codes.InvalidArgument, "expected: system_id is required; leave expected unset for a unit that never had data")
	}
	return validateReleased(request)
}

func validateReleased(request *agentv1.ApplyRequest) error {
	r := request.GetReleased()
	switch {
	case r == nil:
	case request.GetOwnerReplicationUid() != "" && request.GetOwnerReplicationUid() == r.GetReplicationUid():
		return status.Error(codes.InvalidArgument, "released: the owner has not released the unit")
	case r.GetRole() != agentv1.Role_ROLE_SOURCE && r.GetRole() != agentv1.Role_ROLE_REPLICA:
		return status.Error(codes.InvalidArgument, "released: role must be source or replica")
	}
	return nil
}

func configFiles(c *agentv1.Configuration) map[string][]byte {
	files := make(map[string][]byte, len(c.GetFiles()))
	for _, f := range c.GetFiles() {
		files[f.GetName()] = f.GetContent()
	}
	return files
}

// applied is what the request makes of d. It names the owner and what a former one has
// released the unit as; a role it never writes.
func applied(d state.Desired, request *agentv1.ApplyRequest) state.Desired {
	before := d.EffectiveRecord()
	if d.OwnerUID == "" && d.Released != nil && request.GetOwnerReplicationUid() != "" {
		// What the unit was released as is what it is, also for the next owner: a record
		// that it lost to that must not come back.
		d.Record = before
	}
	d = d.SetHold(state.HoldStartup, request.GetStartupHold())
	if c := request.GetConfiguration(); c != nil {
		d.Applied = true
		d.ConfigHash = c.GetHash()
	}
	d.Expected = nil
	if e := request.GetExpected(); e != nil {
		d.Expected = &state.DataIdentity{
			SystemID:       e.GetSystemId(),
			ClaimUIDs:      maps.Clone(e.GetClaimUids()),
			DataGeneration: e.GetDataGeneration(),
			Virgin:         e.GetVirgin(),
		}
	}
	d.GivenUpSystemID = request.GetGivenUpSystemId()
	d.ClaimUIDs = maps.Clone(request.GetClaimUids())
	d.Managed = request.GetManaged()
	if request.GetOwnerReplicationUid() == "" && (d.OwnerUID != "" || d.Owner.UID != "") {
		d = fenceOfNobody(d, request.GetReleased() != nil)
	}
	d.Epoch = max(d.Epoch, request.GetReleased().GetEpoch())
	d.OwnerUID = request.GetOwnerReplicationUid()
	d.Released = releasedFrom(request.GetReleased())
	if d.OwnerUID != "" {
		d = succeeded(d)
	}
	if now := d.EffectiveRecord(); before.Role == engine.RoleSource && now.Role != engine.RoleSource {
		// Another is the source by now: this one must not take a write more.
		d.RestartOrder++
		d.RestartReason = engine.StopFence
	}
	return d
}

// fenceOfNobody is d without the fence of a Replication that owned the unit and is gone:
// nobody else would lift it. A source was fenced for another to be one. Unless it is said
// as what the unit was released, it must not open again.
func fenceOfNobody(d state.Desired, released bool) state.Desired {
	if !slices.Contains(d.Holds, state.HoldFence) {
		return d
	}
	if !released && d.Record.Role == engine.RoleSource {
		d.Record.Role, d.Record.Upstream, d.Record.Acknowledge = engine.RoleIsolated, nil, false
		d.Record.Durability, d.Record.Open = engine.Durability{}, false
	}
	return d.SetHold(state.HoldFence, false)
}

// succeeded is d of a unit that passed from one Replication to the next in one step. The
// role in which the first one left it is said once: until the next one gives a role, a
// source whose place another one took must not go on as one.
func succeeded(d state.Desired) state.Desired {
	r := d.Released
	d.Released = nil
	if r != nil && r.Role == engine.RoleReplica && d.Record.Role == engine.RoleSource && d.Record.ReplicationUID != d.OwnerUID {
		d.Record = engine.RoleRecord{Role: r.Role, Upstream: r.Upstream, Released: true, Epoch: d.Record.Epoch}
	}
	return d
}

func releasedFrom(in *agentv1.Released) *state.Released {
	if in == nil {
		return nil
	}
	role := engine.RoleReplica
	if in.GetRole() == agentv1.Role_ROLE_SOURCE {
		role = engine.RoleSource
	}
	return &state.Released{ReplicationUID: in.GetReplicationUid(), Role: role, Upstream: upstreamFrom(in.GetUpstream())}
}
