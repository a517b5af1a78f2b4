// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// unseenRecheck is how soon a pod that the cache does not show is looked at again: one
// that has lost our label raises no event here.
const unseenRecheck = 5 * time.Second

// syncDeletion of a Unit: the server stops at its own pace while all it needs is
// still there, then the claims go if they are to, then the Unit.
func (c *Controller) syncDeletion(ctx context.Context, unit *slim.Unit) (again time.Duration, err error) {
	if !slices.Contains(unit.Finalizers, v1alpha2.FinalizerUnit) {
		return 0, nil
	}
	s := c.observe(unit)
	// Who orphans the children wants them to live on.
	if !slices.Contains(unit.Finalizers, metav1.FinalizerOrphanDependents) {
		if child.Paused(unit) {
			s.found[v1alpha2.ConditionPaused] = child.PausedWhile("the deletion waits")
			if err := c.syncEndWhilePaused(ctx, s); errors.Is(err, errWritten) {
				return 0, nil
			} else if err != nil {
				return 0, err
			}
			return 0, c.syncStatus(ctx, s)
		}
		gone, err := c.stopPod(ctx, s)
		if errors.Is(err, errWritten) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if !gone {
			return s.again, c.syncStatus(ctx, s)
		}
		if err := c.leaveClaims(ctx, s); err != nil {
			return 0, err
		}
	}
	c.cfg.Agents.Forget(unit.Status.PodUID)
	_, err = c.control.units.RemoveFinalizer(ctx, unit, unit, v1alpha2.FinalizerUnit)
	return 0, err
}

// stopPod deletes the pod and says whether it is gone. What the cache does not
// show is asked of the API once: after this nobody looks again.
func (c *Controller) stopPod(ctx context.Context, s *state) (gone bool, err error) {
	if s.pod == nil {
		live, err := c.control.readPod(ctx, s.unit)
		if err != nil {
			return false, err
		}
		if live == nil {
			err := c.syncVanished(ctx, s)
			return err == nil && !s.found.Has(v1alpha2.ConditionPodEndUnproven), err
		}
		if c.control.pods.CheckOurs(s.unit, live) != nil {
			return true, nil
		}
		s.pod = slim.FromPod(live)
		s.retryAfter(unseenRecheck)
	}
	if s.pod.DeletionTimestamp != nil {
		return false, c.syncEnd(ctx, s)
	}
	return false, c.control.pods.DeleteLoudly(ctx, s.unit, s.pod.Name, s.pod.UID, "the Unit is being deleted")
}

// leaveClaims deletes the claims, or makes sure that they stay.
func (c *Controller) leaveClaims(ctx context.Context, s *state) error {
	for _, t := range s.unit.Claims {
		claim := s.claims[t.Name]
		if claim == nil || claim.DeletionTimestamp != nil {
			continue
		}
		if s.unit.WhenDeleted == v1alpha2.DeleteClaims {
			if err := c.control.claims.DeleteLoudly(ctx, s.unit, claim.Name, claim.UID, "the Unit is being deleted and whenDeleted is Delete"); err != nil {
				return err
			}
			continue
		}
		if ownerref.ControlledBy(claim, s.unit) {
			refs, _ := claimOwners(s.unit, claim)
			if _, _, err := c.control.claims.Patch(ctx, s.unit, claim, map[string]any{"ownerReferences": refs}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
