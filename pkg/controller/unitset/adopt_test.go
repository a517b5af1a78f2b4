// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

// orphan the children of the set and delete it, as the garbage collector does for
// --cascade=orphan.
func (w *world) orphan() {
	w.t.Helper()
	for _, o := range w.allChildren() {
		o.(metav1.Object).SetOwnerReferences(nil)
		w.Given(o)
	}
	w.Erase(w.set())
	w.settle()
}

func (w *world) allChildren() []runtime.Object {
	var all []runtime.Object
	for _, o := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		all = append(all, o)
	}
	for _, o := range controllertest.All[*corev1.Service](w.APIServer) {
		all = append(all, o)
	}
	for _, o := range controllertest.All[*corev1.ConfigMap](w.APIServer) {
		all = append(all, o)
	}
	for _, o := range controllertest.All[*appsv1.ControllerRevision](w.APIServer) {
		all = append(all, o)
	}
	for _, o := range controllertest.All[*policyv1.PodDisruptionBudget](w.APIServer) {
		all = append(all, o)
	}
	return all
}

// unapplied takes out the hash of what was applied, in which the owner's UID is.
func unapplied(objects map[string]any) map[string]any {
	for _, o := range objects {
		delete(o.(metav1.Object).GetAnnotations(), annotationApplied)
	}
	return objects
}

func (w *world) unitUIDs() map[string]types.UID {
	out := map[string]types.UID{}
	for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		out[u.Name] = u.UID
	}
	return out
}

func TestAdopt(t *testing.T) {
	t.Run("a set made again takes over all that was orphaned", func(t *testing.T) {
		w := newWorld(t, newSet(withServices))
		w.settleUnits()
		uids, objects := w.unitUIDs(), w.objects()
		w.orphan()
		w.Written()
		w.said()
		w.Given(newSet(withServices))
		w.settleUnits()
		if d := cmp.Diff(uids, w.unitUIDs()); d != "" {
			t.Errorf("units: -before +after:\n%s", d)
		}
		if d := cmp.Diff(unapplied(objects), unapplied(w.objects())); d != "" {
			t.Errorf("objects: -before +after:\n%s", d)
		}
		for _, o := range w.allChildren() {
			if !metav1.IsControlledBy(o.(metav1.Object), w.set()) {
				t.Errorf("%T %s is not the set's", o, o.(metav1.Object).GetName())
			}
		}
		for _, write := range w.Written() {
			if strings.HasPrefix(write, "delete ") || strings.HasPrefix(write, "create ") {
				t.Errorf("it wrote: %s", write)
			}
		}
		w.wantNoCondition(v1alpha2.ConditionNameConflict)
		w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
		if said := strings.Join(w.said(), "\n"); strings.Count(said, v1alpha2.ReasonAdopted+" Adopted Unit orders-") != 3 {
			t.Errorf("events: %s", said)
		}
	})

	t.Run("a set of fewer units takes over all and scales down", func(t *testing.T) {
		w := newWorld(t, newSet())
		w.settleUnits()
		w.orphan()
		w.Given(newSet(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) }))
		w.settleUnits()
		if d := cmp.Diff([]string{"orders-0", "orders-1"}, unitNames(w)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})

	t.Run("a set of another type touches nothing and says why", func(t *testing.T) {
		w := newWorld(t, newSet())
		w.settleUnits()
		w.orphan()
		before := w.unitUIDs()
		versions := map[string]string{}
		for _, o := range w.allChildren() {
			versions[controllertest.Resource(o)+"/"+o.(metav1.Object).GetName()] = o.(metav1.Object).GetResourceVersion()
		}
		w.packages.Install("postgresql-17", "postgresql", "postgres:$(VERSION)")
		w.Given(newSet(func(set *v1alpha2.UnitSet) { set.Spec.Type, set.Spec.Version = v1alpha2.UnitTypePostgreSQL, "17.5" }))
		for range 5 {
			if _, err := w.sync(); err != nil {
				t.Fatal(err)
			}
		}
		w.wantCondition(v1alpha2.ConditionNameConflict, v1alpha2.ConditionNameConflict, "earlier UnitSet", "of type mysql")
		if d := cmp.Diff(before, w.unitUIDs()); d != "" {
			t.Errorf("units: -before +after:\n%s", d)
		}
		for _, o := range w.allChildren() {
			name := controllertest.Resource(o) + "/" + o.(metav1.Object).GetName()
			if was, there := versions[name]; there && was != o.(metav1.Object).GetResourceVersion() {
				t.Errorf("%s was changed", name)
			}
		}
	})

	t.Run("a set that is being deleted takes over nothing", func(t *testing.T) {
		w := newWorld(t, newSet())
		w.settleUnits()
		w.orphan()
		w.Given(newSet())
		w.refresh()
		// The cache has not seen yet that it is being deleted.
		set := w.set()
		set.DeletionTimestamp = new(metav1.NewTime(w.clock.Now()))
		set.Finalizers = []string{v1alpha2.FinalizerUnitSet}
		w.Given(set)
		stale := set.DeepCopy()
		stale.DeletionTimestamp = nil
		adopted, err := w.controller.adoptOrphans(t.Context(), w.controller.observeChildren(stale))
		if adopted || err != nil {
			t.Errorf("adopted: %t, error: %v", adopted, err)
		}
	})

	t.Run("an object that changed since is not taken over", func(t *testing.T) {
		w := newWorld(t, newSet())
		w.settleUnits()
		w.orphan()
		w.Given(newSet())
		w.refresh()
		s := w.controller.observeChildren(w.set())
		controllertest.Edit(w.APIServer, "orders-1", func(u *v1alpha2.Unit) {
			u.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Other", Name: "other", UID: "other", Controller: new(true)}}
		})
		if _, err := w.controller.adoptOrphans(t.Context(), s); err == nil {
			t.Error("no conflict")
		}
		if got := w.unit(1).OwnerReferences; len(got) != 1 || got[0].Name != "other" {
			t.Errorf("owners: %v", got)
		}
	})
}
