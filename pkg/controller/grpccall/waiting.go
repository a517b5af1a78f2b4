// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

const (
	// waitRetry is how soon is looked again after what no event tells: an agent that
	// does not answer, a Secret that is missing.
	waitRetry = 5 * time.Second
	// busyRetry is how soon a unit that another operation has is asked again.
	busyRetry = 10 * time.Second
)

// syncWaiting brings a call up to its recorded intent.
func (c *Controller) syncWaiting(ctx context.Context, s *state) error {
	in := admission{
		call: s.call, unit: s.unit, podUp: s.pod != nil && s.pod.DeletionTimestamp == nil,
		member: c.member(s),
		queue:  queueOf(s.call, c.cfg.Calls.ByIndex(slim.ByTarget, targetOf(s.call).String())),
	}
	d := decide(in)
	if d.verdict != admit {
		c.settle(s, d, in.queue.position())
		return nil
	}
	return c.prepare(ctx, s)
}

// settle a call that does not start now.
func (c *Controller) settle(s *state, d decision, position int) {
	switch d.verdict {
	case refuse:
		c.fail(s, d.reason, "%s", d.message)
		return
	case wait:
		c.waitFor(s, d)
		return
	}
	s.memory.waitingSince = time.Time{}
	s.status.Phase, s.status.Message, s.status.QueuePosition = v1alpha1.GrpcCallQueued, d.message, int32(position)
	c.set(s, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonValid, "the call is valid")
}

// waitFor what is missing: each thing for as long as its limit, and one after the other
// for totalWait.
func (c *Controller) waitFor(s *state, d decision) {
	since := c.cfg.Clock.Now()
	if old := meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionAccepted); old != nil && old.Status == metav1.ConditionFalse {
		if s.memory.waitingSince.IsZero() {
			s.memory.waitingSince = old.LastTransitionTime.Time
		}
		if old.Reason == d.reason {
			since = old.LastTransitionTime.Time
		} else {
			// What is waited for now has its own time.
			meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionAccepted)
		}
	}
	if s.memory.waitingSince.IsZero() {
		s.memory.waitingSince = since
	}
	now, end, lastEnd := c.cfg.Clock.Now(), c.end(since, d.limit), c.end(s.memory.waitingSince, totalWait)
	switch {
	case !now.Before(end):
		c.fail(s, d.reason, "%s; the call has waited for it for %v", d.message, d.limit)
		return
	case !now.Before(lastEnd):
		c.fail(s, d.reason, "%s; the call has waited for this and other things for %v", d.message, totalWait)
		return
	case lastEnd.Before(end):
		end = lastEnd
	}
	left := end.Sub(now)
	s.status.Phase, s.status.QueuePosition = v1alpha1.GrpcCallPending, 0
	s.status.Message = d.message
	c.set(s, v1alpha1.ConditionAccepted, metav1.ConditionFalse, d.reason,
		fmt.Sprintf("%s; the call waits for it until %s, then it has failed", d.message, end.UTC().Format(time.RFC3339)))
	s.retryAfter(left)
}

// prepare a call whose turn has come: ask the agent which journal it has, see that
// the Secrets are there, and record the intent. The next sync dispatches.
func (c *Controller) prepare(ctx context.Context, s *state) error {
	info, err := c.cfg.Agents.Info(ctx, s.target())
	switch {
	case agentclient.IsFinal(err):
		c.fail(s, v1alpha1.ReasonUnsupported, "the agent of Unit %s is too old for operations: it is renewed with the next start of the pod", s.unit.Name)
		return nil
	case err != nil:
		c.waitFor(s, waits(v1alpha1.ReasonAgentUnavailable, "%s", c.silence(s, err)))
		s.retryAfter(waitRetry)
		return nil
	case info.JournalID == "":
		c.waitFor(s, waits(v1alpha1.ReasonNoJournal, "Unit %s has no database yet", s.unit.Name))
		s.retryAfter(waitRetry)
		return nil
	case !slices.Contains(info.Actions, string(s.call.Spec.Action)):
		c.fail(s, v1alpha1.ReasonUnsupported, "the agent of Unit %s cannot do %s", s.unit.Name, s.call.Spec.Action)
		return nil
	case info.Current != nil && info.Current.ID != string(s.call.UID):
		c.settle(s, decision{verdict: enqueue, message: fmt.Sprintf("waits for operation %s (%s), which has the unit", info.Current.ID, info.Current.Action)}, 1)
		s.retryAfter(busyRetry)
		return nil
	}

	params, refs, err := decode(s.call)
	if err != nil {
		return err // decide has decoded it
	}
	if _, err := c.secretsOf(ctx, s, params, refs, true); err != nil {
		gone, ok := errors.AsType[*missingError](err)
		if !ok {
			return err
		}
		c.waitFor(s, decision{verdict: wait, reason: v1alpha1.ReasonSecretMissing, message: gone.message, limit: secretWait})
		s.retryAfter(waitRetry)
		return nil
	}
	if err := c.addFinalizer(ctx, s); err != nil {
		return err
	}
	c.recordIntent(s, info.JournalID)
	return nil
}

// recordIntent in the status, which is written at the end of this sync.
func (c *Controller) recordIntent(s *state, journal string) {
	s.status.Operation = &v1alpha1.OperationIntent{
		UnitUID: s.unit.UID, PodUID: s.pod.UID, JournalID: journal, SpecHash: specHash(s.call),
	}
	s.status.StartTime = new(metav1.NewTime(c.cfg.Clock.Now().Truncate(time.Second)))
	s.status.Phase, s.status.Message, s.status.QueuePosition = v1alpha1.GrpcCallPending, "is being handed to the agent", 0
	c.set(s, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonValid, "the call is valid")
	c.set(s, v1alpha1.ConditionRunning, metav1.ConditionFalse, v1alpha1.ReasonDispatching, "the call is being handed to the agent")
}

func specHash(call *v1alpha1.GrpcCall) string { return slim.ContentHash([]any{call.Spec}) }
