// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// identityInput is what decides about the record of a unit's database.
type identityInput struct {
	recorded *v1alpha2.DataIdentity
	// reinit is the annotation's value.
	reinit string
	// emptyDir: the data dies with its pod. managed: a Replication holds it too.
	emptyDir, managed bool
	// seenPod is the pod that the status speaks of, pod the one there is; empty for
	// none.
	seenPod, pod types.UID
}

// identityPlan is what becomes of the record.
type identityPlan struct {
	// giveUp says why the record is given up now; empty to keep it.
	giveUp string
	// accept is the system id whose loss is accepted on request. The record stays
	// until the agent reports what came in its place.
	accept string
	// dropAnnotation: the request is done, or was for other data.
	dropAnnotation bool
}

// planIdentity decides when a unit that had a database may be given an empty one:
// on request by the very system id, or when it lay on an emptyDir that is gone and
// nobody else can bring it back.
func planIdentity(in identityInput) identityPlan {
	if in.recorded == nil || in.recorded.SystemID == "" {
		return identityPlan{}
	}
	switch {
	case in.emptyDir && !in.managed && in.pod != in.seenPod:
		return identityPlan{giveUp: "it lay on an emptyDir and went with its pod"}
	case in.reinit == "":
		return identityPlan{}
	case in.reinit == in.recorded.SystemID:
		return identityPlan{accept: in.reinit}
	}
	return identityPlan{dropAnnotation: true}
}

// expectedData is what an agent is told to expect; nil if an empty volume may be
// initialised.
func expectedData(recorded *v1alpha2.DataIdentity) *agentclient.DataIdentity {
	if recorded == nil || recorded.SystemID == "" {
		return nil
	}
	return &agentclient.DataIdentity{
		SystemID:       recorded.SystemID,
		ClaimUIDs:      recorded.ClaimUIDs,
		DataGeneration: recorded.DataGeneration,
		Virgin:         recorded.Virgin,
	}
}

// learnData makes the record of what an agent reports of a server that runs. Data
// that took the place of other data is believed only where that was allowed: where
// none is recorded, where what was recorded held nothing or its loss was accepted,
// or in a newer generation.
func learnData(recorded *v1alpha2.DataIdentity, reported *agentclient.DataIdentity, accepted string, claims map[string]types.UID) *v1alpha2.DataIdentity {
	if reported == nil || reported.SystemID == "" {
		return recorded
	}
	next := &v1alpha2.DataIdentity{
		SystemID: reported.SystemID, ClaimUIDs: claims, DataGeneration: reported.DataGeneration, Virgin: reported.Virgin,
	}
	if len(next.ClaimUIDs) == 0 {
		next.ClaimUIDs = nil
	}
	if recorded == nil {
		return next
	}
	generation := recorded.DataGeneration
	if recorded.SystemID != "" && recorded.SystemID != reported.SystemID {
		if recorded.SystemID != accepted && !recorded.Virgin && reported.DataGeneration <= recorded.DataGeneration {
			return recorded
		}
		if recorded.SystemID == accepted {
			generation++
		}
	}
	next.DataGeneration = max(next.DataGeneration, generation)
	return next
}

// syncIdentity gives up the record of the data where that is due. It is in the
// status, or was asked for in an annotation, before any agent hears of it.
func (c *Controller) syncIdentity(ctx context.Context, s *state) error {
	in := identityInput{
		recorded: s.status.DataIdentity,
		reinit:   s.unit.Annotations[v1alpha2.AnnotationReinit],
		emptyDir: s.blueprint != nil && s.blueprint.emptyDir,
		managed:  s.member.Owner != nil,
		seenPod:  s.status.PodUID,
	}
	if s.pod != nil {
		in.pod = s.pod.UID
	}
	if s.member.Contested() {
		in.reinit = ""
	}
	plan := planIdentity(in)
	s.accepted = plan.accept
	if plan.dropAnnotation {
		if err := c.control.patchUnit(ctx, s.unit, map[string]any{"annotations": map[string]any{v1alpha2.AnnotationReinit: nil}}, nil); err != nil {
			return err
		}
		c.control.events.normal(s.unit, ReasonReinitDone, actionReconcile,
			"Annotation %s=%s is removed: the unit's database is %s", v1alpha2.AnnotationReinit, in.reinit, in.recorded.SystemID)
		return errWritten
	}
	if plan.giveUp == "" {
		return nil
	}
	s.status.DataIdentity = &v1alpha2.DataIdentity{DataGeneration: in.recorded.DataGeneration + 1}
	s.statusFirst = true
	s.events = append(s.events, func() {
		c.control.events.warning(s.unit, ReasonDataGivenUp, actionReconcile,
			"Database %s is given up: %s; an empty one is initialised", in.recorded.SystemID, plan.giveUp)
	})
	return nil
}
