// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

var states = map[agentv1.ServerState]ServerState{
	agentv1.ServerState_SERVER_STATE_WAITING:      StateWaiting,
	agentv1.ServerState_SERVER_STATE_HELD:         StateHeld,
	agentv1.ServerState_SERVER_STATE_INITIALIZING: StateInitializing,
	agentv1.ServerState_SERVER_STATE_STARTING:     StateStarting,
	agentv1.ServerState_SERVER_STATE_RUNNING:      StateRunning,
	agentv1.ServerState_SERVER_STATE_STOPPING:     StateStopping,
	agentv1.ServerState_SERVER_STATE_DATA_MISSING: StateDataMissing,
	agentv1.ServerState_SERVER_STATE_FAILED:       StateFailed,
}

func fromStatus(in *agentv1.GetStatusResponse) *Status {
	server, config := in.GetServer(), in.GetConfiguration()
	out := &Status{
		AgentVersion: in.GetAgentVersion(), Capabilities: in.GetCapabilities(),
		PodUID: types.UID(in.GetPodUid()), UnitUID: types.UID(in.GetUnitUid()),
		Epoch: in.GetEpoch(), Generation: in.GetUnitGeneration(), Holds: in.GetHolds(),
		AppliedHash: config.GetAppliedHash(), RunningHash: config.GetRunningHash(), RestartRequired: config.GetRestartRequired(),
		State: StateUnknown, Message: server.GetMessage(), Version: server.GetVersion(), Writable: server.GetWritable(), Down: server.GetDown(),
		Data: fromIdentity(in.GetData()), JournalID: in.GetJournalId(),
		Record: fromRecord(in.GetRecord()), HoldsOrder: in.GetHoldsOrder(), StopProof: fromStopProof(in.GetStopProof()),
		Owner: types.UID(in.GetOwnerReplicationUid()),
	}
	// A newer agent may know states that we do not.
	if s, ok := states[server.GetState()]; ok {
		out.State = s
	}
	if server.GetSince() != nil {
		out.Since = server.GetSince().AsTime()
	}
	return out
}

func fromIdentity(in *agentv1.DataIdentity) *DataIdentity {
	if in == nil {
		return nil
	}
	out := &DataIdentity{SystemID: in.GetSystemId(), DataGeneration: in.GetDataGeneration(), Virgin: in.GetVirgin(), Pristine: in.Pristine, HighestVersion: in.GetHighestVersion()}
	for name, uid := range in.GetClaimUids() {
		if out.ClaimUIDs == nil {
			out.ClaimUIDs = map[string]types.UID{}
		}
		out.ClaimUIDs[name] = types.UID(uid)
	}
	return out
}

func toIdentity(in *DataIdentity) *agentv1.DataIdentity {
	if in == nil {
		return nil
	}
	return &agentv1.DataIdentity{SystemId: in.SystemID, ClaimUids: toUIDs(in.ClaimUIDs), DataGeneration: in.DataGeneration, Virgin: in.Virgin, Pristine: in.Pristine, HighestVersion: in.HighestVersion}
}

func toUIDs(in map[string]types.UID) map[string]string {
	out := make(map[string]string, len(in))
	for name, uid := range in {
		out[name] = string(uid)
	}
	return out
}

func toApply(target Target, r ApplyRequest) *agentv1.ApplyRequest {
	f := fence(target, 0, r.Generation)
	f.Term, f.Seq = r.Term, r.Seq
	return &agentv1.ApplyRequest{
		Fence:               f,
		Configuration:       toConfiguration(r.ConfigHash, r.Files),
		StartupHold:         r.StartupHold,
		Expected:            toIdentity(r.Expected),
		GivenUpSystemId:     r.GivenUpSystemID,
		ClaimUids:           toUIDs(r.ClaimUIDs),
		Managed:             r.Managed,
		OwnerReplicationUid: string(r.Owner),
		Released:            toReleased(r.Released),
	}
}

// toConfiguration is unset where the agent keeps the configuration it has. Files are
// in the order of their names: a retry is byte for byte the same request.
func toConfiguration(hash string, files map[string][]byte) *agentv1.Configuration {
	if hash == "" && len(files) == 0 {
		return nil
	}
	config := &agentv1.Configuration{Hash: hash}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		config.Files = append(config.Files, &agentv1.ConfigurationFile{Name: name, Content: files[name]})
	}
	return config
}

func toReleased(in *Released) *agentv1.Released {
	if in == nil {
		return nil
	}
	return &agentv1.Released{ReplicationUid: string(in.ReplicationUID), Role: toRole(in.Role), Upstream: toUpstream(in.Upstream), Epoch: in.Epoch}
}

func fence(target Target, epoch, generation int64) *agentv1.Fence {
	return &agentv1.Fence{PodUid: string(target.PodUID), UnitUid: string(target.UnitUID), Epoch: epoch, UnitGeneration: generation}
}
