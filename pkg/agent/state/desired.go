// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Names of holds.
const (
	// HoldStartup is spec.startup: false. Written only through Apply.
	HoldStartup = "startup"
	// HoldFence is set by the Replication controllers.
	HoldFence = "fence"
	// HoldUpgrade is set by the UnitSet controller.
	HoldUpgrade = "upgrade"
	// HoldOperationPrefix is followed by an operation's id.
	HoldOperationPrefix = "operation:"
)

// Desired is what the operator wants, as last acknowledged by serve.
type Desired struct {
	Header
	// PodUID and UnitUID the operator meant.
	PodUID  string `json:"podUID"`
	UnitUID string `json:"unitUID"`
	// Epoch and UnitGeneration are the highest seen in a fence.
	Epoch          int64 `json:"epoch"`
	UnitGeneration int64 `json:"unitGeneration"`
	// Applied is true once an Apply has come. A hold may come before it.
	Applied bool `json:"applied"`
	// Role of the server, derived from what follows by the Keeper. Nobody else writes
	// it.
	Role engine.Role `json:"role,omitempty"`
	// Managed is true for a unit that only its Replication opens for writes.
	Managed bool `json:"managed"`
	// OwnerUID is the Replication that owns the unit, by the last Apply; empty if none
	// does.
	OwnerUID string `json:"ownerUID,omitempty"`
	// Record is what a Replication has recorded with this pod. That of an earlier owner
	// stays until the new one gives a role: it is what the server is.
	Record engine.RoleRecord `json:"record,omitzero"`
	// Released is the role the unit goes on with after its Replication released it; nil
	// while it has an owner, and if it was never released.
	Released *Released `json:"released,omitempty"`
	// ChannelUser is what replication channels log in as; the password lies in a file
	// of its own.
	ChannelUser string `json:"channelUser,omitempty"`
	// ChannelID is the ID of the account that is in force.
	ChannelID string `json:"channelID,omitempty"`
	// Holds that keep the server down, sorted, without duplicates.
	Holds []string `json:"holds"`
	// HoldsOrder rises with each change of Holds. The Keeper counts.
	HoldsOrder int64 `json:"holdsOrder,omitempty"`
	// RestartOrder rises when a running server must be stopped and started again to
	// become what Record says, RestartReason says how it is stopped.
	RestartOrder  int64             `json:"restartOrder,omitempty"`
	RestartReason engine.StopReason `json:"restartReason,omitempty"`
	// Unit and Owner are the last calls accepted from the Unit level and from the owning
	// Replication.
	Unit  Writer `json:"unit,omitzero"`
	Owner Writer `json:"owner,omitzero"`
	// ConfigHash names the configuration of the next start.
	ConfigHash string `json:"configHash,omitempty"`
	// Expected is the identity recorded for the unit, nil if it never had data.
	Expected *DataIdentity `json:"expected,omitempty"`
	// GivenUpSystemID is a database whose loss is accepted: it is not expected,
	// whoever names it.
	GivenUpSystemID string `json:"givenUpSystemID,omitempty"`
	// ClaimUIDs of the claims mounted now, by storage name.
	ClaimUIDs map[string]string `json:"claimUIDs,omitempty"`
}

// Writer is what is known of one writer's calls: they are ordered by {Term, Seq}.
type Writer struct {
	// UID of the Replication; empty for the Unit level, and while no Replication has
	// called.
	UID string `json:"uid,omitempty"`
	// Term and Seq of the last call accepted; zeros while none had a term.
	Term int64 `json:"term,omitempty"`
	Seq  int64 `json:"seq,omitempty"`
	// Call is a digest of that call, by which its retry is known.
	Call string `json:"call,omitempty"`
}

// Released is the role of a unit whose Replication is gone.
type Released struct {
	ReplicationUID string `json:"replicationUID,omitempty"`
	// Role is source or replica.
	Role engine.Role `json:"role"`
	// Upstream of a replica.
	Upstream *engine.Upstream `json:"upstream,omitempty"`
}

// DataIdentity is what database lies on a volume.
type DataIdentity struct {
	// SystemID is server_uuid (MySQL), the system identifier (PostgreSQL) or a
	// random id (ProxySQL).
	SystemID string `json:"systemID"`
	// ClaimUIDs of the claims the data was last seen on, by storage name.
	ClaimUIDs map[string]string `json:"claimUIDs,omitempty"`
	// DataGeneration rises when data is replaced on request.
	DataGeneration int64 `json:"dataGeneration"`
	// Virgin is true until a server is first started on the data. Once one was,
	// only the server itself can tell whether anything was written.
	Virgin bool `json:"virgin"`
	// HighestVersion of a server that has opened the data, in identity.json; empty if
	// unknown.
	HighestVersion string `json:"highestVersion,omitempty"`
	// Replaced are the databases that operations have put this one in the place of, on
	// request. In identity.json only.
	Replaced []string `json:"replaced,omitempty"`
}

// SetHold returns a copy of d with or without the hold.
func (d Desired) SetHold(name string, held bool) Desired {
	holds := slices.DeleteFunc(slices.Clone(d.Holds), func(h string) bool { return h == name })
	if held {
		holds = append(holds, name)
		slices.Sort(holds)
	}
	d.Holds = holds
	return d
}

// HoldList is the holds for a sentence.
func (d Desired) HoldList() string { return strings.Join(d.Holds, ", ") }
