// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"context"
	"errors"
	"slices"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

// errWritten ends a sync that wrote to the call itself: the watch brings it back as
// it is then.
var errWritten = errors.New("the GrpcCall was written")

// sync takes one call one step further. Each step asks the agent for one thing, and
// what must not be forgotten is in the status before the next one, so that a crash
// anywhere leaves a call that the next sync takes up.
func (c *Controller) sync(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	if err := c.wrote.EnsureReady(key); err != nil {
		return 0, err
	}
	call, there := c.cfg.Calls.Get(key)
	if !there {
		c.forget(key)
		return 0, nil
	}
	s := c.observe(call)
	var workErr error
	if !child.Paused(call) {
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionPaused)
	}
	switch {
	case child.Paused(call):
		c.syncPaused(ctx, s)
	case finished(call):
		workErr = c.syncFinished(ctx, s)
	case call.DeletionTimestamp != nil:
		workErr = c.syncDeletion(ctx, s)
	case call.Status.Operation != nil:
		workErr = c.syncRunning(ctx, s)
	default:
		workErr = c.syncWaiting(ctx, s)
	}
	if errors.Is(workErr, errWritten) {
		return 0, nil
	}
	if err := errors.Join(workErr, c.syncStatus(ctx, s)); err != nil {
		return 0, err
	}
	return s.again, nil
}

// syncStatus writes the status if it changed, and then the events of it.
func (c *Controller) syncStatus(ctx context.Context, s *state) error {
	if apiequality.Semantic.DeepEqual(s.call.Status, s.status) {
		return nil
	}
	s.status.ObservedGeneration = s.call.Generation
	if _, err := c.control.calls.PatchStatus(ctx, s.call, s.call, s.call.Status, s.status); err != nil {
		return err
	}
	for _, event := range s.events {
		event()
	}
	return nil
}

func hasFinalizer(s *state) bool {
	return slices.Contains(s.call.Finalizers, v1alpha2.FinalizerGrpcCall)
}

// addFinalizer, with the end of the sync if it was not there.
func (c *Controller) addFinalizer(ctx context.Context, s *state) error {
	if hasFinalizer(s) {
		return nil
	}
	if _, err := c.control.calls.AddFinalizer(ctx, s.call, s.call, v1alpha2.FinalizerGrpcCall); err != nil {
		return err
	}
	return errWritten
}

// removeFinalizer and end the sync.
func (c *Controller) removeFinalizer(ctx context.Context, s *state) error {
	if !hasFinalizer(s) {
		return nil
	}
	if _, err := c.control.calls.RemoveFinalizer(ctx, s.call, s.call, v1alpha2.FinalizerGrpcCall); err != nil {
		return err
	}
	return errWritten
}
