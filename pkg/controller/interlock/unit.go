// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package interlock

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// Starting says whether a unit's server is on its way: what asks it for something
// waits. A pod is often seen before what its unit says of it.
func Starting(unit []metav1.Condition) bool {
	c := meta.FindStatusCondition(unit, v1alpha2.ConditionReady)
	if c == nil || c.Status != metav1.ConditionFalse {
		return false
	}
	switch c.Reason {
	case v1alpha2.ReasonPodTerminating, v1alpha2.ReasonPodMissing, v1alpha2.ReasonPodPending, v1alpha2.ReasonServerStarting, v1alpha2.ReasonServerHeld:
		return true
	}
	return false
}

// Restarting says of a Unit's conditions whether its pod is being replaced: nothing
// is handed to its agent.
func Restarting(unit []metav1.Condition) bool { return hasReason(unit, v1alpha2.ReasonRestarting) }

// RestartDue says whether its pod is being replaced or will be as soon as nothing
// runs in it: no call's turn comes before that.
func RestartDue(unit []metav1.Condition) bool {
	return Restarting(unit) || hasReason(unit, v1alpha2.ReasonOperationRunning)
}

func hasReason(unit []metav1.Condition, reason string) bool {
	c := meta.FindStatusCondition(unit, v1alpha2.ConditionUpdatePending)
	return c != nil && c.Status == metav1.ConditionTrue && c.Reason == reason
}
