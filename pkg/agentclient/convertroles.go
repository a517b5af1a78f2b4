// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

var roleNames = map[agentv1.Role]Role{
	agentv1.Role_ROLE_STANDALONE: RoleStandalone,
	agentv1.Role_ROLE_MANAGED:    RoleManaged,
	agentv1.Role_ROLE_SOURCE:     RoleSource,
	agentv1.Role_ROLE_REPLICA:    RoleReplica,
	agentv1.Role_ROLE_ISOLATED:   RoleIsolated,
}

func toRole(in Role) agentv1.Role {
	for out, name := range roleNames {
		if name == in {
			return out
		}
	}
	return agentv1.Role_ROLE_UNSPECIFIED
}

func toFence(target Target, in RoleFence) *agentv1.Fence {
	out := fence(target, in.Epoch, 0)
	out.ReplicationUid, out.Term, out.Seq = string(in.ReplicationUID), in.Term, in.Seq
	return out
}

func toUpstream(in *Upstream) *agentv1.Upstream {
	if in == nil {
		return nil
	}
	return &agentv1.Upstream{
		Name: in.Name, Host: in.Host, Port: in.Port, ServerId: in.ServerID, Timeline: in.Timeline,
		DataGeneration: in.DataGeneration, Slot: in.Slot, User: in.User,
	}
}

func fromUpstream(in *agentv1.Upstream) *Upstream {
	if in == nil {
		return nil
	}
	return &Upstream{
		Name: in.GetName(), Host: in.GetHost(), Port: in.GetPort(), ServerID: in.GetServerId(), Timeline: in.GetTimeline(),
		DataGeneration: in.GetDataGeneration(), Slot: in.GetSlot(), User: in.GetUser(),
	}
}

func toChannel(in ChannelAccount) *agentv1.ChannelAccount {
	if in.User == "" {
		return nil
	}
	return &agentv1.ChannelAccount{User: in.User, Password: []byte(in.Password), Id: in.ID}
}

func toDurability(in Durability) *agentv1.Durability {
	out := &agentv1.Durability{Mode: agentv1.DurabilityMode_DURABILITY_MODE_ASYNC, W: in.W}
	if in.Sync {
		out.Mode = agentv1.DurabilityMode_DURABILITY_MODE_SYNC
	}
	for _, m := range in.Members {
		out.Members = append(out.Members, &agentv1.DurabilityMember{Name: m.Name, UnitUid: string(m.UnitUID), ServerId: m.ServerID})
	}
	return out
}

func fromDurability(in *agentv1.Durability) Durability {
	out := Durability{Sync: in.GetMode() == agentv1.DurabilityMode_DURABILITY_MODE_SYNC, W: in.GetW()}
	for _, m := range in.GetMembers() {
		out.Members = append(out.Members, DurabilityMember{Name: m.GetName(), UnitUID: types.UID(m.GetUnitUid()), ServerID: m.GetServerId()})
	}
	return out
}

func fromRecord(in *agentv1.RoleRecord) *RoleRecord {
	if in == nil {
		return nil
	}
	return &RoleRecord{
		ReplicationUID: types.UID(in.GetReplicationUid()), Term: in.GetTerm(), Seq: in.GetSeq(), Epoch: in.GetEpoch(),
		Role: roleNames[in.GetRole()], Upstream: fromUpstream(in.GetUpstream()), Durability: fromDurability(in.GetDurability()),
		Open: in.GetOpen(), DataGeneration: in.GetDataGeneration(), Released: in.GetReleased(), ChannelID: in.GetChannelId(),
	}
}

func fromStopProof(in *agentv1.StopProof) *StopProof {
	if in == nil {
		return nil
	}
	return &StopProof{Order: in.GetOrder(), How: in.GetHow(), At: fromTime(in.GetAt())}
}

func fromObservation(in *agentv1.ObserveResponse) *Observation {
	if in == nil {
		return nil
	}
	return &Observation{
		Status: fromStatus(in.GetStatus()), ObservedAt: fromTime(in.GetObservedAt()),
		Answered: in.GetAnswered(), Error: in.GetError(), ServerID: in.GetServerId(), ReadOnly: in.GetReadOnly(),
		FreeBytes: in.GetFreeBytes(), TotalBytes: in.GetTotalBytes(), Busy: in.GetBusy(),
		MySQL: fromMySQL(in.GetMysql()), PostgreSQL: fromPostgreSQL(in.GetPostgresql()),
	}
}

func fromMySQL(in *agentv1.MySQLObservation) *MySQLObservation {
	if in == nil {
		return nil
	}
	semiSync := in.GetSemiSync()
	out := &MySQLObservation{
		Executed: in.GetExecuted(), Purged: in.GetPurged(), SuperReadOnly: in.GetSuperReadOnly(), EventScheduler: in.GetEventScheduler(),
		SemiSync: MySQLSemiSync{
			SourceEnabled: semiSync.GetSourceEnabled(), SourceActive: semiSync.GetSourceActive(), ReplicaEnabled: semiSync.GetReplicaEnabled(),
			WaitFor: semiSync.GetWaitFor(), Clients: semiSync.GetClients(), WaitingSessions: semiSync.GetWaitingSessions(),
			Unacknowledged: semiSync.GetUnacknowledged(), Acknowledged: semiSync.GetAcknowledged(),
		},
		Version: in.GetVersion(), Committing: in.GetCommitting(),
	}
	if c := in.GetChannel(); c != nil {
		out.Channel = &MySQLChannel{
			Host: c.GetHost(), Port: c.GetPort(), User: c.GetUser(), SourceUUID: c.GetSourceUuid(),
			Receiving: c.GetReceiving(), Applying: c.GetApplying(), Retrieved: c.GetRetrieved(),
			ReceiverErrorNumber: c.GetReceiverErrorNumber(), ReceiverError: c.GetReceiverError(),
			ApplierErrorNumber: c.GetApplierErrorNumber(), ApplierError: c.GetApplierError(),
			Unapplied: c.GetUnapplied(), Delay: time.Duration(c.GetDelaySeconds()) * time.Second,
		}
		if c.LagMilliseconds != nil {
			out.Channel.Lag = new(time.Duration(c.GetLagMilliseconds()) * time.Millisecond)
		}
	}
	for _, d := range in.GetDumpThreads() {
		out.DumpThreads = append(out.DumpThreads, MySQLDumpThread{ServerUUID: d.GetServerUuid(), Host: d.GetHost(), Acknowledging: d.GetAcknowledging()})
	}
	return out
}

func fromPostgreSQL(in *agentv1.PostgreSQLObservation) *PostgreSQLObservation {
	if in == nil {
		return nil
	}
	out := &PostgreSQLObservation{
		InRecovery: in.GetInRecovery(), Timeline: in.GetTimeline(),
		WriteLSN: in.GetWriteLsn(), ReceivedLSN: in.GetReceivedLsn(), ReplayedLSN: in.GetReplayedLsn(), ReplayPaused: in.GetReplayPaused(),
		SynchronousStandbyNames: in.GetSynchronousStandbyNames(),
		History:                 in.GetHistory(), HistoryKnown: in.GetHistoryKnown(), Hints: in.GetHints(),
	}
	if r := in.GetReceiver(); r != nil {
		out.Receiver = &PostgreSQLReceiver{Status: r.GetStatus(), Host: r.GetHost(), Port: r.GetPort(), Slot: r.GetSlot(), Timeline: r.GetTimeline()}
	}
	for _, s := range in.GetStandbys() {
		out.Standbys = append(out.Standbys, PostgreSQLStandby{
			ApplicationName: s.GetApplicationName(), State: s.GetState(), SyncState: s.GetSyncState(),
			FlushLSN: s.GetFlushLsn(), ReplayLSN: s.GetReplayLsn(), Counted: s.GetCounted(), Reloaded: s.GetReloaded(),
		})
	}
	for _, s := range in.GetSlots() {
		out.Slots = append(out.Slots, PostgreSQLSlot{
			Name: s.GetName(), Logical: s.GetLogical(), Active: s.GetActive(), RestartLSN: s.GetRestartLsn(), WALStatus: s.GetWalStatus(),
		})
	}
	if c := in.GetControl(); c != nil {
		out.Control = &PostgreSQLControlData{State: c.GetState(), Timeline: c.GetTimeline(), CheckpointLSN: c.GetCheckpointLsn(), SystemID: c.GetSystemId()}
	}
	return out
}
