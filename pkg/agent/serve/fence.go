// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// checkFence refuses calls meant for another pod or unit, or by a caller that has
// been overtaken. Zero means that the caller does not speak for that level: a
// Unit controller knows no epoch, a Replication no unit generation.
func checkFence(fence *agentv1.Fence, podUID, unitUID string, stored *state.Desired) error {
	switch {
	case fence.GetPodUid() == "" || fence.GetUnitUid() == "":
		return status.Error(codes.InvalidArgument, "fence: pod_uid and unit_uid are required")
	case fence.GetEpoch() < 0 || fence.GetUnitGeneration() < 0:
		return status.Error(codes.InvalidArgument, "fence: epoch and unit_generation must not be negative")
	case fence.GetEpoch() == 0 && fence.GetUnitGeneration() == 0:
		return status.Error(codes.InvalidArgument, "fence: epoch or unit_generation is required")
	case fence.GetPodUid() != podUID:
		return status.Errorf(codes.FailedPrecondition, "fence: the call is for pod %s, this is pod %s", fence.GetPodUid(), podUID)
	case fence.GetUnitUid() != unitUID:
		return status.Errorf(codes.FailedPrecondition, "fence: the call is for unit %s, this is unit %s", fence.GetUnitUid(), unitUID)
	}
	if stored == nil {
		return nil
	}
	if epoch := fence.GetEpoch(); epoch != 0 && epoch < stored.Epoch {
		return status.Errorf(codes.FailedPrecondition, "fence: epoch %d is older than %d, which was seen already", epoch, stored.Epoch)
	}
	if generation := fence.GetUnitGeneration(); generation != 0 && generation < stored.UnitGeneration {
		return status.Errorf(codes.FailedPrecondition, "fence: unit generation %d is older than %d, which was seen already", generation, stored.UnitGeneration)
	}
	return nil
}

// raise records the fence of a call that is let through.
func raise(d *state.Desired, fence *agentv1.Fence) {
	d.PodUID, d.UnitUID = fence.GetPodUid(), fence.GetUnitUid()
	d.Epoch = max(d.Epoch, fence.GetEpoch())
	d.UnitGeneration = max(d.UnitGeneration, fence.GetUnitGeneration())
}

// checkHold says whether the caller may write the hold: each has one writer, and
// the fence shows which one calls.
func checkHold(name string, fence *agentv1.Fence) error {
	switch {
	case name == state.HoldFence:
		if fence.GetEpoch() == 0 {
			return status.Error(codes.InvalidArgument, "hold fence: an epoch is required, it belongs to the Replication")
		}
	case name == state.HoldUpgrade:
		if fence.GetUnitGeneration() == 0 {
			return status.Error(codes.InvalidArgument, "hold upgrade: a unit generation is required, it belongs to the UnitSet")
		}
	case name == state.HoldStartup:
		return status.Error(codes.InvalidArgument, "hold startup: it is written by Apply only")
	case strings.HasPrefix(name, state.HoldOperationPrefix) && len(name) > len(state.HoldOperationPrefix) && len(name) <= 128:
	default:
		return status.Errorf(codes.InvalidArgument, "hold %q: want fence, upgrade or operation:<id>", name)
	}
	return nil
}
