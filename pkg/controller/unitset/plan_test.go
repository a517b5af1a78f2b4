// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// unitAt is a unit as the set wants it.
func unitAt(set *v1alpha2.UnitSet, ordinal int32, edits ...func(*observedUnit)) *observedUnit {
	u := &observedUnit{Ordinal: ordinal, Unit: &slim.Unit{
		ObjectMeta: metav1.ObjectMeta{
			Name: unitName(set.Name, ordinal), UID: types.UID("uid of " + unitName(set.Name, ordinal)), Labels: unitLabels(set, ordinal), Annotations: unitAnnotations(set),
		},
		UpdatePolicy: v1alpha2.UpdatePolicyRecreate, Status: v1alpha2.UnitStatus{Phase: v1alpha2.UnitReady},
	}}
	for _, edit := range edits {
		edit(u)
	}
	return u
}

func TestPlansForUnits(t *testing.T) {
	deleting := func(u *observedUnit) { u.DeletionTimestamp = new(metav1.Time) }
	evacuate := func(u *observedUnit) { u.Annotations[v1alpha2.AnnotationEvacuate] = "remove" }
	relabelled := func(u *observedUnit) { u.Labels["unit-operator.io/type"] = "other" }
	// member orders-1 of a Replication that answers so.
	member := func(answer *v1alpha1.MemberEvacuation) map[string]membership.Membership {
		return map[string]membership.Membership{"orders-1": memberOf("orders-1", answer)}
	}
	type units = map[int32][]func(*observedUnit)
	type plan struct {
		Create, Patch             []int32
		Remove, Evacuate, Waiting int32
	}
	const none = -1
	for _, tc := range []struct {
		name    string
		wanted  int32
		units   units
		members map[string]membership.Membership
		blocked bool
		want    plan
		running []string
	}{
		{"nothing is there", 3, nil, nil, false, plan{[]int32{0, 1, 2}, nil, none, none, none}, nil},
		{"nothing can be made", 3, nil, nil, true, plan{nil, nil, none, none, none}, nil},
		{"all is well", 2, units{0: nil, 1: nil}, nil, false, plan{nil, nil, none, none, none}, nil},
		{"a hole", 3, units{0: nil, 2: nil}, nil, false, plan{[]int32{1}, nil, none, none, none}, nil},
		{"one on its way out keeps its place", 2, units{0: {deleting}, 1: nil}, nil, false, plan{nil, nil, none, none, none}, nil},
		{"labels of what stays", 2, units{0: {relabelled}, 1: {relabelled, deleting}, 2: {relabelled}}, nil, true, plan{nil, []int32{0}, 2, none, none}, nil},
		{"too many", 1, units{0: nil, 1: nil, 2: nil}, nil, false, plan{nil, nil, 2, none, none}, nil},
		{"too many, one is going", 1, units{0: nil, 1: nil, 2: {deleting}}, nil, false, plan{nil, nil, none, none, 2}, nil},
		{"too many, a lower one is going", 1, units{0: nil, 1: {deleting}, 2: nil}, nil, false, plan{nil, nil, none, none, 1}, nil},
		{"none is wanted", 0, units{0: nil}, nil, false, plan{nil, nil, 0, none, none}, nil},
		{"a member is asked to leave", 1, units{0: nil, 1: nil}, member(nil), false, plan{nil, nil, none, 1, 1}, nil},
		{"a member that was asked", 1, units{0: nil, 1: {evacuate}}, member(nil), false, plan{nil, nil, none, none, 1}, nil},
		{"a member that has left", 1, units{0: nil, 1: {evacuate}}, member(&v1alpha1.MemberEvacuation{Request: "remove", State: "Done"}), false, plan{nil, nil, 1, none, none}, nil},
		{"too many, an operation runs on the highest", 1, units{0: nil, 1: nil, 2: nil}, nil, false, plan{nil, nil, none, 2, 2}, []string{"orders-2"}},
		{"too many, an operation runs and its calls were told", 1, units{0: nil, 1: {evacuate}}, nil, false, plan{nil, nil, none, none, 1}, []string{"orders-1"}},
		{"too many, an operation runs on one that stays", 1, units{0: nil, 1: nil}, nil, false, plan{nil, nil, 1, none, none}, []string{"orders-0"}},
		{"too many, an operation runs on one that comes later", 1, units{0: nil, 1: nil, 2: nil}, nil, false, plan{nil, nil, 2, none, none}, []string{"orders-1"}},
		{"a member that has left, on which an operation runs", 1, units{0: nil, 1: {evacuate}}, member(&v1alpha1.MemberEvacuation{Request: "remove", State: "Done"}), false, plan{nil, nil, none, none, 1}, []string{"orders-1"}},
		{"wanted again", 2, units{0: nil, 1: {evacuate}}, member(nil), false, plan{nil, []int32{1}, none, none, none}, nil},
	} {
		set := newSet(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(tc.wanted) })
		var observed []*observedUnit
		for ordinal := range int32(5) {
			if edits, there := tc.units[ordinal]; there {
				observed = append(observed, unitAt(set, ordinal, edits...))
			}
		}
		operations := map[string]*v1alpha1.GrpcCall{}
		for _, unit := range tc.running {
			operations[unit] = &v1alpha1.GrpcCall{}
		}
		p := planUnits(set, observed, tc.members, operations, !tc.blocked)
		ordinal := func(u *observedUnit) int32 {
			if u == nil {
				return none
			}
			return u.Ordinal
		}
		got := plan{Create: p.create, Remove: ordinal(p.remove), Evacuate: ordinal(p.evacuate), Waiting: ordinal(p.waiting)}
		for _, change := range p.patch {
			got.Patch = append(got.Patch, change.unit.Ordinal)
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", tc.name, d)
		}
	}
}

func TestTheUpdatePolicyFollowsTheStrategy(t *testing.T) {
	set := newSet(func(set *v1alpha2.UnitSet) { set.Spec.UpdateStrategy.Type = v1alpha2.OnDeleteStrategy })
	change := changeOf(set, unitAt(set, 0))
	if change == nil || change.metadata != nil {
		t.Fatalf("the change is %+v", change)
	}
	if d := cmp.Diff(map[string]any{"updatePolicy": v1alpha2.UpdatePolicyOnDelete}, change.spec); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
