// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/conditions"
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
		Virgin:         recorded.Virgin, //nolint:staticcheck // Agents of before the field pristine know no other.
		Pristine:       recorded.Pristine,
		HighestVersion: recorded.HighestVersion,
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
		SystemID: reported.SystemID, ClaimUIDs: claims, DataGeneration: reported.DataGeneration,
		Virgin: reported.Virgin, Pristine: reported.Pristine, HighestVersion: reported.HighestVersion, //nolint:staticcheck // Agents of before the field pristine know no other.
	}
	if len(next.ClaimUIDs) == 0 {
		next.ClaimUIDs = nil
	}
	if recorded == nil {
		return next
	}
	generation := recorded.DataGeneration
	if recorded.SystemID != "" && recorded.SystemID != reported.SystemID {
		if recorded.SystemID != accepted && !ptr.Deref(recorded.Pristine, false) && reported.DataGeneration <= recorded.DataGeneration {
			return recorded
		}
		if recorded.SystemID == accepted {
			generation++
		}
	}
	next.DataGeneration = max(next.DataGeneration, generation)
	if next.HighestVersion == "" && recorded.SystemID == reported.SystemID {
		next.HighestVersion = recorded.HighestVersion
	}
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
	s.identified = true
	s.accepted = plan.accept
	if plan.dropAnnotation {
		return c.dropReinit(ctx, s, fmt.Sprintf("the unit's database is %s", in.recorded.SystemID))
	}
	if message := s.reinitAccepted(); s.accepted != "" {
		if old := meta.FindStatusCondition(s.unit.Status.Conditions, v1alpha2.ConditionReinitAccepted); old == nil || old.Message != message {
			// Before the agent hears of it: who takes the annotation away again must be
			// sure that the agent hears of that, too.
			err := c.record(ctx, s, func(status *v1alpha2.UnitStatus) {
				conditions.Set(&status.Conditions, v1alpha2.ConditionReinitAccepted, metav1.ConditionTrue, v1alpha2.ConditionReinitAccepted, message, s.unit.Generation, c.cfg.Clock.Now())
				status.ConfigSyncStatus.AppliedGeneration = 0
			})
			if err != nil {
				return err
			}
			return errWritten
		}
	}
	if plan.giveUp == "" {
		return nil
	}
	s.status.DataIdentity = &v1alpha2.DataIdentity{DataGeneration: in.recorded.DataGeneration + 1}
	s.statusFirst = true
	s.events = append(s.events, func() {
		c.control.Events.Warning(s.unit, v1alpha2.ReasonDataGivenUp, actionReconcile,
			"Database %s is given up: %s; an empty one is initialised", in.recorded.SystemID, plan.giveUp)
	})
	return nil
}

// reinitAccepted is what the condition of that name says.
func (s *state) reinitAccepted() string {
	if s.accepted == "" {
		return "the permission to give up the unit's database is being taken back"
	}
	return fmt.Sprintf("annotation %s allows that database %s is given up for an empty one where its volume does not hold it; this ends when that database is seen to run, or with the annotation",
		v1alpha2.AnnotationReinit, s.accepted)
}

// reinitIsVoid says whether the database whose loss is accepted is there and runs. The
// permission must not outlive that: months later it would let an empty database take
// the place of a lost one in silence.
func (s *state) reinitIsVoid() bool {
	return s.accepted != "" && s.fresh && databaseReady(s.pod) && s.agent.State == agentclient.StateRunning &&
		s.agent.Data != nil && s.agent.Data.SystemID == s.accepted
}

// dropReinit takes the annotation off. The agent is told by the next sync.
func (c *Controller) dropReinit(ctx context.Context, s *state, why string) error {
	value := s.unit.Annotations[v1alpha2.AnnotationReinit]
	if err := c.control.patchUnit(ctx, s.unit, child.Annotation(v1alpha2.AnnotationReinit, nil), nil); err != nil {
		return err
	}
	c.control.Events.Normal(s.unit, v1alpha2.ReasonReinitDone, actionReconcile, "Annotation %s=%s is removed: %s", v1alpha2.AnnotationReinit, value, why)
	return errWritten
}
