// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"slices"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/conditions"
)

// syncStatus writes the status if it changed. While a new unit comes along, one that
// only tells how far it is waits a moment: the next one is near, and is written for both.
func (c *Controller) syncStatus(ctx context.Context, s *state) error {
	status := computeStatus(s, c.cfg.Clock.Now())
	m := c.memory(cache.MetaObjectToName(s.unit))
	if apiequality.Semantic.DeepEqual(s.unit.Status, status) {
		m.written()
		return nil
	}
	if !s.statusFirst && len(s.events) == 0 && mayWait(&s.unit.Status, &status, s.asked) {
		if m.heldBack.IsZero() {
			m.heldBack = c.cfg.Clock.Now()
		}
		if left := c.cfg.StatusPause - c.cfg.Clock.Since(m.heldBack); left > 0 {
			m.unwritten = &status
			s.retryAfter(left)
			return nil
		}
	}
	if err := c.patchStatus(ctx, s.unit, status); err != nil {
		return err
	}
	for _, event := range s.events {
		event()
	}
	return nil
}

// useUnwritten takes up what the agent has acknowledged though the status does not have it
// yet. An operator that ends before it has tells the agent the same again.
func (s *state) useUnwritten(status *v1alpha2.UnitStatus) {
	if status == nil || s.pod == nil || status.ConfigSyncStatus.PodUID != s.pod.UID {
		return
	}
	s.status.ConfigSyncStatus = status.ConfigSyncStatus
	if managed := meta.FindStatusCondition(status.Conditions, v1alpha2.ConditionManaged); managed != nil {
		conditions.Set(&s.status.Conditions, managed.Type, managed.Status, managed.Reason, managed.Message, managed.ObservedGeneration, managed.LastTransitionTime.Time)
	}
}

// mayWait says whether a status tells nothing that must not be lost, and nothing that
// anybody waits for: it is of a unit that has never had data nor an owner, whose agent
// has acknowledged nothing after its first configuration, and for which nothing new is in
// the way. asked: an answer of its agent, which changes the status again, is near.
func mayWait(before, after *v1alpha2.UnitStatus, asked bool) bool {
	for _, status := range []*v1alpha2.UnitStatus{before, after} {
		if status.DataIdentity != nil || status.Replication != nil || status.Released != nil || status.LastPod != nil {
			return false
		}
	}
	old, acknowledged := before.ConfigSyncStatus, after.ConfigSyncStatus
	if old.PodUID != "" && (old.PodUID != acknowledged.PodUID || old.AppliedHash != acknowledged.AppliedHash || old.AppliedGeneration != acknowledged.AppliedGeneration) {
		return false
	}
	if before.ObservedGeneration != 0 && before.ObservedGeneration != after.ObservedGeneration {
		return false
	}
	for _, condition := range after.Conditions {
		switch {
		case condition.Status != metav1.ConditionTrue:
		case condition.Type == v1alpha2.ConditionReady:
			if !asked {
				return false
			}
		case slices.Contains(conditionsOfUnit.Blockers, condition.Type) && !meta.IsStatusConditionTrue(before.Conditions, condition.Type):
			return false
		}
	}
	return true
}
