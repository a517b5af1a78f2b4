// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func TestScalingDownWaitsForTheOperationOfTheUnitThatGoes(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	w.said()
	call := w.GivenBackup("nightly", "orders-2")
	w.StartCall(call)
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(1)) })
	w.settleUnits()
	w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonOperationRunning, "orders-2", "GrpcCall nightly (physical-backup), running since "+call.Status.StartTime.UTC().Format(time.RFC3339))
	if d := cmp.Diff([]string{"orders-0", "orders-1", "orders-2"}, unitNames(w)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got := w.unit(2).Annotations[v1alpha2.AnnotationEvacuate]; got != v1alpha2.EvacuateRemove {
		t.Errorf("calls that wait are told %q", got)
	}
	w.restart()
	w.settleUnits()
	heard := slices.DeleteFunc(w.said(), func(e string) bool { return !strings.Contains(e, v1alpha2.ReasonOperationRunning) })
	if len(heard) != 1 {
		t.Errorf("events: %q", heard)
	}

	w.EndCall(call)
	w.settleUnits()
	if d := cmp.Diff([]string{"orders-0"}, unitNames(w)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	w.wantNoCondition(v1alpha2.ConditionScalingDown)
}

func TestAUnitThatIsWantedAgainIsNotHeldToItsRemoval(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	w.StartCall(w.GivenBackup("nightly", "orders-2"))
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
	w.settleUnits()
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(3)) })
	w.settleUnits()
	if value, told := w.unit(2).Annotations[v1alpha2.AnnotationEvacuate]; told {
		t.Errorf("its calls are still told %q", value)
	}
	w.wantNoCondition(v1alpha2.ConditionScalingDown)
}

func TestAQueuedCallDoesNotHoldScalingDown(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	w.GivenBackup("queued", "orders-2")
	w.EndCall(w.GivenBackup("done", "orders-2"))
	w.StartCall(w.GivenBackup("elsewhere", "orders-0"))
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
	w.settleUnits()
	if d := cmp.Diff([]string{"orders-0", "orders-1"}, unitNames(w)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestAnOperationThatTheCacheHasNotSeenHoldsScalingDown(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	call := w.GivenBackup("nightly", "orders-2")
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
	w.refresh()
	w.StartCall(call)
	if _, err := w.controller.sync(t.Context(), w.key); err != nil {
		t.Fatal(err)
	}
	if u := w.unit(2); u.DeletionTimestamp != nil {
		t.Fatal("the unit is being deleted")
	}
	w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonOperationRunning, "GrpcCall nightly")
	// Before the cache has it there is nothing to decide on.
	w.refreshSet()
	if _, err := w.controller.sync(t.Context(), w.key); err == nil {
		t.Error("it plans on a cache that is behind what was read")
	}
	w.settleUnits()
	w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonOperationRunning, "GrpcCall nightly")
}

func TestDeletingASetWaitsForNoOperation(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	w.StartCall(w.GivenBackup("nightly", "orders-2"))
	if err := w.Upm.UpmV1alpha2().UnitSets(controllertest.Namespace).Delete(t.Context(), "orders", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.settleUnits()
	if names := unitNames(w); len(names) > 0 {
		t.Errorf("%v are left", names)
	}
}
