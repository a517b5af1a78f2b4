// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Target is one agent: the unit, and the pod it runs in now.
type Target struct {
	Namespace, Unit string
	UnitUID         types.UID
	// Pod is the pod's name, PodUID its identity, PodIP its address.
	Pod    string
	PodUID types.UID
	PodIP  string
}

// Interface is what the operator asks of agents. Implementations are safe for
// concurrent use.
type Interface interface {
	// Status tells what the agent knows; it changes nothing.
	Status(ctx context.Context, target Target) (*Status, error)
	// Apply hands over what a unit needs before its server may start. When it
	// returns without error, the agent has it on disk.
	Apply(ctx context.Context, target Target, request ApplyRequest) (*Status, error)
	// SetHold adds or removes a hold other than startup. epoch is the Replication's,
	// 0 for calls of the unit's level, which carry generation instead.
	SetHold(ctx context.Context, target Target, hold Hold) (*Status, error)
	// Forget drops the connection to a pod that is gone.
	Forget(podUID types.UID)
}

// ApplyRequest is everything a server's start depends on.
type ApplyRequest struct {
	// Generation of the Unit that this was made from.
	Generation int64
	// ConfigHash names Files; Files are the configuration by base name. An empty
	// hash and no files leave the agent with the configuration it has: a unit whose
	// configuration does not render can still be stopped, started and adopted.
	ConfigHash string
	Files      map[string][]byte
	// StartupHold keeps the server down.
	StartupHold bool
	// Expected is the data the unit must have; nil if it never had any.
	Expected *DataIdentity
	// GivenUpSystemID is a database whose loss is accepted: nobody expects it any
	// more, not the volume's identity.json either.
	GivenUpSystemID string
	// ClaimUIDs of the claims mounted now, by storage name.
	ClaimUIDs map[string]types.UID
	// Managed units are opened for writes by their Replication only.
	Managed bool
	// Owner is the UID of the Replication that owns the unit; empty: none does. The
	// agent refuses role calls of any other.
	Owner types.UID
	// Released is the role in which a Replication that is gone left the unit; it goes on
	// with it. Together with Owner it keeps a source whose place was taken from going on
	// as one until Owner gives it a role. Nil if there is nothing of the kind.
	Released *Released
	// Term and Seq order the calls of the Unit controller, as in RoleFence.
	Term, Seq int64
}

// Released is the role a unit goes on with after its Replication is gone.
type Released struct {
	ReplicationUID types.UID
	// Role is RoleSource or RoleReplica.
	Role Role
	// Upstream of a replica, nil of a source.
	Upstream *Upstream
	// Epoch of the Replication at that time; the next owner's is above it.
	Epoch int64
}

// Hold is one named reason to keep a server down.
type Hold struct {
	Name string
	Held bool
	// Epoch of a Replication, or Generation of the Unit; the other is 0.
	Epoch, Generation int64
	// ReplicationUID of a Replication's call. Term and Seq order the calls of a writer, as
	// in RoleFence; the hold upgrade needs them.
	ReplicationUID types.UID
	Term, Seq      int64
}

// Status of an agent and its server.
type Status struct {
	AgentVersion string
	Capabilities []string
	PodUID       types.UID
	UnitUID      types.UID
	Epoch        int64
	Generation   int64
	Holds        []string
	// AppliedHash is what a next start uses, RunningHash what the server was started
	// with.
	AppliedHash, RunningHash string
	RestartRequired          bool
	State                    ServerState
	// Message explains the state in one sentence.
	Message  string
	Since    time.Time
	Version  string
	Writable bool
	// Down is true when the agent has looked and no server serves. False while one runs,
	// whether it answers or not, and where the agent does not say.
	Down bool
	// Data is nil while there is no database.
	Data      *DataIdentity
	JournalID string
	// Record is what the owning Replication recorded with the agent; nil if nothing.
	Record *RoleRecord
	// HoldsOrder is the number of the last change of the holds, StopProof what proves
	// that the server is down; nil while nothing does.
	HoldsOrder int64
	StopProof  *StopProof
	// Owner that the last Apply named.
	Owner types.UID
}

// ServerState is what supervise sees.
type ServerState string

// States of a server; agent.proto explains them.
const (
	StateUnknown      ServerState = "Unknown"
	StateWaiting      ServerState = "Waiting"
	StateHeld         ServerState = "Held"
	StateInitializing ServerState = "Initializing"
	StateStarting     ServerState = "Starting"
	StateRunning      ServerState = "Running"
	StateStopping     ServerState = "Stopping"
	StateDataMissing  ServerState = "DataMissing"
	StateFailed       ServerState = "Failed"
)

// DataIdentity is what database lies on a volume.
type DataIdentity struct {
	SystemID       string
	ClaimUIDs      map[string]types.UID
	DataGeneration int64
	// Virgin is what older agents say in the place of Pristine, and true longer than it
	// should be.
	//
	// Deprecated: nothing may be decided by it. Pristine is nil where nobody knows.
	Virgin bool
	// Pristine is true while nothing but initialisation has written, by the running
	// server's word; nil while no server could be asked.
	Pristine *bool
	// HighestVersion of a server that has opened the data; empty if unknown.
	HighestVersion string
}
