// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// What differs between existing units and the spec, by kind of change. These are
// the seams of rolling updates, resizing and expansion: each kind of change is
// found by one function here, reported by status.go, and carried out by a step
// of its own. None is carried out yet, so none is under way on its own account:
// what differs is NotSynced.

// behindRevision are the units whose template is not that of the update
// revision.
func behindRevision(units []*observedUnit, update string) []string {
	return namesWhere(units, func(u *observedUnit) bool {
		return update != "" && u.Annotations[v1alpha2.AnnotationRevision] != update
	})
}

// beingReplaced are the units whose template is that of the update revision and
// whose pod is not: the Unit controller is at it, or, with OnDelete, waits for
// the user.
func beingReplaced(units []*observedUnit, update string) []string {
	return namesWhere(units, func(u *observedUnit) bool {
		return update != "" && u.Annotations[v1alpha2.AnnotationRevision] == update && u.Status.Revision != update
	})
}

// behindResources are the units whose cpu and memory are not the spec's. A spec
// that says nothing leaves them to the package, whose choice a unit keeps.
func behindResources(set *v1alpha2.UnitSet, units []*observedUnit) []string {
	want := resourcesText(set.Spec.Resources)
	if want == "" {
		return nil
	}
	return namesWhere(units, func(u *observedUnit) bool { return resourcesText(u.Resources) != want })
}

// claimsOf the units, compared with the spec: too small, and not bound yet.
func claimsOf(set *v1alpha2.UnitSet, units []*observedUnit) (small, unbound []string) {
	for _, u := range units {
		for _, s := range set.Spec.Storages {
			name := podspec.ClaimName(u.Name, s.Name)
			size, err := resource.ParseQuantity(s.Size)
			if err != nil {
				continue
			}
			claim := claimNamed(u.Status.PersistentVolumeClaim, name)
			switch {
			case claim == nil || claim.Capacity.Storage.IsZero():
				unbound = append(unbound, name)
			case claim.Capacity.Storage.Cmp(size) < 0:
				small = append(small, name)
			}
		}
	}
	return small, unbound
}

func claimNamed(claims []v1alpha2.PvcInfo, name string) *v1alpha2.PvcInfo {
	for i := range claims {
		if claims[i].Name == name {
			return &claims[i]
		}
	}
	return nil
}

func namesWhere(units []*observedUnit, is func(*observedUnit) bool) []string {
	var names []string
	for _, u := range units {
		if is(u) {
			names = append(names, u.Name)
		}
	}
	return names
}
