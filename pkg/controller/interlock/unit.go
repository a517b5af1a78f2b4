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

// ReasonServerStarting of ConditionReady: the pod is there, and its server does not
// answer yet.
const ReasonServerStarting = "ServerStarting"

// ServerStarting says whether that is so: what asks the server for something waits.
func ServerStarting(unit []metav1.Condition) bool {
	c := conditions.Find(unit, ConditionReady)
	return c != nil && c.Status == metav1.ConditionFalse && c.Reason == ReasonServerStarting
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
