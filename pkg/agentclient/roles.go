// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
)

// Roles is what a Replication asks of the agents of its members. Implementations are
// safe for concurrent use. Each mutating call carries a RoleFence; a retry of a call
// is the same request, byte for byte. Beside the errors of Interface there is Aborted: the
// call would lose transactions that only this server may hold.
//
// Role calls dial although the agent is backing off after a failure: what fences a
// server must not wait for a back-off.
type Roles interface {
	// Observe tells positions and the recorded role; it changes nothing.
	Observe(ctx context.Context, target Target) (*Observation, error)
	// Promote makes the server the source, with its durability in force before it is
	// opened.
	Promote(ctx context.Context, target Target, request PromoteRequest) (*Observation, error)
	// Demote closes a source; it has no upstream afterwards.
	Demote(ctx context.Context, target Target, fence RoleFence) (*Observation, error)
	// Follow makes the server receive from an upstream.
	Follow(ctx context.Context, target Target, request FollowRequest) (*Observation, error)
	// Isolate stops receiving for good; the observation's positions were read after
	// the receiver was seen stopped.
	Isolate(ctx context.Context, target Target, fence RoleFence) (*Observation, error)
	// Release ends the Replication's ownership; role and upstream stay.
	Release(ctx context.Context, target Target, fence RoleFence) (*Observation, error)
}

// RoleFence says who calls, and in which order.
type RoleFence struct {
	ReplicationUID types.UID
	// Epoch is the Replication's status.epoch.
	Epoch int64
	// Term is leaseTransitions of the operator's Lease; Seq a counter of this process,
	// new for each call and the same for its retries.
	Term, Seq int64
}

// Role of a server in its topology.
type Role string

// Roles of a server; agent.proto explains them.
const (
	RoleUnknown    Role = ""
	RoleStandalone Role = "standalone"
	RoleManaged    Role = "managed"
	RoleSource     Role = "source"
	RoleReplica    Role = "replica"
	RoleIsolated   Role = "isolated"
)

// Upstream is the server that a replica receives from.
type Upstream struct {
	// Name of its Unit.
	Name string
	Host string
	Port int32
	// ServerID is server_uuid (MySQL) or the system identifier (PostgreSQL); another
	// one found there is not followed. Empty: not checked.
	ServerID string
	// Timeline it writes (PostgreSQL).
	Timeline int64
	// DataGeneration of its data.
	DataGeneration int64
	// Slot to receive from (PostgreSQL).
	Slot string
	// User the channel logs in as.
	User string
}

// Durability of a source.
type Durability struct {
	// Sync makes a commit wait for W of Members; else it waits for its own disk only.
	Sync    bool
	W       int32
	Members []DurabilityMember
}

// DurabilityMember may acknowledge commits.
type DurabilityMember struct {
	Name    string
	UnitUID types.UID
	// ServerID is its server_uuid (MySQL); PostgreSQL knows members by name.
	ServerID string
}

// ChannelAccount is what replication channels log in with.
type ChannelAccount struct {
	User string
	// Password of at most 32 characters. Never printed.
	Password Password
	// ID is another one for another password; RoleRecord has that which is in force.
	ID string
}

// Password does not print.
type Password string

// String implements fmt.Stringer.
func (Password) String() string { return "(password)" }

// GoString implements fmt.GoStringer.
func (Password) GoString() string { return "(password)" }

// MarshalJSON implements json.Marshaler.
func (Password) MarshalJSON() ([]byte, error) { return []byte(`"(password)"`), nil }

// PromoteRequest is what a source must be.
type PromoteRequest struct {
	Fence      RoleFence
	Durability Durability
	// Open for writes.
	Open bool
	// ServerID and DataGeneration expected of this server; empty and 0: not checked.
	ServerID       string
	DataGeneration int64
	// Channel is the account that replicas log in with; it is made on this server.
	Channel ChannelAccount
	// Timeline that the promotion begins (PostgreSQL), above every one that the server knows;
	// 0: the next that it has not seen.
	Timeline int64
	// Slots names the units for which the server keeps WAL (PostgreSQL): those of Durability
	// need not be among them.
	Slots []string
}

// FollowRequest is what a replica must be.
type FollowRequest struct {
	Fence    RoleFence
	Upstream Upstream
	Channel  ChannelAccount
	// UpstreamExecuted is the GTID set that the upstream had executed, read for this
	// call (MySQL).
	UpstreamExecuted string
	DataGeneration   int64
	// Acknowledge says whether this replica may acknowledge commits (MySQL).
	Acknowledge bool
}
