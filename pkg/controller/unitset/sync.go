// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

// sync brings one UnitSet closer to its spec. It writes children in the order in
// which units need them, so that a crash after any write leaves nothing that
// starts without what it needs.
func (c *Controller) sync(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	if err := c.wrote.EnsureReady(key); err != nil {
		return 0, err
	}
	cached, there := c.cfg.UnitSets.Get(key)
	if !there {
		c.forget(key)
		return 0, nil
	}
	set := cached.DeepCopy()
	if set.DeletionTimestamp != nil {
		return 0, c.syncDeletion(ctx, set)
	}
	if !slices.Contains(set.Finalizers, v1alpha2.FinalizerUnitSet) {
		_, err := c.control.sets.AddFinalizer(ctx, set, set, v1alpha2.FinalizerUnitSet)
		return 0, err
	}

	s, err := c.observe(ctx, set)
	if err != nil {
		return 0, err
	}
	var workErr error
	if child.Paused(set) {
		s.foresee()
	} else {
		workErr = c.syncChildren(ctx, s)
	}
	again, statusErr := c.syncStatus(ctx, s)
	if err := errors.Join(workErr, statusErr); err != nil {
		return 0, err
	}
	if again == 0 && s.found.Has(v1alpha2.ConditionNameConflict) {
		return child.ConflictRecheck, nil
	}
	return again, nil
}

// syncChildren makes the children what they should be. A child that the API server
// refuses keeps no other from that, but for what units need: without it none is
// made.
func (c *Controller) syncChildren(ctx context.Context, s *state) error {
	if s.found.Has(v1alpha2.ConditionInvalidSpec) {
		return nil
	}
	if adopted, err := c.adoptOrphans(ctx, s); adopted || err != nil {
		// The watch shows them as the set's and brings the next sync.
		return err
	}
	var failures child.Failures
	for _, step := range []struct {
		run func(context.Context, *state) error
		// needed by units. ofRevision: made from the revision that units are to have.
		needed, ofRevision bool
	}{
		{c.syncRevision, true, false},
		{c.syncConfigTemplate, true, true},
		{c.syncHeadlessService, true, true},
		{c.syncServices, false, true},
		{c.syncPDB, false, true},
		{c.syncUnits, false, false},
		{c.syncHistory, false, false},
	} {
		if step.ofRevision && s.update == "" {
			continue
		}
		err := step.run(ctx, s)
		if step.needed && err != nil {
			s.waiting = true
		}
		if !failures.Tolerate(err) {
			break
		}
	}
	return failures.Err()
}
