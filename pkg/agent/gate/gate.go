// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// Input is all that a decision depends on.
type Input struct {
	// PodUID and UnitUID of the pod this is.
	PodUID, UnitUID string
	// Desired is nil while nothing was ever written.
	Desired *state.Desired
	// Data is what lies in the data directory.
	Data engine.Data
	// Identity is the volume's identity.json, nil if there is none.
	Identity *state.DataIdentity
	// NeedsRole is true for an engine whose managed server is not started without a role.
	NeedsRole bool
	// RanSystemID is the database this pod has run or initialised before; empty if
	// none.
	RanSystemID string
}

// Action is what to do.
type Action string

const (
	// Wait for an Apply.
	Wait Action = "Wait"
	// Hold the server down.
	Hold Action = "Hold"
	// DataMissing: start nothing, touch nothing.
	DataMissing Action = "DataMissing"
	// Refuse: what lies there cannot be started and nothing else was expected.
	Refuse Action = "Refuse"
	// Initialize an empty data directory, then decide again.
	Initialize Action = "Initialize"
	// Start the server.
	Start Action = "Start"
)

// Decision is what to do and why.
type Decision struct {
	Action Action
	// Reason is one sentence for people; empty for Start.
	Reason string
	// Identity is what identity.json must say before the server is started; set
	// for Start only.
	Identity *state.DataIdentity
}

// MayRun answers the part of the question that does not look at data: whether a
// server that runs may go on, and one that does not may be considered.
func MayRun(podUID, unitUID string, d *state.Desired) Decision {
	switch {
	case d == nil:
		return Decision{Action: Wait, Reason: "waiting for the operator's first configuration of this pod"}
	case d.PodUID != podUID || d.UnitUID != unitUID:
		return Decision{Action: Wait, Reason: fmt.Sprintf("what was applied is for pod %s of unit %s, not for this pod: waiting for the operator", d.PodUID, d.UnitUID)}
	case !d.Applied && len(d.Holds) > 0:
		return Decision{Action: Wait, Reason: "waiting for the operator's first configuration of this pod; holds are set: " + d.HoldList()}
	case !d.Applied:
		return Decision{Action: Wait, Reason: "waiting for the operator's first configuration of this pod"}
	case len(d.Holds) > 0:
		return Decision{Action: Hold, Reason: "held by " + d.HoldList()}
	}
	return Decision{Action: Start}
}

// hasRole makes a server that its Replication is there to give a role wait for it. One
// that no Replication owns waits for nobody: nobody would come. The roles of
// other pods are not known here: the record is of this one. An empty volume is
// initialised without: whatever its role will be, nobody's data is in it, and what it
// becomes it becomes by its role.
func hasRole(in Input) Decision {
	d := in.Desired
	switch {
	case !in.NeedsRole || in.Data.State != engine.DataComplete, d.EffectiveRecord().Role != "":
	case d.OwnerUID != "":
		return Decision{Action: Wait, Reason: fmt.Sprintf("waiting for a role from its Replication %s: this pod has been given none", d.OwnerUID)}
	}
	return Decision{Action: Start}
}

// Decide says whether the server may start.
func Decide(in Input) Decision {
	if d := MayRun(in.PodUID, in.UnitUID, in.Desired); d.Action != Start {
		return d
	}
	if d := hasRole(in); d.Action != Start {
		return d
	}
	expected, by := expectedSystemID(in)
	switch in.Data.State {
	case engine.DataNone:
		if expected != "" {
			return Decision{Action: DataMissing, Reason: fmt.Sprintf("the data directory is empty, but %s names database %s: nothing is touched", by, expected)}
		}
		return Decision{Action: Initialize, Reason: "the data directory is empty and no data is expected"}
	case engine.DataComplete:
		return decideComplete(in, expected, by)
	default:
		reason := in.Data.Message
		if reason == "" {
			reason = "the data directory holds something that is no complete database"
		}
		if expected != "" {
			return Decision{Action: DataMissing, Reason: fmt.Sprintf("%s, but %s names database %s: nothing is touched", reason, by, expected)}
		}
		return Decision{Action: Refuse, Reason: reason + ": nothing is touched"}
	}
}

func decideComplete(in Input, expected, by string) Decision {
	found := in.Data.SystemID
	switch {
	case expected != "" && found == "":
		return Decision{Action: DataMissing, Reason: fmt.Sprintf("the database on the volume has no system id, but %s names database %s: nothing is touched", by, expected)}
	case expected != "" && found != expected:
		return Decision{Action: DataMissing, Reason: fmt.Sprintf("the volume holds database %s, but %s names database %s: nothing is touched", found, by, expected)}
	}
	return Decision{Action: Start, Identity: identityToRecord(in)}
}

// expectedSystemID is the database that must lie on the volume, and who says so.
// The operator's record goes first, unless the volume says that an operation has
// replaced just that database on request: then the operator has not recorded it yet.
func expectedSystemID(in Input) (id, by string) {
	counts := func(id string) bool { return id != "" && id != in.Desired.GivenUpSystemID }
	switch {
	case in.Desired.Expected != nil && replaces(in.Identity, *in.Desired.Expected) && counts(in.Identity.SystemID):
		return in.Identity.SystemID, "identity.json on the volume"
	case in.Desired.Expected != nil && counts(in.Desired.Expected.SystemID):
		return in.Desired.Expected.SystemID, "the unit's status"
	case in.Identity != nil && counts(in.Identity.SystemID):
		return in.Identity.SystemID, "identity.json on the volume"
	case counts(in.RanSystemID):
		return in.RanSystemID, "this pod's own record"
	}
	return "", ""
}

// replaces says whether the data of the identity was put in the place of other's.
func replaces(identity *state.DataIdentity, other state.DataIdentity) bool {
	return identity != nil && identity.DataGeneration > other.DataGeneration && slices.Contains(identity.Replaced, other.SystemID)
}

// identityToRecord is the identity of data that is about to be started. It is no
// longer virgin: from here on only the server can tell.
func identityToRecord(in Input) *state.DataIdentity {
	identity := state.DataIdentity{SystemID: in.Data.SystemID}
	if in.Identity != nil && in.Identity.SystemID == in.Data.SystemID {
		identity.DataGeneration = in.Identity.DataGeneration
		identity.ClaimUIDs = maps.Clone(in.Identity.ClaimUIDs)
		identity.Replaced = slices.Clone(in.Identity.Replaced)
		identity.HighestVersion = in.Identity.HighestVersion
	}
	if e := in.Desired.Expected; e != nil && e.SystemID == in.Data.SystemID {
		identity.DataGeneration = max(identity.DataGeneration, e.DataGeneration)
	}
	if len(in.Desired.ClaimUIDs) > 0 {
		identity.ClaimUIDs = maps.Clone(in.Desired.ClaimUIDs)
	}
	return &identity
}
