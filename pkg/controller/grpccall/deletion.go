// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

const (
	// cancelLimit is how long a deleted call waits for its operation to end, from the
	// first try to cancel it: the operator may have been away before.
	cancelLimit = 5 * time.Minute
	cancelRetry = 2 * time.Second
)

// syncDeletion cancels what a deleted call has running, then lets it go.
func (c *Controller) syncDeletion(ctx context.Context, s *state) error {
	if !hasFinalizer(s) {
		return nil // somebody else's keeps it
	}
	if s.status.Operation == nil || s.unit == nil {
		// Never dispatched, or its unit went with its pod.
		return c.removeFinalizer(ctx, s)
	}
	since := c.cfg.Clock.Now()
	if old := meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionCancelling); old != nil {
		since = old.LastTransitionTime.Time
	}
	left := c.end(since, cancelLimit).Sub(c.cfg.Clock.Now())
	ended, err := c.cancel(ctx, s)
	if ended || err != nil {
		return err
	}
	if left <= 0 {
		if err := c.removeFinalizer(ctx, s); err != errWritten { //nolint:errorlint // A sentinel of this package.
			return err
		}
		c.control.Events.Warning(s.call, v1alpha1.ReasonCancelAbandoned, actionCancel,
			"%s of Unit %s was not seen to end within %v of its cancellation; it may still run", s.call.Spec.Action, s.call.Spec.TargetUnit, cancelLimit)
		return errWritten
	}
	if c.set(s, v1alpha1.ConditionCancelling, metav1.ConditionTrue, v1alpha1.ReasonCancelling, "the GrpcCall was deleted: its operation is being cancelled") {
		s.status.Phase, s.status.QueuePosition = v1alpha1.GrpcCallCancelling, 0
		s.status.Message = "was deleted: the operation is being cancelled"
		s.events = append(s.events, func() {
			c.control.Events.Normal(s.call, v1alpha1.ReasonCancelling, actionCancel, "%s is being cancelled: the GrpcCall was deleted", s.call.Spec.Action)
		})
	}
	s.retryAfter(left)
	if s.pod != nil {
		s.retryAfter(cancelRetry)
	}
	return nil
}

// cancel the operation of a deleted call, and say whether it is over.
func (c *Controller) cancel(ctx context.Context, s *state) (ended bool, err error) {
	if s.pod == nil {
		return false, nil
	}
	op, err := c.cfg.Agents.CancelOperation(ctx, s.target(), s.ref())
	switch {
	case agentclient.IsNotFound(err), agentclient.IsOtherJournal(err):
		return true, c.removeFinalizer(ctx, s)
	case err != nil:
		return false, nil //nolint:nilerr // It is tried again until the limit.
	case op.State.Final():
		c.finishWith(s, op)
		return true, nil
	}
	c.set(s, v1alpha1.ConditionRunning, metav1.ConditionTrue, v1alpha1.ReasonCancelling, "the agent is cancelling the operation")
	return false, nil
}
