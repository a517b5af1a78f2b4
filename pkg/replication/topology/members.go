// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// Request is what is asked of a replication: its last valid spec and its annotations.
type Request struct {
	// UID of the Replication.
	UID types.UID
	// Sync: a commit waits for members (rpl_semi_sync, rpl_sync).
	Sync bool
	// Source is the member that the spec asks for, Switchover the one that the annotation
	// does; empty: none.
	Source, Switchover string
	// Force is the member that a person wants promoted although acknowledged commits may
	// be lost by it. It counts while the epoch is ForceEpoch.
	Force      string
	ForceEpoch int64
	// Paused: nothing is changed; new pods get the roles that are recorded.
	Paused bool
	// Hibernated: the set was asked for no units at all.
	Hibernated bool
	// Replacing is the call that replaces the source's data, such as a restore, and waits
	// for its turn or runs; empty: none.
	Replacing  types.UID
	Failover   Failover
	Durability Durability
	// Channel is the ID of the account that channels log in with; empty: it has none.
	Channel string
}

// Failover says when another member becomes the source without being asked to.
type Failover struct {
	Enabled bool
	// Delay is how long the source must have failed.
	Delay time.Duration
	// MaximumLag of a member that is promoted where nothing is acknowledged by members;
	// nil: no limit.
	MaximumLag *time.Duration
	// MinimumInterval between two failovers.
	MinimumInterval time.Duration
}

// Durability says how many members a commit waits for.
type Durability struct {
	// Replicas that must acknowledge; 0: half of them, rounded up.
	Replicas int32
	// Preferred: commits do not wait while fewer can acknowledge.
	Preferred bool
}

// Member is what the API knows of a member: the Replication's spec, its Unit and its pod.
type Member struct {
	Name    string
	UnitUID types.UID
	// Host and Port by which the other members reach it.
	Host string
	Port int32
	// Isolated by the spec: it neither receives, acknowledges nor becomes the source.
	Isolated bool
	// Delay before it applies what it has received.
	Delay time.Duration
	// Priority among members of equal data; 0: never the source unless named.
	Priority int32
	// Leaving: the spec does not list it any more, or its set does not want it.
	Leaving bool

	// Owned: the Unit exists and names this Replication as its owner. Nothing is done to
	// one that is not.
	Owned bool
	// HadData: its volume held a database that was not pristine when last seen. Of one
	// that never had any, nothing can be lost by going on without it.
	HadData bool
	// PodUID of its pod; empty: it has none. PodReady as the kubelet says,
	// PodTerminating: it is being deleted, or about to be evicted.
	PodUID         types.UID
	PodReady       bool
	PodTerminating bool
	// EndedPodUID is the last pod whose end is proven.
	EndedPodUID types.UID
	// NeverRan: it is to leave, and no pod of it has ever started anything. PodUID is
	// empty then, whether it has a pod or not.
	NeverRan bool
	// StoppedByUser: its spec says startup: false.
	StoppedByUser bool
	// Evacuate is the request that stands; empty: none.
	Evacuate v1alpha1.EvacuationRequest
	// Reinit is the identity of the server whose data a person gave up.
	Reinit string
}

// Role that an agent has recorded.
type Role string

// Roles, as in pkg/agentclient.
const (
	RoleNone     Role = ""
	RoleSource   Role = "source"
	RoleReplica  Role = "replica"
	RoleIsolated Role = "isolated"
)

// HoldFence is the hold by which a Replication keeps a server down.
const HoldFence = "fence"

// Record is what an agent has recorded for its server.
type Record struct {
	// Replication that it came from, at Epoch; empty after a release.
	Replication types.UID
	Epoch       int64
	Role        Role
	// Upstream of a replica.
	Upstream Upstream
	// Rule of a source.
	Rule Rule
	// Open for writes.
	Open       bool
	Generation int64
	Released   bool
	// Acknowledge: a replica may acknowledge commits; nil: its agent does not say.
	Acknowledge *bool
	// Channel is the ID of the account that its channel, or those that follow it, log in
	// with; empty: its agent does not say.
	Channel string
}

// Upstream is whom a replica receives from.
type Upstream struct {
	Name, Host string
	Port       int32
	ServerID   string
}

// Rule says how many of whom a source waits for.
type Rule struct {
	// W of Members must acknowledge; 0: nobody is waited for.
	W       int32
	Members []v1alpha1.DurabilityMember
}

// Observed is what an agent said of a member, as far as that is the same for all
// engines.
type Observed struct {
	// At is the time by the operator's clock before the agent was asked.
	At time.Time
	// PodUID that answered.
	PodUID types.UID
	// Epoch is the highest that the agent has seen.
	Epoch  int64
	Record *Record
	Holds  []string
	// HoldsOrder is the number of the last change of the holds. StopProven: no process of
	// the server ran after the change numbered StopOrder.
	HoldsOrder, StopOrder int64
	StopProven            bool
	// Answered: the server itself did; Trouble says why not. Down: its agent has looked, and
	// no server serves. One that neither answers nor is down hangs, or its agent has not come
	// to look at it yet: only time tells that from a failure.
	Answered, Down bool
	Trouble        string
	// ReadOnly: it refuses the writes of everybody.
	ReadOnly bool
	ServerID string
	Version  string
	// Generation of its data by the volume's identity. Pristine: it has no data, by the
	// word of the server.
	Generation int64
	Pristine   bool
	// Busy is the operation that replaces the unit's data, in words; empty: none.
	Busy string
	// LowOnDisk: it is below its reserve of free space.
	LowOnDisk bool
}

// Held reports whether a hold is set.
func (o *Observed) Held(hold string) bool {
	if o == nil {
		return false
	}
	for _, h := range o.Holds {
		if h == hold {
			return true
		}
	}
	return false
}

// Stopped reports whether it is proven that no process of the server runs, nor will while
// the holds stay.
func (o *Observed) Stopped() bool {
	return o != nil && len(o.Holds) > 0 && o.StopProven && o.StopOrder >= o.HoldsOrder
}
