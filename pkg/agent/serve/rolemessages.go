// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

func upstreamFrom(in *agentv1.Upstream) *engine.Upstream {
	if in == nil {
		return nil
	}
	return &engine.Upstream{
		Name: in.GetName(), Host: in.GetHost(), Port: int(in.GetPort()), ServerID: in.GetServerId(), Timeline: in.GetTimeline(),
		DataGeneration: in.GetDataGeneration(), Slot: in.GetSlot(), User: in.GetUser(),
	}
}

func upstreamMessage(in *engine.Upstream) *agentv1.Upstream {
	if in == nil {
		return nil
	}
	return &agentv1.Upstream{
		Name: in.Name, Host: in.Host, Port: int32(in.Port), ServerId: in.ServerID, Timeline: in.Timeline, //nolint:gosec // a port
		DataGeneration: in.DataGeneration, Slot: in.Slot, User: in.User,
	}
}

func channelFrom(in *agentv1.ChannelAccount) engine.ChannelAccount {
	return engine.ChannelAccount{User: in.GetUser(), Password: string(in.GetPassword()), ID: in.GetId()}
}

func durabilityFrom(in *agentv1.Durability) engine.Durability {
	out := engine.Durability{Mode: engine.DurabilityAsync, W: int(in.GetW())}
	if in.GetMode() == agentv1.DurabilityMode_DURABILITY_MODE_SYNC {
		out.Mode = engine.DurabilitySync
	}
	for _, m := range in.GetMembers() {
		out.Members = append(out.Members, engine.DurabilityMember{Name: m.GetName(), UnitUID: m.GetUnitUid(), ServerID: m.GetServerId()})
	}
	return out
}

func durabilityMessage(in engine.Durability) *agentv1.Durability {
	if in.Mode == "" {
		return nil
	}
	out := &agentv1.Durability{Mode: agentv1.DurabilityMode_DURABILITY_MODE_ASYNC, W: int32(in.W)} //nolint:gosec // a count of members
	if in.Mode == engine.DurabilitySync {
		out.Mode = agentv1.DurabilityMode_DURABILITY_MODE_SYNC
	}
	for _, m := range in.Members {
		out.Members = append(out.Members, &agentv1.DurabilityMember{Name: m.Name, UnitUid: m.UnitUID, ServerId: m.ServerID})
	}
	return out
}

// recordMessage is a record in the protocol's words; nil while nobody has given a role.
func recordMessage(in engine.RoleRecord, channelID string) *agentv1.RoleRecord {
	if in.Role == "" && in.ReplicationUID == "" {
		return nil
	}
	return &agentv1.RoleRecord{
		ReplicationUid: in.ReplicationUID, Term: in.Term, Seq: in.Seq, Epoch: in.Epoch,
		Role: roleNames[in.Role], Upstream: upstreamMessage(in.Upstream), Durability: durabilityMessage(in.Durability),
		Open: in.Open, DataGeneration: in.DataGeneration, Released: in.Released, ChannelId: channelID,
	}
}

func replicationMessage(in engine.Replication, out *agentv1.ObserveResponse) {
	out.Answered, out.ServerId, out.ReadOnly = in.Answered, in.ServerID, in.ReadOnly
	if in.MySQL != nil {
		out.Mysql = mysqlMessage(in.MySQL)
	}
	if in.PostgreSQL != nil {
		out.Postgresql = postgresqlMessage(in.PostgreSQL)
	}
}

//nolint:gosec // ports, counts and error numbers
func mysqlMessage(in *engine.MySQLReplication) *agentv1.MySQLObservation {
	out := &agentv1.MySQLObservation{
		Executed: in.Executed, Purged: in.Purged, SuperReadOnly: in.SuperReadOnly, EventScheduler: in.EventScheduler,
		SemiSync: &agentv1.MySQLSemiSync{
			SourceEnabled: in.SemiSync.SourceEnabled, SourceActive: in.SemiSync.SourceActive, ReplicaEnabled: in.SemiSync.ReplicaEnabled,
			WaitFor: int32(in.SemiSync.WaitFor), Clients: int32(in.SemiSync.Clients), WaitingSessions: int32(in.SemiSync.WaitingSessions),
			Unacknowledged: in.SemiSync.Unacknowledged, Acknowledged: in.SemiSync.Acknowledged,
		},
		Version: in.Version, Committing: in.Committing,
	}
	if c := in.Channel; c != nil {
		out.Channel = &agentv1.MySQLChannel{
			Host: c.Host, Port: int32(c.Port), User: c.User, SourceUuid: c.SourceUUID, Receiving: c.Receiving, Applying: c.Applying,
			Retrieved: c.Retrieved, ReceiverErrorNumber: int32(c.ReceiverErrorNumber), ReceiverError: c.ReceiverError,
			ApplierErrorNumber: int32(c.ApplierErrorNumber), ApplierError: c.ApplierError,
			Unapplied: c.Unapplied, DelaySeconds: int64(c.Delay / time.Second),
		}
		if c.Lag != nil {
			out.Channel.LagMilliseconds = new(c.Lag.Milliseconds())
		}
	}
	for _, d := range in.DumpThreads {
		out.DumpThreads = append(out.DumpThreads, &agentv1.MySQLDumpThread{ServerUuid: d.ServerUUID, Host: d.Host, Acknowledging: d.Acknowledging})
	}
	return out
}

//nolint:gosec // a port
func postgresqlMessage(in *engine.PostgreSQLReplication) *agentv1.PostgreSQLObservation {
	out := &agentv1.PostgreSQLObservation{
		InRecovery: in.InRecovery, Timeline: in.Timeline, WriteLsn: in.WriteLSN, ReceivedLsn: in.ReceivedLSN, ReplayedLsn: in.ReplayedLSN,
		ReplayPaused: in.ReplayPaused, SynchronousStandbyNames: in.SynchronousStandbyNames,
		History: in.History, HistoryKnown: in.HistoryKnown, Hints: in.Hints,
	}
	if r := in.Receiver; r != nil {
		out.Receiver = &agentv1.PostgreSQLReceiver{Status: r.Status, Host: r.Host, Port: int32(r.Port), Slot: r.Slot, Timeline: r.Timeline}
	}
	for _, s := range in.Standbys {
		out.Standbys = append(out.Standbys, &agentv1.PostgreSQLStandby{
			ApplicationName: s.ApplicationName, State: s.State, SyncState: s.SyncState, FlushLsn: s.FlushLSN, ReplayLsn: s.ReplayLSN,
			Counted: s.Counted, Reloaded: s.Reloaded,
		})
	}
	for _, s := range in.Slots {
		out.Slots = append(out.Slots, &agentv1.PostgreSQLSlot{
			Name: s.Name, Logical: s.Logical, Active: s.Active, RestartLsn: s.RestartLSN, WalStatus: s.WALStatus,
		})
	}
	if c := in.Control; c != nil {
		out.Control = &agentv1.PostgreSQLControlData{State: c.State, Timeline: c.Timeline, CheckpointLsn: c.CheckpointLSN, SystemId: c.SystemID}
	}
	return out
}
