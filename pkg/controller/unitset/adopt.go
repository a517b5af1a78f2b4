// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"cmp"
	"context"
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// What belongs to a set is what carries its labels. Owner references serve the
// garbage collector only: an object whose set was deleted with --cascade=orphan
// has none, and is taken over by the next set of that name, as a StatefulSet takes
// over pods.

// adoptable says whether an object that nobody controls carries the labels of the
// set, and is of the set's type.
func adoptable(set *v1alpha2.UnitSet, obj metav1.Object) bool {
	labels := obj.GetLabels()
	if metav1.GetControllerOfNoCopy(obj) != nil || !contains(labels, selectorOf(set)) || labels[v1alpha2.LabelType] != string(set.Spec.Type) {
		return false
	}
	switch o := obj.(type) {
	case *v1alpha2.Unit:
		if slim.SetOf(o) != set.Name {
			return false // no set made it
		}
		c := slim.DatabaseContainer(&o.Spec.Template.Spec)
		return c != nil && c.Name == string(set.Spec.Type)
	case *slim.Unit:
		return o.Type == set.Spec.Type && slim.SetOf(o) == set.Name
	default:
		return true
	}
}

// adoptOrphans takes over Units, revisions and values of an earlier set of this
// name. What is applied (Services, templates, the disruption budget) gets its owner
// when it is applied. adopted tells that there were any: the caches do not show yet
// that they are the set's.
func (c *Controller) adoptOrphans(ctx context.Context, s *state) (adopted bool, err error) {
	if len(s.orphans) == 0 {
		return false, nil
	}
	// The cache may be late: an older set of this name may have left them to a
	// newer one.
	if alive, err := c.control.isAlive(ctx, s.set); err != nil || !alive {
		return false, err
	}
	var errs []error
	for _, o := range s.orphans {
		done, err := c.control.adopt(ctx, s.set, o)
		adopted = adopted || done
		errs = append(errs, s.absorb(err))
	}
	return adopted, errors.Join(errs...)
}

// orphan is an object to take over.
type orphan struct {
	metav1.Object
	kind child.Kind
}

// observeOrphans that the set may take over; Units last, so that what they need is
// the set's by then. One that is being deleted is left to end.
func observeOrphans(set *v1alpha2.UnitSet, units []*slim.Unit, revisions, configMaps []*slim.Object) []orphan {
	configMaps = slices.DeleteFunc(slices.Clone(configMaps), func(cm *slim.Object) bool { return !isConfigValue(set, cm.Name) })
	units = slices.DeleteFunc(slices.Clone(units), func(u *slim.Unit) bool {
		_, ok := ordinalOf(set.Name, u.Name)
		return !ok
	})
	return slices.Concat(
		orphansAmong(set, kindRevision, revisions),
		orphansAmong(set, kindConfigMap, configMaps),
		orphansAmong(set, kindUnit, units),
	)
}

func orphansAmong[T metav1.Object](set *v1alpha2.UnitSet, kind child.Kind, objects []T) []orphan {
	var orphans []orphan
	for _, obj := range objects {
		if obj.GetDeletionTimestamp() == nil && adoptable(set, obj) {
			orphans = append(orphans, orphan{obj, kind})
		}
	}
	slices.SortFunc(orphans, func(a, b orphan) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return orphans
}
