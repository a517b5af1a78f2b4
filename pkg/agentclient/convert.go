// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
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
		State: StateUnknown, Message: server.GetMessage(), Version: server.GetVersion(), Writable: server.GetWritable(),
		Data: fromIdentity(in.GetData()), JournalID: in.GetJournalId(),
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
	out := &DataIdentity{SystemID: in.GetSystemId(), DataGeneration: in.GetDataGeneration(), Virgin: in.GetVirgin()}
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
	return &agentv1.DataIdentity{SystemId: in.SystemID, ClaimUids: toUIDs(in.ClaimUIDs), DataGeneration: in.DataGeneration, Virgin: in.Virgin}
}

func toUIDs(in map[string]types.UID) map[string]string {
	out := make(map[string]string, len(in))
	for name, uid := range in {
		out[name] = string(uid)
	}
	return out
}

func toApply(target Target, r ApplyRequest) *agentv1.ApplyRequest {
	config := &agentv1.Configuration{Hash: r.ConfigHash}
	for name, content := range r.Files {
		config.Files = append(config.Files, &agentv1.ConfigurationFile{Name: name, Content: content})
	}
	return &agentv1.ApplyRequest{
		Fence:           fence(target, 0, r.Generation),
		Configuration:   config,
		StartupHold:     r.StartupHold,
		Expected:        toIdentity(r.Expected),
		GivenUpSystemId: r.GivenUpSystemID,
		ClaimUids:       toUIDs(r.ClaimUIDs),
		Managed:         r.Managed,
	}
}

func fence(target Target, epoch, generation int64) *agentv1.Fence {
	return &agentv1.Fence{PodUid: string(target.PodUID), UnitUid: string(target.UnitUID), Epoch: epoch, UnitGeneration: generation}
}
