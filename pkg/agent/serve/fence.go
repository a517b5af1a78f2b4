// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

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
	case fence.GetEpoch() < 0 || fence.GetUnitGeneration() < 0 || fence.GetTerm() < 0 || fence.GetSeq() < 0:
		return status.Error(codes.InvalidArgument, "fence: epoch, unit_generation, term and seq must not be negative")
	case fence.GetEpoch() == 0 && fence.GetUnitGeneration() == 0:
		return status.Error(codes.InvalidArgument, "fence: epoch or unit_generation is required")
	case fence.GetReplicationUid() != "" && fence.GetEpoch() == 0:
		return status.Error(codes.InvalidArgument, "fence: a Replication's call needs an epoch")
	case fence.GetTerm() != 0 && fence.GetSeq() == 0:
		return status.Error(codes.InvalidArgument, "fence: a call with a term needs a seq")
	case fence.GetPodUid() != podUID:
		return status.Errorf(codes.FailedPrecondition, "fence: the call is for pod %s, this is pod %s", fence.GetPodUid(), podUID)
	case fence.GetUnitUid() != unitUID:
		return status.Errorf(codes.FailedPrecondition, "fence: the call is for unit %s, this is unit %s", fence.GetUnitUid(), unitUID)
	}
	if stored == nil {
		stored = &state.Desired{}
	}
	if err := checkOwner(fence, stored); err != nil {
		return err
	}
	if epoch := fence.GetEpoch(); epoch != 0 && epoch < stored.Epoch {
		return status.Errorf(codes.FailedPrecondition, "fence: epoch %d is older than %d, which was seen already", epoch, stored.Epoch)
	}
	if generation := fence.GetUnitGeneration(); generation != 0 && generation < stored.UnitGeneration {
		return status.Errorf(codes.FailedPrecondition, "fence: unit generation %d is older than %d, which was seen already", generation, stored.UnitGeneration)
	}
	return nil
}

// checkOwner refuses a Replication that does not own the unit, whatever its epoch, and
// an owner that has not raised its epoch above what an earlier one has used.
func checkOwner(fence *agentv1.Fence, stored *state.Desired) error {
	uid := fence.GetReplicationUid()
	switch {
	case uid == "" && fence.GetUnitGeneration() == 0 && stored.OwnerUID != "":
		return status.Errorf(codes.FailedPrecondition, "fence: the unit is owned by Replication %s and the call names none", stored.OwnerUID)
	case uid == "":
		return nil
	case stored.OwnerUID == "":
		return status.Errorf(codes.FailedPrecondition, "fence: Replication %s calls, but no Apply has named an owner of the unit", uid)
	case uid != stored.OwnerUID:
		return status.Errorf(codes.FailedPrecondition, "fence: Replication %s calls, the unit is owned by %s", uid, stored.OwnerUID)
	case stored.Owner.UID != uid && fence.GetEpoch() <= stored.Epoch && stored.Epoch != 0:
		return status.Errorf(codes.FailedPrecondition, "fence: epoch %d of the new owner is not above %d, which was seen already", fence.GetEpoch(), stored.Epoch)
	}
	return nil
}

// writerOf is the place where the order of the caller's calls is kept.
func writerOf(d *state.Desired, fence *agentv1.Fence) *state.Writer {
	if fence.GetReplicationUid() != "" || fence.GetUnitGeneration() == 0 {
		return &d.Owner
	}
	return &d.Unit
}

// checkOrder refuses a call that is not later than the last one of its writer. retry is
// true for the last one itself. digest names the call.
func checkOrder(fence *agentv1.Fence, digest string, d *state.Desired) (retry bool, err error) {
	term, seq := fence.GetTerm(), fence.GetSeq()
	last := *writerOf(d, fence)
	if last.UID != fence.GetReplicationUid() {
		last = state.Writer{} // the first call of a new owner
	}
	switch {
	case last.Term == 0 && last.Seq == 0:
		return false, nil
	case term == 0 && seq == 0:
		return false, staleOrder(last, "fence: the call has no term, and one of term %d has been seen already", last.Term)
	case term == last.Term && seq == last.Seq && digest == last.Call:
		return true, nil
	case term < last.Term, term == last.Term && seq <= last.Seq:
		return false, staleOrder(last, "fence: call %d of term %d comes after call %d of term %d", seq, term, last.Seq, last.Term)
	}
	return false, nil
}

// staleOrder refuses a call that comes after last, and says which that was.
func staleOrder(last state.Writer, format string, args ...any) error {
	refused := status.Newf(codes.FailedPrecondition, format, args...)
	detailed, err := refused.WithDetails(&agentv1.StaleOrder{Term: last.Term, Seq: last.Seq})
	if err != nil {
		return refused.Err()
	}
	return detailed.Err()
}

// raise records the fence of a call that is let through.
func raise(d *state.Desired, fence *agentv1.Fence, digest string) {
	d.PodUID, d.UnitUID = fence.GetPodUid(), fence.GetUnitUid()
	d.Epoch = max(d.Epoch, fence.GetEpoch())
	d.UnitGeneration = max(d.UnitGeneration, fence.GetUnitGeneration())
	uid := fence.GetReplicationUid()
	if digest != "" && (uid != "" || fence.GetTerm() != 0 || fence.GetSeq() != 0) {
		*writerOf(d, fence) = state.Writer{UID: uid, Term: fence.GetTerm(), Seq: fence.GetSeq(), Call: digest}
	}
	if uid != "" && uid == d.Record.ReplicationUID {
		d.Record.Term, d.Record.Seq, d.Record.Epoch = fence.GetTerm(), fence.GetSeq(), fence.GetEpoch()
	}
}

// digestOf names a request: the same bytes of the same method have the same.
func digestOf(request proto.Message) (string, error) {
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte(request.ProtoReflect().Descriptor().FullName()+"\x00"), content...))
	return hex.EncodeToString(sum[:]), nil
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
