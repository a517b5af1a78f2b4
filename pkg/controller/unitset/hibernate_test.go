// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/membership"
)

func deletesClaimsWhenScaled(set *v1alpha2.UnitSet) {
	set.Spec.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenScaled: v1alpha2.DeleteClaims}
}

func TestHibernate(t *testing.T) {
	toZero := func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(0)) }
	wantRetained := func(t *testing.T, w *world) {
		t.Helper()
		for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
			if got := u.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted; got != v1alpha2.RetainClaims {
				t.Errorf("%s is told to %s its claims", u.Name, got)
			}
		}
	}

	t.Run("keeps every claim whatever whenScaled says, and wakes with them", func(t *testing.T) {
		w := newWorld(t, newSet(deletesClaimsWhenScaled))
		w.settleUnits()
		w.edit(toZero)
		for range 3 {
			w.settle()
			wantRetained(t, w)
			w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonHibernating, "claims stay", "whatever whenScaled says")
			w.unitController()
		}
		w.settleUnits()
		if names := unitNames(w); len(names) > 0 {
			t.Errorf("left are %v", names)
		}
		w.wantNoCondition(v1alpha2.ConditionScalingDown)
		w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonNoUnitsWanted)

		w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
		w.settleUnits()
		if d := cmp.Diff([]string{"orders-0", "orders-1"}, unitNames(w)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		wantRetained(t, w)
	})

	t.Run("keeps the claims of a unit that a scale down was already deleting", func(t *testing.T) {
		w := newWorld(t, newSet(deletesClaimsWhenScaled))
		w.settleUnits()
		w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
		w.settle()
		if u := w.unit(2); u.DeletionTimestamp == nil || u.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted != v1alpha2.DeleteClaims {
			t.Fatalf("deleted at %v, claims %s", u.DeletionTimestamp, u.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted)
		}
		w.edit(toZero)
		w.settle()
		wantRetained(t, w)
	})

	t.Run("stops a Replication's source last and evacuates nobody", func(t *testing.T) {
		w := newWorld(t, newSet(deletesClaimsWhenScaled))
		w.settleUnits()
		replication := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: controllertest.Namespace}}
		replication.Spec.Source.Name = "orders-2"
		for _, name := range []string{"orders-0", "orders-1"} {
			replication.Spec.Replica = append(replication.Spec.Replica, v1alpha1.MysqlReplicaMember{MysqlReplicationMember: v1alpha1.MysqlReplicationMember{Name: name}})
		}
		replication.Status.CurrentSource = "orders-2"
		w.Given(replication)
		// A scale down had begun.
		w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
		w.settle()
		if w.unit(2).Annotations[v1alpha2.AnnotationEvacuate] != v1alpha2.EvacuateRemove {
			t.Fatal("the member is not asked to leave")
		}
		w.edit(toZero)
		w.Written()
		w.settleUnits()
		if d := cmp.Diff([]string{"delete units/orders-1", "delete units/orders-0", "delete units/orders-2"}, deletesOf(w.Written())); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})

	t.Run("withdraws what it had asked a member", func(t *testing.T) {
		set := newSet(toZero)
		asked := unitAt(set, 1, func(u *observedUnit) { u.Annotations[v1alpha2.AnnotationEvacuate] = v1alpha2.EvacuateRemove })
		plan := planUnits(set, []*observedUnit{unitAt(set, 0), asked}, map[string]membership.Membership{"orders-1": {Owner: &membership.Replication{Source: "orders-1"}}}, nil, true)
		if plan.remove == nil || plan.remove.Name != "orders-0" || plan.evacuate != nil {
			t.Errorf("removes %v, evacuates %v", plan.remove, plan.evacuate)
		}
		if len(plan.patch) != 1 || cmp.Diff(map[string]any{"annotations": map[string]any{v1alpha2.AnnotationEvacuate: nil}}, plan.patch[0].metadata) != "" {
			t.Errorf("patches %+v", plan.patch)
		}
	})

	t.Run("waits for an operation", func(t *testing.T) {
		set := newSet(toZero)
		running := map[string]*v1alpha1.GrpcCall{"orders-1": {}}
		plan := planUnits(set, []*observedUnit{unitAt(set, 0), unitAt(set, 1)}, nil, running, true)
		if plan.remove != nil || plan.waiting == nil || plan.waiting.Name != "orders-1" || plan.evacuate != plan.waiting {
			t.Errorf("the plan is %+v", plan)
		}
		// A member's Replication would take the note for a request.
		plan = planUnits(set, []*observedUnit{unitAt(set, 0), unitAt(set, 1)}, map[string]membership.Membership{"orders-1": {Owner: &membership.Replication{}}}, running, true)
		if plan.remove != nil || plan.waiting == nil || plan.evacuate != nil {
			t.Errorf("the plan is %+v", plan)
		}
	})
}

// deletesOf writes are those that delete.
func deletesOf(writes []string) []string {
	return slices.DeleteFunc(writes, func(write string) bool { return !strings.HasPrefix(write, "delete units/") })
}
