// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/operation"
)

const (
	// silentGrace is how long an agent may be silent before it is said.
	silentGrace = 30 * time.Second
	// silentLimit is how long an agent may be silent before nobody will ever know:
	// a node has come back by then, or somebody has taken its volume elsewhere.
	silentLimit = 30 * time.Minute
	silentRetry = 10 * time.Second
	// startLimit is how long after the intent an operation that was not confirmed may
	// be started: less than the 7 days for which a journal keeps a record, so that
	// what has run meanwhile is found.
	startLimit = 6 * 24 * time.Hour
)

// errLost is the outcome of an operation that ran and has no record any more.
var errLost = errors.New("the record of the operation is gone")

// confirmed says whether the agent has ever said that it has the operation.
func (s *state) confirmed() bool {
	return s.status.Phase == v1alpha1.GrpcCallRunning || s.status.Phase == v1alpha1.GrpcCallCancelling
}

// syncRunning dispatches what was recorded, and follows it to its end.
func (c *Controller) syncRunning(ctx context.Context, s *state) error {
	if s.unit == nil || s.pod == nil {
		c.silent(s, nil)
		return nil
	}
	if !s.confirmed() {
		restarting, err := c.restarting(ctx, s)
		if err != nil {
			return err
		}
		if restarting {
			c.waitForRestart(s)
			return nil
		}
	}
	op, err := c.ask(ctx, s)
	switch {
	case err == nil:
		s.memory.silentSince, s.memory.answeredAt = time.Time{}, c.cfg.Clock.Now()
		c.follow(s, op)
	case errors.Is(err, errLost), agentclient.IsOtherJournal(err):
		c.fail(s, v1alpha1.ReasonOutcomeUnknown, "nobody knows what became of the operation: the journal of Unit %s that had it is gone; it is not run again", s.unit.Name)
	case agentclient.IsBusy(err) && !s.confirmed():
		s.memory.silentSince = time.Time{}
		c.busy(s, err)
	case isMissing(err):
		s.memory.silentSince = time.Time{}
		s.status.Message = err.Error()
		c.set(s, v1alpha1.ConditionRunning, metav1.ConditionFalse, v1alpha1.ReasonSecretMissing, err.Error())
		s.retryAfter(waitRetry)
	default:
		if refusal, ok := errors.AsType[*refusedError](err); ok {
			c.fail(s, refusal.reason, "%s", refusal.message)
			return nil
		}
		if _, ok := errors.AsType[*agentclient.Error](err); !ok {
			return err
		}
		c.silent(s, err)
	}
	return nil
}

// restarting says whether the pod is being replaced, as the API server knows it now:
// see package interlock. What an agent is handed then would be interrupted at once.
func (c *Controller) restarting(ctx context.Context, s *state) (bool, error) {
	if s.pod.DeletionTimestamp != nil {
		return true, nil
	}
	unit, err := c.control.upm.UpmV1alpha2().Units(s.unit.Namespace).Get(ctx, s.unit.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil // the pod goes with it
	}
	if err != nil {
		return false, fmt.Errorf("reading the Unit before the operation is started: %w", err)
	}
	return unit.UID != s.unit.UID || unit.DeletionTimestamp != nil || interlock.Restarting(unit.Status.Conditions), nil
}

func isMissing(err error) bool {
	_, ok := errors.AsType[*missingError](err)
	return ok
}

// refusedError ends a call that was never started.
type refusedError struct{ reason, message string }

func (e *refusedError) Error() string { return e.message }

// ask the agent for the operation: start it, or take it up again, or look at it.
func (c *Controller) ask(ctx context.Context, s *state) (*agentclient.Operation, error) {
	if !s.confirmed() {
		return c.start(ctx, s)
	}
	op, err := c.cfg.Agents.GetOperation(ctx, s.target(), s.ref())
	switch {
	case agentclient.IsNotFound(err):
		return nil, errLost
	case err != nil || op.State != agentclient.OperationInterrupted:
		return op, err
	}
	resumed, err := c.dispatch(ctx, s)
	if isMissing(err) {
		// The agent gives it up by itself.
		return op, nil
	}
	return resumed, err
}

// start an operation that the agent has not confirmed. It may have started: then
// this finds it.
func (c *Controller) start(ctx context.Context, s *state) (*agentclient.Operation, error) {
	now := c.cfg.Clock.Now()
	var refusal error
	switch {
	case s.status.Operation.SpecHash != specHash(s.call):
		refusal = &refusedError{v1alpha1.ReasonSpecChanged, "the spec was changed before the operation started; create another GrpcCall"}
	case now.Sub(s.status.StartTime.Time) > startLimit:
		refusal = errLost
	default:
		op, err := c.dispatch(ctx, s)
		switch {
		case agentclient.IsFinal(err):
			refusal = &refusedError{v1alpha1.ReasonRefused, err.Error()}
		case isMissing(err) && now.After(c.end(s.status.StartTime.Time, unitWait)):
			refusal = &refusedError{v1alpha1.ReasonSecretMissing, err.Error()}
		case isMissing(err):
			refusal = err
		default:
			return op, err
		}
	}
	// An earlier start may have got through, though its answer did not.
	op, err := c.cfg.Agents.GetOperation(ctx, s.target(), s.ref())
	if agentclient.IsNotFound(err) {
		return nil, refusal
	}
	return op, err
}

// dispatch hands the operation over with its secrets. An id that the journal knows
// is found, or goes on; it is never run twice.
func (c *Controller) dispatch(ctx context.Context, s *state) (*agentclient.Operation, error) {
	params, refs, err := decode(s.call)
	if err != nil {
		return nil, &refusedError{v1alpha1.ReasonInvalidParameters, err.Error()}
	}
	secrets, err := c.secretsOf(ctx, s, params, refs, false)
	if err != nil {
		return nil, err
	}
	encoded, err := operation.Encode(params)
	if err != nil {
		return nil, err
	}
	op, err := c.cfg.Agents.StartOperation(ctx, s.target(), agentclient.StartOperation{
		OperationRef: s.ref(), Action: string(s.call.Spec.Action), Parameters: encoded, Secrets: secrets,
	})
	if e, ok := errors.AsType[*agentclient.Error](err); ok {
		e.Err = errors.New(redact(e.Err.Error(), secrets))
	}
	return op, err
}

// follow an operation that the agent has.
func (c *Controller) follow(s *state, op *agentclient.Operation) {
	if op.State.Final() {
		c.finishWith(s, op)
		return
	}
	now := c.cfg.Clock.Now()
	if !s.confirmed() {
		pod := s.pod.Name
		s.events = append(s.events, func() {
			c.control.Events.Normal(s.call, v1alpha1.ReasonStarted, actionRun, "%s was started by the agent of Pod %s", s.call.Spec.Action, pod)
		})
	}
	s.status.Phase, s.status.Message, s.status.QueuePosition = v1alpha1.GrpcCallRunning, "runs", 0
	reason := v1alpha1.ReasonStarted
	switch op.State {
	case agentclient.OperationInterrupted:
		reason, s.status.Message = v1alpha1.ReasonInterrupted, "was interrupted by a restart of the agent"
	case agentclient.OperationCancelling:
		reason, s.status.Message = v1alpha1.ReasonCancelling, "is being cancelled"
	}
	c.set(s, v1alpha1.ConditionRunning, metav1.ConditionTrue, reason, "the agent has the operation")
	if text := c.clean(s, progress(op)); text != s.status.Progress && now.Sub(s.memory.progressAt) >= progressPause {
		s.status.Progress, s.memory.progressAt = text, now
	}
	s.retryAfter(pollAfter(now.Sub(s.status.StartTime.Time)))
}

// pollAfter is when an operation is looked at again that runs for d: its end is known late
// by a tenth of what it has taken.
func pollAfter(d time.Duration) time.Duration {
	if d < 5*time.Minute {
		return min(max(d/10, time.Second), 5*time.Second)
	}
	return 15 * time.Second
}

// busy: another operation has the unit, though this one was dispatched.
func (c *Controller) busy(s *state, err error) {
	message := "waits for another operation"
	if e, ok := errors.AsType[*agentclient.Error](err); ok {
		message = "waits for another operation: " + c.clean(s, e.Err.Error())
	}
	s.status.Phase, s.status.Message, s.status.QueuePosition = v1alpha1.GrpcCallQueued, message, 1
	c.set(s, v1alpha1.ConditionRunning, metav1.ConditionFalse, v1alpha1.ReasonBusy, message)
	s.retryAfter(busyRetry)
}

// silent: nobody answers, or the agent cannot. What became of the operation is unknown, so
// it is asked after for silentLimit and never started elsewhere.
func (c *Controller) silent(s *state, err error) {
	message := c.silence(s, err) + ": nothing is known of the operation"
	if c.unknown(s, silentGrace, v1alpha1.ReasonAgentUnavailable, message) {
		s.events = append(s.events, func() {
			c.control.Events.Warning(s.call, v1alpha1.ReasonAgentUnavailable, actionRun, "%s; it is asked for %v", message, silentLimit)
		})
	}
}

// silence of an agent in words. Why nobody answered differs from one try to the next.
func (c *Controller) silence(s *state, err error) string {
	if agentclient.Failed(err) {
		return fmt.Sprintf("the agent of Unit %s cannot: %s", s.call.Spec.TargetUnit, c.clean(s, errors.Unwrap(err).Error()))
	}
	return "the agent of Unit " + s.call.Spec.TargetUnit + " does not answer"
}

// waitForRestart of the unit: the operation starts in the next pod, or in this one if
// the restart gives way to it.
func (c *Controller) waitForRestart(s *state) {
	c.unknown(s, 0, v1alpha1.ReasonUnitRestarting, "Unit "+s.unit.Name+" is restarted first")
}

// unknown says after a grace that nothing is known of the operation, and why, and
// ends the call when that has lasted for silentLimit. It tells whether it said
// anything new.
func (c *Controller) unknown(s *state, grace time.Duration, reason, message string) (said bool) {
	now := c.cfg.Clock.Now()
	if s.memory.silentSince.IsZero() {
		s.memory.silentSince = now
		if now.Sub(s.memory.answeredAt) < silentGrace {
			s.memory.silentSince = s.memory.answeredAt
		}
	}
	since := s.memory.silentSince
	if old := meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionRunning); old != nil && old.Status == metav1.ConditionUnknown {
		since = old.LastTransitionTime.Time
	}
	end := c.end(since, silentLimit)
	if !now.Before(end) {
		c.fail(s, v1alpha1.ReasonOutcomeUnknown, "nobody knows what became of the operation: the agent of Unit %s did not answer for %v; it is not run again", s.call.Spec.TargetUnit, silentLimit)
		return false
	}
	if now.Sub(since) < grace {
		s.retryAfter(silentRetry)
		return false
	}
	s.status.Message = message
	said = c.set(s, v1alpha1.ConditionRunning, metav1.ConditionUnknown, reason, message)
	if s.unit != nil && s.pod != nil {
		s.retryAfter(silentRetry)
	}
	s.retryAfter(end.Sub(now))
	return said
}
