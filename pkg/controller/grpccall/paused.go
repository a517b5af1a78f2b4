// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

// syncPaused keeps the status of a paused call up to date.
func (c *Controller) syncPaused(ctx context.Context, s *state) {
	explain := func(what string) {
		c.set(s, v1alpha1.ConditionPaused, metav1.ConditionTrue, v1alpha1.ConditionPaused, child.PausedWhile(what).Message)
	}
	switch {
	case finished(s.call):
		explain("the call is not deleted when its time is over, and its agent not told to forget it,")
	case s.call.DeletionTimestamp != nil:
		explain("the deletion waits: nothing is cancelled")
	case s.status.Operation == nil:
		explain("the call does not start")
		s.status.Phase, s.status.QueuePosition, s.status.Message = v1alpha1.GrpcCallPending, 0, "is paused"
		// What it lacks is waited for anew when it goes on.
		if old := meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionAccepted); old != nil && old.Status == metav1.ConditionFalse {
			meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionAccepted)
		}
	default:
		explain("an operation that runs goes on, and nothing else is told to its agent")
		c.look(ctx, s)
	}
}

// look at an operation without telling the agent anything.
func (c *Controller) look(ctx context.Context, s *state) {
	if s.unit == nil || s.pod == nil {
		return
	}
	op, err := c.cfg.Agents.GetOperation(ctx, s.target(), s.ref())
	if err != nil {
		s.retryAfter(silentRetry)
		return
	}
	c.follow(s, op)
}
