// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package interlock

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/controller/conditions"
)

// ConditionUpdatePending of a Unit says that its pod was made from an older template,
// and its reason what becomes of that.
const ConditionUpdatePending = "UpdatePending"

// Reasons that calls heed. Others are no business of theirs: a pod that waits for its
// user may wait for ever.
const (
	// ReasonRestarting: the pod is being replaced.
	ReasonRestarting = "Restarting"
	// ReasonOperationRunning: it will be, when a call that is in progress has ended.
	ReasonOperationRunning = "OperationRunning"
)

// ConditionReady of a Unit: its server answers SQL.
const ConditionReady = "Ready"

// Reasons of ConditionReady that end by themselves: the pod goes, the next one comes,
// its server does not answer yet.
const (
	ReasonPodTerminating = "PodTerminating"
	ReasonPodMissing     = "PodMissing"
	ReasonPodPending     = "PodPending"
	ReasonServerStarting = "ServerStarting"
	// ReasonServerHeld: the agent keeps it down, for an operation or a fence.
	ReasonServerHeld = "ServerHeld"
)

// Starting says whether a unit's server is on its way: what asks it for something
// waits. A pod is often seen before what its unit says of it.
func Starting(unit []metav1.Condition) bool {
	c := conditions.Find(unit, ConditionReady)
	if c == nil || c.Status != metav1.ConditionFalse {
		return false
	}
	switch c.Reason {
	case ReasonPodTerminating, ReasonPodMissing, ReasonPodPending, ReasonServerStarting, ReasonServerHeld:
		return true
	}
	return false
}

// Restarting says of a Unit's conditions whether its pod is being replaced: nothing
// is handed to its agent.
func Restarting(unit []metav1.Condition) bool { return hasReason(unit, ReasonRestarting) }

// RestartDue says whether its pod is being replaced or will be as soon as nothing
// runs in it: no call's turn comes before that.
func RestartDue(unit []metav1.Condition) bool {
	return Restarting(unit) || hasReason(unit, ReasonOperationRunning)
}

func hasReason(unit []metav1.Condition, reason string) bool {
	c := conditions.Find(unit, ConditionUpdatePending)
	return c != nil && c.Status == metav1.ConditionTrue && c.Reason == reason
}
