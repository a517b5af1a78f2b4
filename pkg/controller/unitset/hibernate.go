// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"slices"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/membership"
)

// hibernating says whether the set is scaled to zero. That is not a scale down to
// the end: every unit stops, its claims stay whatever whenScaled says, and raising
// units again brings the same data back. Nothing is evacuated, because no member
// is left that could take anything over.
func hibernating(set *v1alpha2.UnitSet) bool { return wantedUnits(set) == 0 }

// changeForSleep undoes what an earlier scale down told a unit: that its claims
// will be deleted, and, to a member of a Replication, that it must hand over. Nil
// if it was told neither.
func changeForSleep(u *observedUnit, members map[string]membership.Membership) *unitChange {
	var metadata, spec map[string]any
	_, listed := members[u.Name]
	if _, asked := u.Annotations[v1alpha2.AnnotationEvacuate]; asked && listed && u.DeletionTimestamp == nil {
		metadata = child.Annotation(v1alpha2.AnnotationEvacuate, nil)
	}
	if u.WhenDeleted == v1alpha2.DeleteClaims {
		spec = retention(v1alpha2.RetainClaims)
	}
	return changed(u, metadata, spec)
}

func isSource(u *observedUnit, members map[string]membership.Membership) bool {
	owner := members[u.Name].Owner
	return owner != nil && owner.Source == u.Name
}

// planSleep stops the units one at a time, the highest ordinal first and a
// Replication's source last: the replicas have received all that it committed by
// then. None stops while an operation runs on it.
func planSleep(plan *unitPlan, awake []*observedUnit, members map[string]membership.Membership, operations map[string]*v1alpha1.GrpcCall) {
	next := slices.MaxFunc(awake, func(a, b *observedUnit) int {
		if a, b := isSource(a, members), isSource(b, members); a != b {
			if a {
				return -1
			}
			return 1
		}
		return compareUnits(a, b)
	})
	if operations[next.Name] == nil {
		plan.remove = next
		return
	}
	plan.waiting = next
	if _, listed := members[next.Name]; !listed && next.Annotations[v1alpha2.AnnotationEvacuate] != v1alpha2.EvacuateRemove {
		// No Replication reads it; the calls that are queued on the unit do, and
		// wait.
		plan.evacuate = next
	}
}
