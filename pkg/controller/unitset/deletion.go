// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

// syncDeletion of a set: its Units first, highest ordinal first, each told what becomes of its claims
// and each stopping its server at its own pace while Services and configuration
// are still there. The rest goes with the set, by its owner references.
func (c *Controller) syncDeletion(ctx context.Context, set *v1alpha2.UnitSet) error {
	if !slices.Contains(set.Finalizers, v1alpha2.FinalizerUnitSet) {
		return nil
	}
	s := c.observeChildren(set)
	// Who orphans the children wants them to live on.
	if slices.Contains(set.Finalizers, metav1.FinalizerOrphanDependents) {
		// Those of earlier versions of the operator the garbage collector cannot
		// release: see revision.Encode.
		for _, r := range s.revisions {
			if err := c.control.disownRevision(ctx, set, r); err != nil {
				return err
			}
		}
	} else {
		if child.Paused(set) && len(s.units) > 0 {
			s.found[v1alpha2.ConditionPaused] = child.PausedWhile("the deletion waits")
			_, err := c.syncStatus(ctx, s)
			return err
		}
		for _, u := range slices.Backward(s.units) {
			if err := c.deleteWithSet(ctx, set, u); err != nil {
				return err
			}
		}
		if len(s.units) > 0 {
			_, err := c.syncStatus(ctx, s)
			return err
		}
	}
	_, err := c.control.sets.RemoveFinalizer(ctx, set, set, v1alpha2.FinalizerUnitSet)
	return err
}

// deleteWithSet deletes a unit of a set that is being deleted. One that is on its
// way out already, by the garbage collector or the user, still learns what becomes
// of its claims.
func (c *Controller) deleteWithSet(ctx context.Context, set *v1alpha2.UnitSet, u *observedUnit) error {
	claims := whenDeleted(set)
	switch {
	case u.DeletionTimestamp == nil:
		return c.control.deleteUnit(ctx, set, u, claims, fmt.Sprintf("the UnitSet is being deleted; its claims: %s", claims))
	case u.WhenDeleted != claims:
		_, err := c.control.retainClaims(ctx, set, u, claims)
		return err
	default:
		return nil
	}
}
