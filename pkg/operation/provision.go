// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import "slices"

// ActionProvision makes a member of a Replication a copy of another. No GrpcCall may ask
// for it: the Replication that owns the unit does.
const ActionProvision = "provision"

// SecretSourcePassword is the name of the secret that logs in where data is copied from.
const SecretSourcePassword = "source.password"

// Provision are the parameters of provision.
type Provision struct {
	// Donor is the server that the copy is taken of.
	Donor Donor `json:"donor"`
	// Replace permits to replace data that is not pristine, of the server ServerID only.
	Replace  bool   `json:"replace,omitempty"`
	ServerID string `json:"serverID,omitempty"`
}

// Donor is the server that a copy is taken of.
type Donor struct {
	// Name of its Unit.
	Name string `json:"name,omitempty"`
	Host string `json:"host"`
	Port int    `json:"port"`
	// User who logs in there; the password is the operation's secret source.password.
	User string `json:"user"`
	// ServerID that is expected there, before the copy and after it.
	ServerID string `json:"serverID"`
	// DataGeneration of its data, for people who read the record.
	DataGeneration int64 `json:"dataGeneration,omitempty"`
}

func (*Provision) isParams() {}

// replacing are the actions during which a unit cannot be given another role.
var replacing = []string{ActionRestore, ActionClone, ActionGTIDPurge, ActionProvision}

// ReplacesData says whether an action makes a server's data or its history another one's:
// such an operation keeps a change of the unit's role waiting, every other one makes way.
func ReplacesData(action string) bool { return slices.Contains(replacing, action) }
