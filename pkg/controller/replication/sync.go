// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"errors"
	"slices"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

// errWritten ends a sync that wrote to the Replication itself: the watch brings it back
// as it is then.
var errWritten = errors.New("the Replication was written")

// sync brings what the API has of one Replication closer to its spec, and to what the
// last pass saw. It asks no agent: passes do, on workers of their own.
func (c *Controller) sync(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	if err := c.wrote.EnsureReady(key); err != nil {
		return 0, err
	}
	r, there := c.replications.get(key)
	if !there {
		c.forget(key)
		return 0, nil
	}
	if !c.begin(key) {
		// A pass has the status; it wakes this when it ends.
		return 0, nil
	}
	defer c.end(key)
	if r.DeletionTimestamp == nil && !slices.Contains(r.Finalizers, v1alpha2.FinalizerReplication) {
		return 0, c.control.setFinalizers(ctx, r, append(slices.Clone(r.Finalizers), v1alpha2.FinalizerReplication))
	}
	s := c.observe(r)
	work := c.work
	switch {
	case r.DeletionTimestamp != nil:
		work = c.syncDeletion
	case child.Paused(r):
		work = c.foresee
	}
	workErr := work(ctx, s)
	if errors.Is(workErr, errWritten) {
		return 0, nil
	}
	if err := errors.Join(workErr, c.syncStatus(ctx, s)); err != nil {
		return 0, err
	}
	c.schedule(s)
	return s.again, nil
}

// work makes what belongs to the Replication what it should be. One step that the API
// refuses keeps none of the others from being tried.
func (c *Controller) work(ctx context.Context, s *state) error {
	s.explain()
	var errs []error
	for _, step := range []func(context.Context, *state) error{c.syncRequest, c.syncAccounts, c.syncChannel, c.syncServices, c.syncLabels} {
		err := step(ctx, s)
		if errors.Is(err, errWritten) {
			return err
		}
		errs = append(errs, s.tolerate(err))
	}
	return errors.Join(errs...)
}

// syncStatus writes the status if it changed, and then reports what changed in it.
func (c *Controller) syncStatus(ctx context.Context, s *state) error {
	before := s.replication.Status
	computeStatus(s, c.clock.Now())
	if apiequality.Semantic.DeepEqual(before, s.status) {
		return nil
	}
	if err := c.control.patchStatus(ctx, s.replication, s.status); err != nil {
		return err
	}
	c.control.Events.Transitions(ctx, s.replication, before.Conditions, s.status.Conditions, c.clock.Now())
	return nil
}

// foresee is work without a write to anything but the status. Labels that contradict
// the recorded source wait, too: who paused has the word.
func (c *Controller) foresee(_ context.Context, s *state) error {
	s.explain()
	s.found.Because(v1alpha1.ReplicationPaused, "nothing of the topology is changed while the annotation %s is \"true\"; the members go on as they are",
		v1alpha2.AnnotationPaused)
	return nil
}
