// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"slices"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/membership"
)

// clients are the units of a set that its own Service leads to. It has clients that
// write, so it must lead to no unit that is read-only for good.
type clients struct {
	// selector of them among all units of the set; empty for all.
	selector map[string]string
	// unsettled: a Replication has gone, and a unit that it had has not recorded in which
	// role that left it. The Service stays as it is until then.
	unsettled bool
}

// clientsOf a set: the source that a Replication labels; the source of one that is being
// deleted, which takes the labels off; the source that the last one left; or, where none
// ever gave a role, all units.
func clientsOf(units []*observedUnit, members map[string]membership.Membership) clients {
	source := clients{selector: map[string]string{v1alpha2.LabelRole: v1alpha2.RoleSource}}
	var deleting *membership.Replication
	for _, m := range members {
		switch {
		case m.Owner == nil || !m.Owner.LabelsRoles:
		case !m.Owner.Deleting:
			return source
		case m.Owner.Source != "" && (deleting == nil || m.Owner.Source < deleting.Source):
			deleting = m.Owner
		}
	}
	if deleting != nil {
		return clients{selector: map[string]string{v1alpha2.LabelUnit: deleting.Source}}
	}
	unsettled := func(u *observedUnit) bool { return u.Status.Replication != nil && members[u.Name].Owner == nil }
	left := func(role v1alpha2.ReleasedRole) func(*observedUnit) bool {
		return func(u *observedUnit) bool { return u.Status.Released != nil && u.Status.Released.Role == role }
	}
	if slices.ContainsFunc(units, unsettled) {
		return clients{unsettled: true}
	}
	if i := slices.IndexFunc(units, left(v1alpha2.ReleasedSource)); i >= 0 {
		return clients{selector: map[string]string{v1alpha2.LabelUnit: units[i].Name}}
	}
	if slices.ContainsFunc(units, left(v1alpha2.ReleasedReplica)) {
		// The source was a unit of another set, or is gone: nobody here takes writes.
		return source
	}
	return clients{}
}
