// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"time"
)

// RoleRecord is what the owning Replication recorded with the agent: what the
// server is in its topology. It is fsynced before it is acted on, and a container
// that restarts in the same pod resumes it.
type RoleRecord struct {
	// ReplicationUID of the Replication that wrote it; empty while none has, and
	// after Release.
	ReplicationUID string `json:"replicationUID,omitempty"`
	// Term and Seq of the last call that was accepted, Epoch the highest seen.
	Term  int64 `json:"term,omitempty"`
	Seq   int64 `json:"seq,omitempty"`
	Epoch int64 `json:"epoch,omitempty"`
	// Role is source, replica or isolated; empty while the Replication has given
	// none to this pod.
	Role Role `json:"role,omitempty"`
	// Upstream of a replica; nil in the other roles.
	Upstream *Upstream `json:"upstream,omitempty"`
	// Acknowledge says whether a replica may acknowledge commits.
	Acknowledge bool `json:"acknowledge,omitempty"`
	// Durability of a source, in force before its first client.
	Durability Durability `json:"durability,omitzero"`
	// Timeline that a promotion to the source begins (PostgreSQL); 0: the next that the
	// server has not seen.
	Timeline int64 `json:"timeline,omitempty"`
	// Slots names the units for which a source keeps WAL (PostgreSQL): those of Durability
	// need not be among them.
	Slots []string `json:"slots,omitempty"`
	// Open is true for a source that takes writes.
	Open bool `json:"open,omitempty"`
	// DataGeneration of the data the role was given for.
	DataGeneration int64 `json:"dataGeneration,omitempty"`
	// Released is true after Release: the role stays, the owner is gone.
	Released bool `json:"released,omitempty"`
}

// Upstream is the server that a replica receives from.
type Upstream struct {
	// Name of its Unit.
	Name string `json:"name"`
	Host string `json:"host"`
	Port int    `json:"port"`
	// ServerID is server_uuid or the system identifier; empty if the caller does not
	// know it.
	ServerID string `json:"serverID,omitempty"`
	// Timeline it writes (PostgreSQL).
	Timeline int64 `json:"timeline,omitempty"`
	// DataGeneration of its data.
	DataGeneration int64 `json:"dataGeneration,omitempty"`
	// Slot to receive from (PostgreSQL).
	Slot string `json:"slot,omitempty"`
	// User the channel logs in as.
	User string `json:"user"`
}

// DurabilityMode is what a source waits for before it acknowledges a commit.
type DurabilityMode string

const (
	// DurabilityAsync waits for the source's own disk only.
	DurabilityAsync DurabilityMode = "async"
	// DurabilitySync waits until W members have stored the commit.
	DurabilitySync DurabilityMode = "sync"
)

// Durability of a source.
type Durability struct {
	Mode DurabilityMode `json:"mode,omitempty"`
	// W members must have stored a commit; 0 in async mode.
	W int `json:"w,omitempty"`
	// Members that may acknowledge.
	Members []DurabilityMember `json:"members,omitempty"`
}

// DurabilityMember may acknowledge commits.
type DurabilityMember struct {
	Name    string `json:"name"`
	UnitUID string `json:"unitUID,omitempty"`
	// ServerID is its server_uuid (MySQL); PostgreSQL knows members by name.
	ServerID string `json:"serverID,omitempty"`
}

// ChannelAccount is what replication channels log in with. The agent keeps it in its
// state directory; the server never stores the password in its data.
type ChannelAccount struct {
	User string
	// Password of at most 32 characters.
	Password string
	// ID is another one for another password.
	ID string
}

// String implements fmt.Stringer without the password.
func (a ChannelAccount) String() string { return a.User }

// GoString implements fmt.GoStringer without the password.
func (a ChannelAccount) GoString() string { return a.User }

// Errors of Replicator.
var (
	// ErrWouldLose: the change would lose transactions that only this server may
	// hold. Wrapped errors name them.
	ErrWouldLose = errors.New("this would lose received transactions")
	// ErrMustKill: the server cannot be closed without acknowledging commits that
	// nobody else has; only SIGKILL ends it safely.
	ErrMustKill = errors.New("the server must be killed")
	// ErrMustRestart: the server gets there only by being stopped and started again with
	// what is recorded.
	ErrMustRestart = errors.New("the server must be restarted")
	// ErrNotYet: the change is under way and needs more time; the same call again
	// finds out.
	ErrNotYet = errors.New("not done yet")
)

// Replicator is an engine whose servers replicate. MySQL and PostgreSQL implement
// it beside Engine. Every method is level-triggered and idempotent: on a server that
// is already so it changes nothing. They are called one at a time by package roles,
// except ObserveReplication and Tend's queries, and each keeps to ctx's deadline.
//
// What a server is at its start comes from Start.Record through Prepare and Command:
// a MySQL starts read-only with its durability on the command line and with its
// threads stopped; a PostgreSQL starts as a standby unless it is the recorded source
// of a directory without standby.signal, with synchronous_standby_names,
// primary_conninfo and the slot's name in the agent's own configuration file. The
// agent only ever adds standby.signal.
type Replicator interface {
	// ObserveReplication reads positions and connections. Of a stopped server it
	// reads what its files tell (PostgreSQL: pg_controldata), Answered is false then.
	ObserveReplication(ctx context.Context) (Replication, error)

	// RestartFor says whether a server that was started for one record must be
	// stopped and started again to become what the other says (PostgreSQL: from
	// source to anything else; an upstream changes by reload). It is pure.
	RestartFor(from, to RoleRecord) bool

	// Promote ends following and readies the server to be a source: what was received
	// is applied, durability and the channel's account are in force. It does not open
	// it. ErrNotYet while something is still being applied, ErrWouldLose naming what
	// cannot be applied.
	Promote(ctx context.Context, record RoleRecord, channel ChannelAccount) error

	// Open lets clients write, as the last act; Durability has been in force before.
	Open(ctx context.Context, record RoleRecord) error

	// Close takes the writes of clients away within ctx, sessions killed, the event
	// scheduler first. ErrMustKill if sessions wait for an acknowledgement, or if
	// the server does not get there in time.
	Close(ctx context.Context) error

	// Follow makes a running server receive from record.Upstream. It changes the
	// channel only on a difference, and only once what was received is applied
	// (ErrNotYet until then) or, where it cannot be or is delayed, if upstreamExecuted
	// contains it; else ErrWouldLose.
	Follow(ctx context.Context, record RoleRecord, channel ChannelAccount, upstreamExecuted string) error

	// StopReceiver stops receiving and returns when it was seen stopped. The applier
	// continues with what was received. It, Promote and Follow may find that only a restart
	// ends the receiver: ErrMustRestart.
	StopReceiver(ctx context.Context) error

	// SetDurability changes what an open source waits for, and reads it back.
	SetDurability(ctx context.Context, record RoleRecord) error

	// Tend is called about once a second on a running server with a role: it restarts
	// receivers whose error is not one of data, cuts off receivers that are no
	// members of the source's durability, frees a commit whose acknowledgement was
	// lost, has an open source run the events that the former one ran, and keeps one
	// connection open so that a fence finds one. It returns what it did, for the log.
	Tend(ctx context.Context, record RoleRecord, channel ChannelAccount) ([]string, error)
}

// StopReason says why a server is to stop.
type StopReason string

const (
	// StopPodEnd: the pod ends, or a hold of the user's or an operation's.
	StopPodEnd StopReason = "PodEnd"
	// StopFence: its Replication fences it; another may be waiting to be opened.
	StopFence StopReason = "Fence"
	// StopRestart: it is started again in another role.
	StopRestart StopReason = "Restart"
)

// Replication is what a server says of its replication.
type Replication struct {
	// Answered is true when a running server said it.
	Answered bool
	// ServerID is server_uuid or the system identifier.
	ServerID string
	// ReadOnly is true when it refuses everybody's writes.
	ReadOnly bool
	// One of these is set, by the engine.
	MySQL      *MySQLReplication
	PostgreSQL *PostgreSQLReplication
}

// MySQLReplication is what a MySQL says; roles.proto explains the fields.
type MySQLReplication struct {
	Executed, Purged string
	SuperReadOnly    bool
	EventScheduler   bool
	Channel          *MySQLChannel
	SemiSync         MySQLSemiSync
	DumpThreads      []MySQLDumpThread
	Version          string
	Committing       string
}

// MySQLChannel is the agent's replication channel.
type MySQLChannel struct {
	Host                string
	Port                int
	User                string
	SourceUUID          string
	Receiving, Applying bool
	Retrieved           string
	ReceiverErrorNumber int
	ReceiverError       string
	ApplierErrorNumber  int
	ApplierError        string
	Unapplied           string
	// Lag is nil where the server does not tell.
	Lag   *time.Duration
	Delay time.Duration
}

// MySQLSemiSync is the state of semi-synchronous replication.
type MySQLSemiSync struct {
	SourceEnabled, SourceActive, ReplicaEnabled bool
	WaitFor, Clients, WaitingSessions           int
	Unacknowledged, Acknowledged                int64
}

// MySQLDumpThread is a replica that receives from this server.
type MySQLDumpThread struct {
	ServerUUID, Host string
	Acknowledging    bool
}

// PostgreSQLReplication is what a PostgreSQL says; roles.proto explains the fields.
type PostgreSQLReplication struct {
	InRecovery                         bool
	Timeline                           int64
	WriteLSN, ReceivedLSN, ReplayedLSN string
	ReplayPaused                       bool
	Receiver                           *PostgreSQLReceiver
	Standbys                           []PostgreSQLStandby
	Slots                              []PostgreSQLSlot
	SynchronousStandbyNames            string
	Control                            *PostgreSQLControlData
	History                            string
	HistoryKnown                       bool
	Hints                              bool
}

// PostgreSQLReceiver is a standby's walreceiver.
type PostgreSQLReceiver struct {
	Status, Host string
	Port         int
	Slot         string
	Timeline     int64
}

// PostgreSQLStandby is a walsender's client.
type PostgreSQLStandby struct {
	ApplicationName, State, SyncState, FlushLSN, ReplayLSN string
	Counted, Reloaded                                      bool
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
