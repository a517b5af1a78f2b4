// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

// foresee is work without a write, but that pods which have ended may go: it reads, and
// asks the agent.
func (c *Controller) foresee(ctx context.Context, s *state) error {
	s.found[v1alpha2.ConditionPaused] = child.PausedWhile("nothing of the unit is changed")
	if reinit := s.unit.Annotations[v1alpha2.AnnotationReinit]; s.standing && s.status.DataIdentity != nil && s.status.DataIdentity.SystemID == reinit {
		s.accepted = reinit
	}
	for _, step := range []func(context.Context, *state) error{c.syncReferences, c.syncEndWhilePaused, c.syncBlueprint, c.syncConfig, c.followAgent} {
		if err := step(ctx, s); err != nil {
			return err
		}
	}
	if s.outdated() {
		s.found.Because(v1alpha2.ConditionUpdatePending, "the pod was made from an older template; the unit is paused")
	}
	return nil
}

// followAgent asks an agent that has answered before, as syncAgent does.
func (c *Controller) followAgent(ctx context.Context, s *state) error {
	since, up := agentUp(s.pod)
	if !up || s.unit.OwnCommand || !s.answered() {
		return nil
	}
	s.offer = c.offer(s)
	return c.listen(ctx, s, since)
}
