// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func pause(set *v1alpha2.UnitSet) {
	set.Annotations = map[string]string{v1alpha2.AnnotationPaused: "true"}
}

// childWrites are those that are not of the set's own status and finalizer.
func childWrites(writes []string) []string {
	return slices.DeleteFunc(writes, func(write string) bool { return strings.Contains(write, " unitsets/") })
}

func TestPaused(t *testing.T) {
	t.Run("writes no child, whatever changes, and keeps the status up to date", func(t *testing.T) {
		w := newWorld(t, newSet(withServices))
		w.settleUnits()
		w.edit(pause)
		w.settle()
		w.Written()
		w.edit(func(set *v1alpha2.UnitSet) {
			set.Spec.Units, set.Spec.Version, set.Spec.ExternalService = new(int32(1)), "8.4.7", nil
			set.Labels = map[string]string{"team": "shop"}
		})
		w.Erase(controllertest.Must[*corev1.Service](w.APIServer, "orders-0-svc"))
		controllertest.Edit(w.APIServer, "orders-1", func(u *v1alpha2.Unit) { u.Status.Phase = v1alpha2.UnitRunning })
		w.settle()
		if writes := childWrites(w.Written()); len(writes) > 0 {
			t.Errorf("paused it writes %v", writes)
		}
		w.wantCondition(v1alpha2.ConditionPaused, v1alpha2.ConditionPaused, v1alpha2.AnnotationPaused)
		status := w.set().Status
		if status.ReadyUnits != 2 || status.ObservedGeneration != w.set().Generation || status.UnitImageSynced != v1alpha2.NotSynced {
			t.Errorf("the status is %+v", status)
		}
		if c := w.condition(v1alpha2.ConditionProgressing); c.Status != metav1.ConditionFalse || c.Reason != v1alpha2.ConditionPaused {
			t.Errorf("Progressing is %+v", c)
		}

		w.edit(func(set *v1alpha2.UnitSet) { set.Annotations = nil })
		w.settleUnits()
		w.wantNoCondition(v1alpha2.ConditionPaused)
		if d := cmp.Diff([]string{"orders-0"}, unitNames(w)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})

	t.Run("a new set makes nothing", func(t *testing.T) {
		w := newWorld(t, newSet(pause))
		w.settle()
		if writes := childWrites(w.Written()); len(writes) > 0 {
			t.Errorf("paused it writes %v", writes)
		}
		w.wantCondition(v1alpha2.ConditionPaused, v1alpha2.ConditionPaused)
	})

	t.Run("adopts nothing", func(t *testing.T) {
		w := newWorld(t, newSet())
		w.settleUnits()
		w.orphan()
		w.Given(newSet(pause))
		w.Written()
		w.settle()
		if writes := childWrites(w.Written()); len(writes) > 0 {
			t.Errorf("paused it writes %v", writes)
		}
	})

	t.Run("a deletion waits", func(t *testing.T) {
		w := newWorld(t, newSet())
		w.settleUnits()
		w.edit(pause)
		w.settle()
		w.Delete(w.set())
		w.Written()
		w.settle()
		if writes := childWrites(w.Written()); len(writes) > 0 {
			t.Errorf("paused it writes %v", writes)
		}
		w.wantCondition(v1alpha2.ConditionPaused, v1alpha2.ConditionPaused, "the deletion waits")
		w.edit(func(set *v1alpha2.UnitSet) { set.Annotations = nil })
		w.settleUnits()
		if _, there := controllertest.Get[*v1alpha2.UnitSet](w.APIServer, "orders"); there {
			t.Error("the set is still there")
		}
	})
}

func TestNotActedOn(t *testing.T) {
	w := newWorld(t, newSet(func(set *v1alpha2.UnitSet) {
		set.Spec.Configuration = map[string]v1alpha1.JSON{"max_connections": {}}
		set.Spec.UpdateStrategy.Paused = true
		set.Annotations = map[string]string{v1alpha2.AnnotationRestart: "1", v1alpha2.AnnotationDeletionProtection: "true"}
	}))
	w.settleUnits()
	w.wantCondition(v1alpha2.ConditionNotActedOn, v1alpha2.ReasonNotYetSupported,
		"spec.configuration, spec.updateStrategy.paused, annotation unit-operator.io/restart")
	// Admission acts on it: artifacts/guards.
	if c := w.condition(v1alpha2.ConditionNotActedOn); strings.Contains(c.Message, "protection") {
		t.Errorf("it says %s", c.Message)
	}
	w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
	warnings := slices.DeleteFunc(w.said(), func(e string) bool { return !strings.HasPrefix(e, "Warning ") })
	if len(warnings) != 1 {
		t.Errorf("warnings: %q", warnings)
	}
	w.edit(func(set *v1alpha2.UnitSet) {
		set.Spec.Configuration, set.Spec.UpdateStrategy.Paused, set.Annotations = nil, false, nil
	})
	w.settleUnits()
	w.wantNoCondition(v1alpha2.ConditionNotActedOn)
}

func TestAVersionWithoutAPackageOfARunningSet(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Version = "7.7.7" })
	w.settleUnits()
	status := w.set().Status
	if status.UnitImageSynced != v1alpha2.NotSynced || status.ObservedGeneration != w.set().Generation {
		t.Errorf("image %s, generation %d", status.UnitImageSynced, status.ObservedGeneration)
	}
	if c := w.condition(v1alpha2.ConditionProgressing); c.Reason != v1alpha2.ReasonBlocked || !strings.Contains(c.Message, "PackageNotFound") || !strings.Contains(c.Message, "mysql 7.7.7") {
		t.Errorf("Progressing is %+v", c)
	}
	w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
	if names := unitNames(w); len(names) != 3 {
		t.Errorf("units: %v", names)
	}
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Version = "8.4.6" })
	w.settleUnits()
	if status := w.set().Status; status.UnitImageSynced != v1alpha2.Synced || w.condition(v1alpha2.ConditionProgressing).Reason != v1alpha2.ReasonSettled {
		t.Errorf("image %s, Progressing %+v", status.UnitImageSynced, w.condition(v1alpha2.ConditionProgressing))
	}
}

func TestTheScaleSubresourceHasASelectorOfTheSetsPods(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	if got := w.set().Status.Selector; got != "unit-operator.io/managed=true,unit-operator.io/unitset=orders" {
		t.Errorf("the selector is %q", got)
	}
}
