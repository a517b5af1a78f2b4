// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/upmio/unit-operator/pkg/agent/engine"

// EffectiveRecord is what a server of this pod is: what its owner recorded; what an
// earlier owner did, until the new one gives a role; or what the unit was released as.
// Its Role is empty while nobody has given one.
//
// A role that Apply brings along for a released unit wins over a record that its
// Replication could not take back: the unit was out of reach, another may be the
// source by now.
func (d Desired) EffectiveRecord() engine.RoleRecord {
	if d.OwnerUID == "" && d.Released != nil {
		same := d.Record.Role == d.Released.Role
		if same && d.Record.Released {
			return d.Record
		}
		if same && d.Record.Role == engine.RoleSource {
			record := d.Record
			record.Released, record.Open = true, true
			return record
		}
		return engine.RoleRecord{
			Role: d.Released.Role, Upstream: d.Released.Upstream, Released: true,
			Open: d.Released.Role == engine.RoleSource, Epoch: d.Record.Epoch,
		}
	}
	return d.Record
}

// deriveRole is the role by what Apply and the Replication have said.
func (d Desired) deriveRole() engine.Role {
	switch record := d.EffectiveRecord(); {
	case record.Role != "":
		return record.Role
	case d.Managed || d.OwnerUID != "":
		return engine.RoleManaged
	case d.Applied:
		return engine.RoleStandalone
	}
	return ""
}

// ReadOnlyStart says whether a server starts read-only: one that only its Replication
// or its agent opens. A released source opens by itself, for nobody else does.
func (d Desired) ReadOnlyStart() bool {
	record := d.EffectiveRecord()
	if record.Released && record.Role == engine.RoleSource && d.OwnerUID == "" {
		return false
	}
	return d.Managed || d.OwnerUID != "" || record.Role != ""
}
