// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// annotationMade of a Unit is the hash of what a set wrote into it that nobody else is to
// change: else the next pod would be another one than the set asks for, and the set would
// say that it is as asked.
const annotationMade = "unit-operator.io/made"

// madeOf a template, by its hash, and the ConfigMaps of a unit's configuration.
func madeOf(template, shared, templates, values string) string {
	return slim.ContentHash([]string{template, shared, templates, values})
}

func madeOfSpec(spec *v1alpha2.UnitSpec) string {
	return madeOf(slim.TemplateHash(&spec.Template), spec.SharedConfigName, spec.ConfigTemplateName, spec.ConfigValueName)
}

// edited says whether somebody changed what the set wrote into a unit. One that an older
// operator made has no record of it.
func edited(u *observedUnit) bool {
	made := u.Annotations[annotationMade]
	return made != "" && made != madeOf(u.TemplateHash, u.SharedConfigName, u.ConfigTemplateName, u.ConfigValueName)
}

// healUnits writes into units again what somebody changed: from their own revisions, with
// the cpu and memory that they have.
func (c *Controller) healUnits(ctx context.Context, s *state, pins map[string]string) error {
	return child.Each(s.units, func(u *observedUnit) error {
		name := u.Annotations[v1alpha2.AnnotationRevision]
		if !edited(u) || u.DeletionTimestamp != nil || !revisionNamed(s.revisions, name) {
			return nil
		}
		return c.healUnit(ctx, s, u, name, pins[u.Name])
	})
}

func (c *Controller) healUnit(ctx context.Context, s *state, u *observedUnit, revision, pin string) error {
	data, err := c.revisionData(ctx, s, revision)
	if err != nil {
		return err
	}
	want, err := newUnit(s.set, revision, data, u.Ordinal, pin, c.cfg.ClusterDomain)
	if err != nil {
		return err
	}
	live, there, err := c.control.units.Get(ctx, s.set, u.Name)
	if err != nil || !there {
		return err
	}
	if has := slim.DatabaseContainer(&live.Spec.Template.Spec); has != nil {
		slim.DatabaseContainer(&want.Spec.Template.Spec).Resources = *has.Resources.DeepCopy()
	}
	live.Spec.Template, live.Spec.SharedConfigName = want.Spec.Template, data.Inputs.SharedConfigName
	live.Spec.ConfigTemplateName, live.Spec.ConfigValueName = want.Spec.ConfigTemplateName, want.Spec.ConfigValueName
	metav1.SetMetaDataAnnotation(&live.ObjectMeta, annotationMade, madeOfSpec(&live.Spec))
	before := live.ResourceVersion
	written, err := c.control.units.Replace(ctx, s.set, live)
	if err != nil || written.ResourceVersion != before {
		return s.absorb(err)
	}
	// It was as it should be: the API server writes it in another way.
	_, err = c.control.patchUnit(ctx, s.set, u, child.Annotation(annotationMade, madeOfSpec(&written.Spec)), nil)
	return err
}
