// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// syncRevision settles which revision units are to have, and stores it.
func (c *Controller) syncRevision(ctx context.Context, s *state) error {
	decision := s.decide()
	if decision.update != nil {
		s.useRevision(decision.update)
	}
	switch {
	case decision.bump:
		_, _, err := c.control.revisions.Patch(ctx, s.set, decision.update, nil, map[string]any{"revision": nextRevisionNumber(s.revisions)})
		return s.absorb(err)
	case decision.cut:
		// Until it is stored.
		waiting := s.waiting
		s.waiting, s.pending = true, true
		r, err := newRevision(s.set, s.candidate, s.inputsHash, nextRevisionNumber(s.revisions))
		if err != nil {
			return err
		}
		err = c.control.createRevision(ctx, s.set, r)
		if _, collision := errors.AsType[*collisionError](err); collision {
			// Another name for the same content: the status that counts it brings
			// the next sync.
			s.collisions = new(deref(s.collisions) + 1)
			return nil
		}
		if err := s.absorb(err); err != nil {
			return err
		}
		if s.holdOnConflict() {
			return nil
		}
		s.waiting, s.pending = waiting, false
		stored, err := slim.FromObject(r)
		if err != nil {
			return err
		}
		cut, _ := newObservedRevision(s.set, stored)
		s.useRevision(cut)
		s.data[r.Name] = s.candidate.data
	}
	return nil
}

// syncConfigTemplate keeps the ConfigMap of configuration templates.
func (c *Controller) syncConfigTemplate(ctx context.Context, s *state) error {
	name := configTemplateRevision(s.current, s.update)
	want := configTemplate(s.set, name)
	if have := s.configMaps[*want.Name]; s.ours(have) && sameConfigTemplate(have, want) {
		return nil
	}
	data, err := c.revisionData(ctx, s, name)
	if err != nil {
		return err
	}
	err = s.absorb(c.control.configMaps.Apply(ctx, s.set, withFiles(want, data), s.configMaps[*want.Name] != nil))
	s.holdOnConflict()
	return err
}

// syncHeadlessService keeps the Service that gives units their names: they do
// without the others, not without these.
func (c *Controller) syncHeadlessService(ctx context.Context, s *state) error {
	err := c.syncService(ctx, s, headlessService(s.set, s.ports))
	s.holdOnConflict()
	return err
}

func (c *Controller) syncService(ctx context.Context, s *state, want *corev1ac.ServiceApplyConfiguration) error {
	have := s.services[*want.Name]
	if s.ours(have) && sameService(have, want) {
		return nil
	}
	return s.absorb(c.control.services.Apply(ctx, s.set, want, have != nil))
}

// syncServices keeps the Services of clients, and deletes those that the spec no
// longer asks for.
func (c *Controller) syncServices(ctx context.Context, s *state) error {
	var failures child.Failures
	names := map[string]bool{headlessServiceName(s.set.Name): true}
	clients := clientsOf(s.units, s.members)
	for _, want := range clientServices(s.set, s.ports, s.serviceOrdinals(), clients.selector) {
		names[*want.Name] = true
		if clients.unsettled && *want.Name == externalServiceName(s.set.Name) {
			continue
		}
		if !failures.Tolerate(c.syncService(ctx, s, want)) {
			return failures.Err()
		}
	}
	for name, have := range s.services {
		if s.ours(have) && have.DeletionTimestamp == nil && !names[name] && !failures.Tolerate(c.control.services.Delete(ctx, s.set, name, have.UID, "the spec does not ask for it", nil)) {
			break
		}
	}
	return failures.Err()
}

// syncPDB keeps the disruption budget.
func (c *Controller) syncPDB(ctx context.Context, s *state) error {
	want := wantedPDB(s.set, s.stoppedUnits())
	switch {
	case want == nil && s.ours(s.pdb) && s.pdb.DeletionTimestamp == nil:
		return c.control.pdbs.Delete(ctx, s.set, s.set.Name, s.pdb.UID, "fewer than two units are wanted", nil)
	case want == nil || s.ours(s.pdb) && samePDB(s.pdb, want):
		return nil
	default:
		return s.absorb(c.control.pdbs.Apply(ctx, s.set, want, s.pdb != nil))
	}
}

// syncUnits makes, labels and removes Units.
func (c *Controller) syncUnits(ctx context.Context, s *state) error {
	pins, err := nodePins(s.set)
	if err != nil {
		s.found.Because(v1alpha2.ConditionInvalidNodeNameMap, "%v", err)
		s.waiting = true
	}
	mayCreate := !s.waiting && s.update != ""
	plan := planUnits(s.set, s.units, s.members, s.operations, mayCreate)

	return child.Each([]func() error{
		func() error {
			return child.Each(plan.patch, func(change unitChange) error {
				_, err := c.control.patchUnit(ctx, s.set, change.unit, change.metadata, change.spec)
				return s.absorb(err)
			})
		},
		func() error { return c.createUnits(ctx, s, plan.create, pins) },
		func() error { return c.healConfigValues(ctx, s) },
		func() error {
			if err != nil {
				// A pin that cannot be read is none that was taken away.
				return nil
			}
			return c.healUnits(ctx, s, pins)
		},
		func() error { return c.removeUnit(ctx, s, plan) },
	}, func(step func() error) error { return step() })
}

// healConfigValues makes the ConfigMaps of values anew that units are without:
// what was in them is gone, but a unit that waits for one would never start again.
func (c *Controller) healConfigValues(ctx context.Context, s *state) error {
	without := slices.DeleteFunc(slices.Clone(s.units), func(u *observedUnit) bool {
		return u.DeletionTimestamp != nil || u.Ordinal >= wantedUnits(s.set) || s.configMaps[configValueName(u.Name)] != nil
	})
	if s.update == "" || len(without) == 0 {
		return nil
	}
	data, err := c.revisionData(ctx, s, s.update)
	if err != nil {
		return err
	}
	return child.Each(without, func(u *observedUnit) error {
		return s.absorb(c.createConfigValue(ctx, s, u.Ordinal, data))
	})
}

func (c *Controller) createConfigValue(ctx context.Context, s *state, ordinal int32, data *revision.Data) error {
	value, err := newConfigValue(s.set, ordinal, data)
	if err != nil {
		return err
	}
	_, _, err = c.control.configMaps.Create(ctx, s.set, value)
	return err
}

// createUnits in growing batches: when a quota or a bug refuses units, it costs
// one call and not one for each.
func (c *Controller) createUnits(ctx context.Context, s *state, ordinals []int32, pins map[string]string) error {
	if len(ordinals) == 0 {
		return nil
	}
	// Read before the batches, which run at once.
	for _, ordinal := range ordinals {
		if _, err := c.revisionData(ctx, s, s.revisionOfNewUnit(ordinal)); err != nil {
			return err
		}
	}
	made := make([]string, len(ordinals))
	errs := slowStart(len(ordinals), func(i int) error {
		ordinal := ordinals[i]
		name := s.revisionOfNewUnit(ordinal)
		data := s.data[name]
		// Of one that is somebody else's this says so.
		if !s.ours(s.configMaps[configValueName(unitName(s.set.Name, ordinal))]) {
			if err := c.createConfigValue(ctx, s, ordinal, data); err != nil {
				return err
			}
		}
		unit, err := newUnit(s.set, name, data, ordinal, pins[unitName(s.set.Name, ordinal)], c.cfg.ClusterDomain)
		if err != nil {
			return err
		}
		_, created, err := c.control.units.Create(ctx, s.set, unit)
		if created {
			made[i] = unit.Name
		}
		return err
	})
	// One event for all of them.
	if made = slices.DeleteFunc(made, func(name string) bool { return name == "" }); len(made) > 0 {
		c.control.Events.Normal(s.set, v1alpha2.ReasonSuccessfulCreate, child.ActionCreate, "Created Units %s", list(made))
	}
	for i, err := range errs {
		errs[i] = s.absorb(err)
	}
	s.waiting = len(errs) > 0
	return errors.Join(errs...)
}

// removeUnit takes the steps of a scale down that are due.
func (c *Controller) removeUnit(ctx context.Context, s *state, plan unitPlan) error {
	if u := plan.evacuate; u != nil {
		if _, err := c.control.patchUnit(ctx, s.set, u, child.Annotation(v1alpha2.AnnotationEvacuate, v1alpha2.EvacuateRemove), nil); err != nil {
			return err
		}
	}
	if u := plan.waiting; u != nil {
		if u.DeletionTimestamp != nil {
			s.explainRemoval(u)
		} else {
			s.explainWait(u)
		}
	}
	if u := plan.remove; u != nil {
		if current, err := c.control.isCurrent(ctx, s.set); err != nil || !current {
			return err
		}
		if !hibernating(s.set) {
			cleared, err := c.cleared(ctx, s, u, v1alpha1.EvacuationRemove)
			if err != nil {
				return err
			}
			if !cleared.granted {
				s.found.Add(v1alpha2.ConditionScalingDown, cleared.because.Reason, "%s", cleared.because.Message)
				return nil
			}
		}
		call, err := c.control.readHolder(ctx, s.set, u)
		if err != nil {
			return err
		}
		if call != nil {
			s.operations[u.Name] = call
			s.explainWait(u)
			return nil
		}
		s.explainRemoval(u)
		return c.control.deleteUnit(ctx, s.set, u, whenScaled(s.set), s.found[v1alpha2.ConditionScalingDown].Message)
	}
	return nil
}

// syncHistory deletes old revisions that nothing uses.
func (c *Controller) syncHistory(ctx context.Context, s *state) error {
	return child.Each(surplusRevisions(s.revisions, s.units, s.update, s.current), func(r *observedRevision) error {
		return c.control.revisions.Delete(ctx, s.set, r.Name, r.UID, "no unit uses it and newer ones are kept", nil)
	})
}

// revisionData is what a revision stores, read at most once a sync.
func (c *Controller) revisionData(ctx context.Context, s *state, name string) (*revision.Data, error) {
	if data := s.data[name]; data != nil {
		return data, nil
	}
	data, err := c.cfg.Revisions.Get(ctx, cache.NewObjectName(s.set.Namespace, name), func(obj metav1.Object) error {
		return c.control.revisions.CheckOurs(s.set, obj)
	})
	if err != nil {
		if lost, ok := errors.AsType[*revision.LostError](err); ok {
			s.found.Because(v1alpha2.ConditionRevisionLost,
				"%v; it is needed until every unit has revision %s", lost, s.update)
		}
		return nil, err
	}
	s.data[name] = data
	return data, nil
}

// holdOnConflict makes no units if a name that they need belongs to somebody
// else. It is called right after that name was asked for.
func (s *state) holdOnConflict() bool {
	_, conflict := s.found[v1alpha2.ConditionNameConflict]
	s.waiting = s.waiting || conflict
	return conflict
}

// absorb turns what a condition explains into that condition. What is left is an
// error of the sync.
func (s *state) absorb(err error) error {
	if err == nil {
		return nil
	}
	if apierrors.IsInvalid(err) && !child.IsGone(err) {
		s.found.Add(v1alpha2.ConditionInvalidSpec, v1alpha2.ReasonRefused, "the API server refuses what the spec asks for: %v", err)
		return err
	}
	child.Explain(s.found, err)
	if _, conflict := child.AsNameConflict(err); conflict {
		return nil
	}
	return err
}
