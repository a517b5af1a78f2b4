// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func unitNames(w *world) []string {
	var names []string
	for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		names = append(names, u.Name)
	}
	return names
}

func TestScalingUpAddsTheNextOrdinalsAndMovesTheBudget(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	first := w.unit(0).UID
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(5)) })
	w.settleUnits()
	if d := cmp.Diff([]string{"orders-0", "orders-1", "orders-2", "orders-3", "orders-4"}, unitNames(w)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if w.unit(0).UID != first {
		t.Error("unit 0 is another one")
	}
	if got := controllertest.Must[*policyv1.PodDisruptionBudget](w.APIServer, "orders").Spec.MinAvailable.IntValue(); got != 4 {
		t.Errorf("the budget keeps %d", got)
	}
}

func TestDisruptionBudget(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	want := func(units int) {
		t.Helper()
		w.settleUnits()
		if got := controllertest.Must[*policyv1.PodDisruptionBudget](w.APIServer, "orders").Spec.MinAvailable.IntValue(); got != units {
			t.Errorf("the budget keeps %d, want %d", got, units)
		}
	}
	stop := func(unit string, startup bool) {
		controllertest.Edit(w.APIServer, unit, func(u *v1alpha2.Unit) { u.Spec.Startup = new(startup) })
	}
	want(2)
	// A unit that its user has stopped must not keep the others from being drained.
	stop("orders-1", false)
	want(1)
	stop("orders-0", false)
	stop("orders-2", false)
	want(0)
	stop("orders-0", true)
	stop("orders-1", true)
	stop("orders-2", true)
	want(2)
}

func TestScalingDownTakesTheHighestOrdinalOneAtATime(t *testing.T) {
	for _, policy := range []v1alpha2.ClaimRetention{"", v1alpha2.RetainClaims, v1alpha2.DeleteClaims} {
		w := newWorld(t, newSet(withServices, func(set *v1alpha2.UnitSet) {
			set.Spec.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenScaled: policy}
		}))
		w.settleUnits()
		w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(1)) })
		w.settle()
		going := w.unit(2)
		if going.DeletionTimestamp == nil || w.unit(1).DeletionTimestamp != nil {
			t.Fatal("the highest unit does not go first and alone")
		}
		want := v1alpha2.RetainClaims
		if policy == v1alpha2.DeleteClaims {
			want = v1alpha2.DeleteClaims
		}
		if got := going.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted; got != want {
			t.Errorf("policy %q: the unit is told %s", policy, got)
		}
		w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonNotReplicated, "orders-2")
		if _, ok := controllertest.Get[*corev1.Service](w.APIServer, "orders-2-svc"); !ok {
			t.Error("a unit that is stopping has lost its Service")
		}
		w.settleUnits()
		if d := cmp.Diff([]string{"orders-0"}, unitNames(w)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if _, ok := controllertest.Get[*corev1.Service](w.APIServer, "orders-2-svc"); ok {
			t.Error("the Service of a unit that is gone is left")
		}
		if _, ok := controllertest.Get[*policyv1.PodDisruptionBudget](w.APIServer, "orders"); ok {
			t.Error("a single unit has a budget that no drain can meet")
		}
		if _, ok := controllertest.Get[*corev1.ConfigMap](w.APIServer, "orders-2-config-value"); !ok {
			t.Error("the user's values are deleted")
		}
		w.wantNoCondition(v1alpha2.ConditionScalingDown)
	}
}

func TestAMemberOfAReplicationGoesWhenThatLetsGoOfIt(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	replication := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: controllertest.Namespace}}
	replication.Spec.Source.Name = "orders-2"
	w.Given(replication)
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
	w.settleUnits()
	u := w.unit(2)
	if u.DeletionTimestamp != nil || u.Annotations[v1alpha2.AnnotationEvacuate] != "remove" {
		t.Fatalf("the unit is %v, deleted at %v", u.Annotations, u.DeletionTimestamp)
	}
	w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonEvacuating, "MysqlReplication orders")

	// The user thinks better of it.
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(3)) })
	w.settleUnits()
	if a, asked := w.unit(2).Annotations[v1alpha2.AnnotationEvacuate]; asked {
		t.Errorf("a wanted unit is still asked to %s", a)
	}
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
	w.settleUnits()

	replication = replication.DeepCopy()
	replication.Status.Topology = []v1alpha1.ReplicationMemberStatus{{
		Name: "orders-2", UnitUID: w.unit(2).UID, Evacuation: &v1alpha1.MemberEvacuation{Request: "remove", State: "Done"},
	}}
	w.Given(replication)
	w.settleUnits()
	if d := cmp.Diff([]string{"orders-0", "orders-1"}, unitNames(w)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestAUnitIsDeletedOnceHoweverLateTheCacheIs(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	w.refresh()
	s := w.controller.observeChildren(w.set())
	w.Written()
	w.said()
	for range 2 {
		if err := w.controller.control.deleteUnit(t.Context(), w.set(), s.units[2], v1alpha2.RetainClaims, "test"); err != nil {
			t.Fatal(err)
		}
	}
	deletes := slices.DeleteFunc(w.Written(), func(write string) bool { return !strings.HasPrefix(write, "delete ") })
	if events := w.said(); len(deletes) != 1 || len(events) != 1 {
		t.Errorf("deleted by %v, events %q", deletes, events)
	}
}

func TestClaimsOfAUnitThatStaysAreNotGivenUpByACrash(t *testing.T) {
	w := newWorld(t, newSet(func(set *v1alpha2.UnitSet) {
		set.Spec.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenScaled: v1alpha2.DeleteClaims}
	}))
	w.settleUnits()
	w.Refuse = func(write string) error {
		if strings.HasPrefix(write, "delete units/") {
			return controllertest.ErrInjected
		}
		return nil
	}
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
	if _, err := w.sync(); !errors.Is(err, controllertest.ErrInjected) {
		t.Fatalf("the error is %v", err)
	}
	if got := w.unit(2).Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted; got != v1alpha2.DeleteClaims {
		t.Fatalf("the unit was told to %s", got)
	}
	w.Refuse = nil
	w.restart()
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(3)) })
	w.settleUnits()
	if got := w.unit(2).Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted; got != v1alpha2.RetainClaims {
		t.Errorf("a unit that is wanted again has its claims under %s", got)
	}
}

func TestALostRevisionIsNamedAndHealsWhenNoUnitNeedsIt(t *testing.T) {
	w := newWorld(t, newSet(func(set *v1alpha2.UnitSet) {
		set.Spec.UpdateStrategy.RollingUpdate = &v1alpha2.RollingUpdateSpec{Partition: new(int32(3))}
	}))
	w.settleUnits()
	old := w.set().Status.UpdateRevision
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Version = "8.4.7" })
	w.settleUnits()
	w.Erase(controllertest.Must[*appsv1.ControllerRevision](w.APIServer, old))
	w.Erase(controllertest.Must[*v1alpha2.Unit](w.APIServer, "orders-1"))
	if _, err := w.sync(); err == nil {
		t.Fatal("a unit was made from nothing")
	}
	w.wantCondition(v1alpha2.ConditionRevisionLost, v1alpha2.ConditionRevisionLost, old, w.set().Status.UpdateRevision)
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.UpdateStrategy.RollingUpdate = nil })
	w.settleUnits()
	w.wantNoCondition(v1alpha2.ConditionRevisionLost)
	if got := w.unit(1).Spec.Template.Spec.Containers[0].Image; got != "mysql:8.4.7" {
		t.Errorf("image %s", got)
	}
}

func TestAnEditedRevisionOfOneUnitDoesNotStopTheSet(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	controllertest.Edit(w.APIServer, "orders-1", func(u *v1alpha2.Unit) { u.Annotations[v1alpha2.AnnotationRevision] = "bogus" })
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(4)) })
	w.settleUnits()
	w.wantNoCondition(v1alpha2.ConditionRevisionLost)
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ReasonNotRolledOut, "orders-1")
	if got := len(unitNames(w)); got != 4 {
		t.Errorf("%d units", got)
	}
}

func TestDeletionStopsTheUnitsFirstAndTouchesNothingOfAnotherOwner(t *testing.T) {
	w := newWorld(t, newSet(func(set *v1alpha2.UnitSet) {
		set.Spec.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenDeleted: v1alpha2.DeleteClaims}
	}))
	w.settleUnits()
	foreign := newForeignUnit("orders-7")
	w.Given(foreign)
	w.Written()
	if err := w.Upm.UpmV1alpha2().UnitSets(controllertest.Namespace).Delete(t.Context(), "orders", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.Written()
	w.settle()
	var deletes []string
	for _, write := range w.Written() {
		if strings.HasPrefix(write, "delete ") {
			deletes = append(deletes, write)
		}
	}
	if d := cmp.Diff([]string{"delete units/orders-2", "delete units/orders-1", "delete units/orders-0"}, deletes); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if _, ok := controllertest.Get[*v1alpha2.UnitSet](w.APIServer, "orders"); !ok {
		t.Fatal("the set is gone before its units")
	}
	if got := w.unit(1).Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted; got != v1alpha2.DeleteClaims {
		t.Errorf("the unit is told to %s its claims", got)
	}
	if _, ok := controllertest.Get[*corev1.Service](w.APIServer, "orders-headless-svc"); !ok {
		t.Error("units that are stopping have lost their names")
	}
	if c := w.condition(v1alpha2.ConditionReady); c.Reason != v1alpha2.ReasonDeleting {
		t.Errorf("Ready is %+v", c)
	}
	for _, i := range []int32{0, 1, 2} {
		w.Erase(controllertest.Must[*v1alpha2.Unit](w.APIServer, unitName("orders", i)))
	}
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	if _, ok := controllertest.Get[*v1alpha2.UnitSet](w.APIServer, "orders"); ok {
		t.Error("the finalizer is left")
	}
	if after := controllertest.Must[*v1alpha2.Unit](w.APIServer, "orders-7"); after.DeletionTimestamp != nil || after.ResourceVersion != foreign.ResourceVersion {
		t.Error("somebody else's unit was touched")
	}
	w.settle()
}

func TestASetWhoseChildrenAreOrphanedLeavesThem(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	w.edit(func(set *v1alpha2.UnitSet) {
		set.Finalizers = append(set.Finalizers, metav1.FinalizerOrphanDependents)
		set.DeletionTimestamp = new(metav1.NewTime(w.clock.Now()))
	})
	w.settle()
	for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		if u.DeletionTimestamp != nil {
			t.Errorf("%s is deleted", u.Name)
		}
	}
	if d := cmp.Diff([]string{metav1.FinalizerOrphanDependents}, w.set().Finalizers); d != "" {
		t.Errorf("finalizers: -want +got:\n%s", d)
	}
	// The garbage collector fails at revisions of earlier versions.
	for _, r := range controllertest.All[*appsv1.ControllerRevision](w.APIServer) {
		if len(r.OwnerReferences) > 0 {
			t.Errorf("%s has owners %v", r.Name, r.OwnerReferences)
		}
	}
}

// newForeignUnit has our labels and another owner.
func newForeignUnit(name string) *v1alpha2.Unit {
	return &v1alpha2.Unit{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: controllertest.Namespace, Labels: map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelUnitSet: "orders"},
	}}
}
