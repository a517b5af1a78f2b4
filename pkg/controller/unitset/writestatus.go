// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"slices"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// syncStatus writes the status if it changed. One that only tells how units come along
// waits a moment: the next one is near, and is written for both. again is when to look.
func (c *Controller) syncStatus(ctx context.Context, s *state) (again time.Duration, err error) {
	status := computeStatus(s, c.cfg.Clock.Now())
	key := cache.MetaObjectToName(s.set)
	if apiequality.Semantic.DeepEqual(s.set.Status, status) {
		c.heldBack.Delete(key)
		return 0, nil
	}
	if s.set.DeletionTimestamp == nil && c.cfg.StatusPause > 0 && mayWait(&s.set.Status, &status) {
		since, _ := c.heldBack.LoadOrStore(key, c.cfg.Clock.Now())
		if left := c.cfg.StatusPause - c.cfg.Clock.Since(since.(time.Time)); left > 0 {
			return left, nil
		}
	}
	written, err := c.control.sets.PatchStatus(ctx, s.set, s.set, s.set.Status, status)
	if written {
		c.heldBack.Delete(key)
		c.control.Events.Transitions(ctx, s.set, s.set.Status.Conditions, status.Conditions, c.cfg.Clock.Now())
	}
	return 0, err
}

// mayWait says whether a status tells nothing that must not be lost, and nothing that
// anybody waits for: the set was not Ready and is not yet, it is the first one or about the
// same spec and the same revisions, and nothing new is in the way.
func mayWait(before, after *v1alpha2.UnitSetStatus) bool {
	same := before.ObservedGeneration == after.ObservedGeneration && before.UpdateRevision == after.UpdateRevision &&
		before.CurrentRevision == after.CurrentRevision
	if before.ObservedGeneration != 0 && !same || !apiequality.Semantic.DeepEqual(before.CollisionCount, after.CollisionCount) {
		return false
	}
	for _, condition := range after.Conditions {
		tells := condition.Type == v1alpha2.ConditionReady ||
			slices.Contains(conditionsOfSet.Blockers, condition.Type) && !meta.IsStatusConditionTrue(before.Conditions, condition.Type)
		if condition.Status == metav1.ConditionTrue && tells {
			return false
		}
	}
	return !meta.IsStatusConditionTrue(before.Conditions, v1alpha2.ConditionReady)
}
