// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// RoleRecord is what a Replication recorded with an agent.
type RoleRecord struct {
	ReplicationUID   types.UID
	Term, Seq, Epoch int64
	Role             Role
	// Upstream is nil unless Role is replica.
	Upstream       *Upstream
	Durability     Durability
	Open           bool
	DataGeneration int64
	Released       bool
	// ChannelID of the account that is in force; empty: the agent does not say.
	ChannelID string
}

// StopProof proves that no process of a server can run again.
type StopProof struct {
	// Order of the holds it was made after: a fence is proven if it is at least the
	// HoldsOrder that acknowledged it.
	Order int64
	// How: Exited, Killed, NeverStarted or SuperviseGone.
	How string
	At  time.Time
}

// Observation is what an agent says of its server's replication.
type Observation struct {
	Status *Status
	// ObservedAt by the agent's clock.
	ObservedAt time.Time
	// Answered is true when the server answered; Error says why not.
	Answered bool
	Error    string
	ServerID string
	ReadOnly bool
	// FreeBytes and TotalBytes of the file system that the data lies on; 0 if it did not
	// tell in time.
	FreeBytes, TotalBytes int64
	// Busy names the operation that replaces the unit's data; empty: none.
	Busy string
	// One of these is set, by the engine.
	MySQL      *MySQLObservation
	PostgreSQL *PostgreSQLObservation
}

// MySQLObservation is what a MySQL says; roles.proto explains the fields.
type MySQLObservation struct {
	Executed, Purged string
	SuperReadOnly    bool
	EventScheduler   bool
	Channel          *MySQLChannel
	SemiSync         MySQLSemiSync
	DumpThreads      []MySQLDumpThread
	// Version as the server says it: 8.4.6.
	Version string
	// Committing are transactions that are in the binary log, or about to be, and not in
	// Executed yet.
	Committing string
}

// MySQLChannel is the replication channel.
type MySQLChannel struct {
	Host                string
	Port                int32
	User                string
	SourceUUID          string
	Receiving, Applying bool
	Retrieved           string
	ReceiverErrorNumber int32
	ReceiverError       string
	ApplierErrorNumber  int32
	ApplierError        string
	// Unapplied is what of Retrieved the server has not executed.
	Unapplied string
	// Lag of the transaction that is applied now behind its commit on the source where it
	// began: 0 when nothing is being applied, nil where the server does not tell (5.7).
	Lag *time.Duration
	// Delay that the applier keeps on purpose.
	Delay time.Duration
}

// MySQLSemiSync is the state of semi-synchronous replication.
type MySQLSemiSync struct {
	SourceEnabled, SourceActive, ReplicaEnabled bool
	WaitFor, Clients, WaitingSessions           int32
	Unacknowledged                              int64
	// Acknowledged counts commits that were acknowledged since the server's start.
	Acknowledged int64
}

// MySQLDumpThread is a replica that receives from the server.
type MySQLDumpThread struct {
	ServerUUID, Host string
	// Acknowledging is true for one that said that it acknowledges.
	Acknowledging bool
}

// PostgreSQLObservation is what a PostgreSQL says; roles.proto explains the fields.
type PostgreSQLObservation struct {
	InRecovery                         bool
	Timeline                           int64
	WriteLSN, ReceivedLSN, ReplayedLSN string
	ReplayPaused                       bool
	Receiver                           *PostgreSQLReceiver
	Standbys                           []PostgreSQLStandby
	Slots                              []PostgreSQLSlot
	SynchronousStandbyNames            string
	// Control is pg_controldata of a stopped server.
	Control *PostgreSQLControlData
	// History is the content of the history file of Timeline, of a stopped server that of
	// Control.Timeline; empty on timeline 1. HistoryKnown is false while it could not be read.
	History      string
	HistoryKnown bool
	// Hints is true if the server logs what pg_rewind needs.
	Hints bool
}

// PostgreSQLReceiver is a standby's walreceiver.
type PostgreSQLReceiver struct {
	Status, Host string
	Port         int32
	Slot         string
	Timeline     int64
}

// PostgreSQLStandby is a client of a walsender.
type PostgreSQLStandby struct {
	ApplicationName, State, SyncState, FlushLSN, ReplayLSN string
	// Counted: its walsender takes it for one of those that commits wait for. Reloaded: the
	// walsender has read the configuration that is in force.
	Counted, Reloaded bool
}

// PostgreSQLSlot is a replication slot.
type PostgreSQLSlot struct {
	Name            string
	Logical, Active bool
	RestartLSN      string
	WALStatus       string
}

// PostgreSQLControlData is pg_controldata's answer.
type PostgreSQLControlData struct {
	State         string
	Timeline      int64
	CheckpointLSN string
	SystemID      string
}
