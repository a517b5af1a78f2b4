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
	// Role for a restart without the operator.
	Role engine.Role `json:"role,omitempty"`
	// Managed is true for a unit that only its Replication opens for writes.
	Managed bool `json:"managed"`
	// Holds that keep the server down, sorted, without duplicates.
	Holds []string `json:"holds"`
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
