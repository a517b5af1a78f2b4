// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"cmp"
	"slices"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/membership"
)

// unitPlan is what one sync does to the Units of a set.
type unitPlan struct {
	// create are the ordinals to make, lowest first.
	create []int32
	// patch are units of which something follows the set in place.
	patch []unitChange
	// remove is the unit to delete, the highest one that is too many. One at a
	// time: the next one waits until it is gone.
	remove *observedUnit
	// evacuate is the unit whose Replication is asked to let go of it first, and
	// whose calls that have not started are told to wait.
	evacuate *observedUnit
	// waiting is the unit that is on its way out, or that its Replication still
	// needs, or an operation runs on.
	waiting *observedUnit
}

// unitChange is a merge patch of what follows the set in place. It restarts
// nothing.
type unitChange struct {
	unit           *observedUnit
	metadata, spec map[string]any
}

// changed is the change of a unit; nil if there is nothing to it.
func changed(u *observedUnit, metadata, spec map[string]any) *unitChange {
	if len(metadata) == 0 && len(spec) == 0 {
		return nil
	}
	return &unitChange{unit: u, metadata: metadata, spec: spec}
}

// changeOf a unit that stays; nil if it is as it should be.
func changeOf(set *v1alpha2.UnitSet, u *observedUnit) *unitChange {
	var spec map[string]any
	if u.WhenDeleted == v1alpha2.DeleteClaims {
		// It was told so before it was to be removed.
		spec = retention(v1alpha2.RetainClaims)
	}
	if policy := updatePolicy(set); u.UpdatePolicy != policy {
		if spec == nil {
			spec = map[string]any{}
		}
		spec["updatePolicy"] = policy
	}
	return changed(u, child.Metadata(metadataPatch(set, u.Ordinal, u.Labels, u.Annotations)), spec)
}

// planUnits decides what becomes of the Units. mayCreate is false while
// something that a new unit needs is missing.
//
// A unit that runs another revision, other cpu and memory or smaller claims than
// the spec asks for is left as it is: see rollout.go.
func planUnits(set *v1alpha2.UnitSet, units []*observedUnit, members map[string]membership.Membership, operations map[string]*v1alpha1.GrpcCall, mayCreate bool) unitPlan {
	var plan unitPlan
	wanted := wantedUnits(set)
	present := make(map[int32]*observedUnit, len(units))
	var condemned []*observedUnit
	for _, u := range units {
		present[u.Ordinal] = u
		if u.Ordinal >= wanted {
			condemned = append(condemned, u)
			if hibernating(set) {
				if change := changeForSleep(u, members); change != nil {
					plan.patch = append(plan.patch, *change)
				}
			}
			continue
		}
		if u.DeletionTimestamp != nil {
			continue
		}
		if change := changeOf(set, u); change != nil {
			plan.patch = append(plan.patch, *change)
		}
	}
	slices.SortFunc(plan.patch, func(a, b unitChange) int { return compareUnits(a.unit, b.unit) })
	if mayCreate {
		for ordinal := range wanted {
			if present[ordinal] == nil {
				plan.create = append(plan.create, ordinal)
			}
		}
	}
	leaving := slices.IndexFunc(condemned, func(u *observedUnit) bool { return u.DeletionTimestamp != nil })
	switch {
	case leaving >= 0:
		plan.waiting = condemned[leaving]
	case len(condemned) == 0:
	case hibernating(set):
		planSleep(&plan, condemned, members, operations)
	default:
		planRemoval(&plan, condemned, members, operations)
	}
	return plan
}

// planRemoval takes the highest unit that is too many. A member of a Replication is
// removed only when that has evacuated it: the source may be on it, and the others
// must hold its data. None is removed while an operation runs on it.
func planRemoval(plan *unitPlan, condemned []*observedUnit, members map[string]membership.Membership, operations map[string]*v1alpha1.GrpcCall) {
	highest := slices.MaxFunc(condemned, compareUnits)
	c := clearanceOf(highest, members[highest.Name], v1alpha1.EvacuationRemove)
	running := operations[highest.Name] != nil
	if c.granted && !running {
		plan.remove = highest
		return
	}
	plan.waiting = highest
	told := highest.Annotations[v1alpha2.AnnotationEvacuate] == v1alpha2.EvacuateRemove
	if c.ask || running && !told && !members[highest.Name].Contested() {
		plan.evacuate = highest
	}
}

// retention is the part of a Unit's spec that says what becomes of its claims when
// it is deleted.
func retention(claims v1alpha2.ClaimRetention) map[string]any {
	return map[string]any{"persistentVolumeClaimRetentionPolicy": map[string]any{"whenDeleted": claims}}
}

// claimRetention is what becomes of claims; the default keeps them.
func claimRetention(r v1alpha2.ClaimRetention) v1alpha2.ClaimRetention {
	return cmp.Or(r, v1alpha2.RetainClaims)
}

// whenScaled is what becomes of the claims of a unit that is removed. A set that
// hibernates keeps them, whatever its spec says.
func whenScaled(set *v1alpha2.UnitSet) v1alpha2.ClaimRetention {
	if hibernating(set) {
		return v1alpha2.RetainClaims
	}
	return claimRetention(deref(set.Spec.PersistentVolumeClaimRetentionPolicy).WhenScaled)
}

func whenDeleted(set *v1alpha2.UnitSet) v1alpha2.ClaimRetention {
	return claimRetention(deref(set.Spec.PersistentVolumeClaimRetentionPolicy).WhenDeleted)
}
