// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/membership"
)

// memberOf a MysqlReplication that answers so for the unit that unitAt makes.
func memberOf(unit string, answer *v1alpha1.MemberEvacuation) membership.Membership {
	return membership.Membership{Owner: &membership.Replication{
		Kind: membership.KindMysql, Name: "orders", Listed: true,
		Member: &v1alpha1.ReplicationMemberStatus{Name: unit, UnitUID: types.UID("uid of " + unit), Evacuation: answer},
	}}
}

func TestClearance(t *testing.T) {
	type edit = func(*observedUnit, *membership.Membership)
	answer := func(request v1alpha1.EvacuationRequest, state v1alpha1.EvacuationState, reason, message string) edit {
		return func(u *observedUnit, m *membership.Membership) {
			u.Annotations[v1alpha2.AnnotationEvacuate] = "remove"
			m.Owner.Member.Evacuation = &v1alpha1.MemberEvacuation{Request: request, State: state, Reason: reason, Message: message}
		}
	}
	for _, tc := range []struct {
		name         string
		edits        []edit
		granted, ask bool
		reason       string
		mentions     string
	}{
		{"no Replication owns it", []edit{func(_ *observedUnit, m *membership.Membership) { m.Owner = nil }}, true, false, "", ""},
		{"it has not been asked", nil, false, true, v1alpha2.ReasonEvacuating, "MysqlReplication orders"},
		{"Done before it was asked", []edit{
			answer("remove", v1alpha1.EvacuationDone, "", ""),
			func(u *observedUnit, _ *membership.Membership) { delete(u.Annotations, v1alpha2.AnnotationEvacuate) },
		}, false, true, v1alpha2.ReasonEvacuating, ""},
		{"another request stands", []edit{
			answer("remove", v1alpha1.EvacuationDone, "", ""),
			func(u *observedUnit, _ *membership.Membership) {
				u.Annotations[v1alpha2.AnnotationEvacuate] = v1alpha2.EvacuateRestart
			},
		}, false, true, v1alpha2.ReasonEvacuating, ""},
		{"no answer", []edit{func(u *observedUnit, m *membership.Membership) {
			u.Annotations[v1alpha2.AnnotationEvacuate] = "remove"
		}}, false, false, v1alpha2.ReasonEvacuating, "has not answered"},
		{"no entry", []edit{answer("remove", v1alpha1.EvacuationDone, "", ""), func(_ *observedUnit, m *membership.Membership) {
			m.Owner.Member = nil
		}}, false, false, v1alpha2.ReasonEvacuating, "has not answered"},
		{"Done", []edit{answer("remove", v1alpha1.EvacuationDone, "", "")}, true, false, "", ""},
		{"Done for a restart", []edit{answer("restart", v1alpha1.EvacuationDone, "", "")}, false, false, v1alpha2.ReasonEvacuating, "has not answered"},
		{"Done for an earlier Unit of that name", []edit{answer("remove", v1alpha1.EvacuationDone, "", ""), func(_ *observedUnit, m *membership.Membership) {
			m.Owner.Member.UnitUID = "another"
		}}, false, false, v1alpha2.ReasonEvacuating, "has not answered"},
		{"Done without a Unit's UID", []edit{answer("remove", v1alpha1.EvacuationDone, "", ""), func(_ *observedUnit, m *membership.Membership) {
			m.Owner.Member.UnitUID = ""
		}}, false, false, v1alpha2.ReasonEvacuating, "has not answered"},
		{"the former field alone", []edit{func(u *observedUnit, m *membership.Membership) {
			u.Annotations[v1alpha2.AnnotationEvacuate] = "remove"
			m.Owner.Member.Evacuated = true
		}}, false, false, v1alpha2.ReasonEvacuating, "has not answered"},
		{"InProgress", []edit{answer("remove", v1alpha1.EvacuationInProgress, "CatchingUp", "orders-0 is 3 s behind")}, false, false, v1alpha2.ReasonEvacuating, "orders-0 is 3 s behind (CatchingUp)"},
		{"Refused", []edit{answer("remove", v1alpha1.EvacuationRefused, "DurabilityNeedsIt", "")}, false, false, v1alpha2.ReasonEvacuationRefused, "refuses to evacuate Unit orders-1: DurabilityNeedsIt"},
		{"two list it", []edit{answer("remove", v1alpha1.EvacuationDone, "", ""), func(_ *observedUnit, m *membership.Membership) {
			m.Others = []*membership.Replication{{Kind: membership.KindMysql, Name: "other"}}
		}}, false, false, v1alpha2.ReasonMemberOfSeveral, "member of MysqlReplication orders and listed by MysqlReplication other"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u, m := unitAt(newSet(), 1), memberOf("orders-1", nil)
			for _, edit := range tc.edits {
				edit(u, &m)
			}
			got := clearanceOf(u, m, v1alpha1.EvacuationRemove)
			if got.granted != tc.granted || got.ask != tc.ask || got.because.Reason != tc.reason || !strings.Contains(got.because.Message, tc.mentions) {
				t.Errorf("the clearance is %+v", got)
			}
		})
	}
}

func TestEvacuate(t *testing.T) {
	// given a set of three that is scaled to two, whose Replication lists all.
	given := func(t *testing.T) (*world, func(*v1alpha1.MemberEvacuation)) {
		w := newWorld(t, newSet(deletesClaimsWhenScaled))
		w.settleUnits()
		replication := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: controllertest.Namespace}}
		replication.Spec.Source.Name = "orders-2"
		w.Given(replication)
		w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
		w.settleUnits()
		uid := w.unit(2).UID
		return w, func(answer *v1alpha1.MemberEvacuation) {
			controllertest.Edit(w.APIServer, "orders", func(r *v1alpha1.MysqlReplication) {
				r.Status.Topology = []v1alpha1.ReplicationMemberStatus{{Name: "orders-2", UnitUID: uid, Evacuation: answer}}
			})
		}
	}

	t.Run("says what the Replication says until that is Done", func(t *testing.T) {
		w, answer := given(t)
		answer(&v1alpha1.MemberEvacuation{Request: "remove", State: "InProgress", Reason: "SwitchingOver", Message: "orders-0 takes over"})
		w.settleUnits()
		w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonEvacuating, "orders-0 takes over (SwitchingOver)")
		answer(&v1alpha1.MemberEvacuation{Request: "remove", State: "Refused", Reason: "DurabilityNeedsIt", Message: "change the mode first"})
		w.settleUnits()
		w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonEvacuationRefused, "change the mode first (DurabilityNeedsIt)")
		if w.unit(2).DeletionTimestamp != nil {
			t.Fatal("a unit that is needed is deleted")
		}
		answer(&v1alpha1.MemberEvacuation{Request: "remove", State: "Done"})
		w.settleUnits()
		if d := cmp.Diff([]string{"orders-0", "orders-1"}, unitNames(w)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})

	t.Run("asks the API server before it deletes", func(t *testing.T) {
		w, answer := given(t)
		answer(&v1alpha1.MemberEvacuation{Request: "remove", State: "Done"})
		w.refresh()
		// The source died, and this unit takes its place.
		answer(&v1alpha1.MemberEvacuation{Request: "remove", State: "InProgress", Reason: "NoOtherCandidate"})
		for range 3 {
			if _, err := w.controller.sync(t.Context(), w.key); err != nil && !strings.Contains(err.Error(), "stale") {
				t.Log(err)
			}
			w.refreshSet()
		}
		if w.unit(2).DeletionTimestamp != nil {
			t.Fatal("it was deleted by a late cache")
		}
		w.settleUnits()
		w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonEvacuating, "NoOtherCandidate")
	})

	t.Run("deletes no unit that a late cache takes for unwanted", func(t *testing.T) {
		w := newWorld(t, newSet(deletesClaimsWhenScaled))
		w.settleUnits()
		w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
		w.refresh()
		w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(3)) })
		if _, err := w.controller.sync(t.Context(), w.key); err != nil {
			t.Log(err)
		}
		if u := w.unit(2); u.DeletionTimestamp != nil || u.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted != v1alpha2.RetainClaims {
			t.Errorf("deleted at %v, claims %s", u.DeletionTimestamp, u.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted)
		}
	})

	t.Run("does nothing to a unit that two Replications list, and comes to rest", func(t *testing.T) {
		w, answer := given(t)
		answer(&v1alpha1.MemberEvacuation{Request: "remove", State: "Done"})
		for _, name := range []string{"aaa", "zzz"} {
			other := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{
				Name: name, Namespace: controllertest.Namespace, CreationTimestamp: metav1.NewTime(w.clock.Now().Add(time.Minute)),
			}}
			other.Spec.Source.Name = "orders-2"
			w.Given(other)
		}
		w.settleUnits()
		w.wantCondition(v1alpha2.ConditionScalingDown, v1alpha2.ReasonMemberOfSeveral, "MysqlReplication orders", "MysqlReplication aaa, MysqlReplication zzz")
		w.Written()
		for range 50 {
			if _, err := w.sync(); err != nil {
				t.Fatal(err)
			}
		}
		if writes := w.Written(); len(writes) > 0 {
			t.Errorf("at rest it writes %v", writes)
		}
		if w.unit(2).DeletionTimestamp != nil {
			t.Error("it is deleted")
		}
	})

	t.Run("withdraws any request for a unit that is wanted", func(t *testing.T) {
		w := newWorld(t, newSet())
		w.settleUnits()
		controllertest.Edit(w.APIServer, "orders-1", func(u *v1alpha2.Unit) {
			u.Annotations[v1alpha2.AnnotationEvacuate] = v1alpha2.EvacuateRestart
		})
		w.settleUnits()
		if a, asked := w.unit(1).Annotations[v1alpha2.AnnotationEvacuate]; asked {
			t.Errorf("it is asked to %s", a)
		}
	})
}
