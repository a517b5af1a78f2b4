// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

// errWritten ends a sync that wrote to the Unit itself: the watch brings the Unit
// back as it is then.
var errWritten = errors.New("the Unit was written")

// sync brings one Unit closer to its spec. What a pod needs is written before the
// pod, and what an agent must not get wrong is in the status before the agent
// hears of it, so that a crash after any write leaves nothing half done.
func (c *Controller) sync(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	if err := c.wrote.EnsureReady(key); err != nil {
		return 0, err
	}
	unit, there := c.cfg.Children.Units.Get(key)
	if !there || !child.Paused(unit) {
		if err := c.syncStrayPod(ctx, key, unit); err != nil && !errors.Is(err, errWritten) {
			return 0, err
		}
	}
	if !there {
		c.forget(key)
		return 0, nil
	}
	if unit.DeletionTimestamp != nil {
		return c.syncDeletion(ctx, unit)
	}
	if !slices.Contains(unit.Finalizers, v1alpha2.FinalizerUnit) {
		_, err := c.control.units.AddFinalizer(ctx, unit, unit, v1alpha2.FinalizerUnit)
		return 0, err
	}

	s := c.observe(unit)
	work := c.work
	if child.Paused(unit) {
		work = c.foresee
	}
	workErr := work(ctx, s)
	if errors.Is(workErr, errWritten) {
		return 0, nil
	}
	statusErr := c.syncStatus(ctx, s)
	if err := errors.Join(workErr, statusErr); err != nil {
		return 0, err
	}
	return s.again, nil
}

// work makes the children what they should be and tells the agent. A child that cannot
// be written keeps neither the others nor the agent from that; what is recorded of the
// unit itself comes before whatever follows from it.
func (c *Controller) work(ctx context.Context, s *state) error {
	var failures child.Failures
	for _, step := range []struct {
		run func(context.Context, *state) error
		// apart: what follows does not rely on it, or looks whether it is done.
		apart bool
	}{
		{c.syncReferences, false},
		{c.syncEnd, false},
		{c.syncOwnership, false},
		{c.syncBlueprint, false},
		{c.syncBinding, false},
		{c.syncIdentity, false},
		{c.syncTLS, true},
		{c.syncClaims, true},
		{c.syncConfig, true},
		{c.syncPod, true},
		{c.syncAgent, false},
		{c.syncKept, true},
	} {
		if err := step.run(ctx, s); !failures.Tolerate(err) || err != nil && !step.apart {
			break
		}
		if s.statusFirst {
			break
		}
	}
	return failures.Err()
}
