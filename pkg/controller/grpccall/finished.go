// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"context"
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

const (
	// acknowledgeLimit is how long is tried to tell the agent that the result is
	// stored. After it the agent's own limit frees the record.
	acknowledgeLimit = 10 * time.Minute
	acknowledgeRetry = 30 * time.Second
)

// syncFinished lets the agent forget, and deletes the call when its time is over.
func (c *Controller) syncFinished(ctx context.Context, s *state) error {
	now := c.cfg.Clock.Now()
	deleted := s.call.DeletionTimestamp != nil
	expiry := s.call.Status.CompletionTime.Add(ttl(s))
	expired := !now.Before(expiry)
	if hasFinalizer(s) {
		if c.acknowledge(ctx, s) || deleted || expired || now.Sub(s.call.Status.CompletionTime.Time) >= acknowledgeLimit {
			return c.removeFinalizer(ctx, s)
		}
		s.retryAfter(acknowledgeRetry)
	}
	if deleted {
		return nil
	}
	if expired {
		return c.control.calls.Delete(ctx, s.call, s.call.Name, s.call.UID, "its time is over", nil)
	}
	s.retryAfter(expiry.Sub(now))
	return nil
}

// ttl of a finished call.
func ttl(s *state) time.Duration {
	if t := s.call.Spec.TTLSecondsAfterFinished; t != nil {
		return time.Duration(*t) * time.Second
	}
	return 0
}

// acknowledge tells the agent that the result is stored, and whether that is done:
// there may be nobody left to tell.
func (c *Controller) acknowledge(ctx context.Context, s *state) (done bool) {
	if s.status.Operation == nil || s.unit == nil {
		return true
	}
	if s.pod == nil {
		return false
	}
	err := c.cfg.Agents.AcknowledgeOperation(ctx, s.target(), s.ref())
	return err == nil || !agentclient.IsUnavailable(err) && !agentclient.IsStaleFence(err)
}
