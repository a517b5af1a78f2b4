// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

// bySet lets the members be those of the set.
func bySet(r *v1alpha1.MysqlReplication) { r.Spec.UnitSet, r.Spec.Replica = "mysql", nil }

// scale the set as a user does.
func (w *world) scale(units int32) {
	w.t.Helper()
	controllertest.Edit(w.APIServer, "mysql", func(set *v1alpha2.UnitSet) { set.Spec.Units = new(units) })
}

// evacuate asks for the removal of a unit, as its set does.
func (w *world) evacuate(i int) {
	w.t.Helper()
	controllertest.Edit(w.APIServer, unitName(i), func(u *v1alpha2.Unit) { u.Annotations[v1alpha2.AnnotationEvacuate] = v1alpha2.EvacuateRemove })
}

// remove a unit and its pod, as its set and the Unit controller do.
func (w *world) remove(i int) {
	w.t.Helper()
	if pod, ok := controllertest.Get[*corev1.Pod](w.APIServer, unitName(i)); ok {
		w.servers.stop(pod.UID)
		w.Erase(pod)
	}
	w.Erase(w.theUnit(i))
}

// rows are the names in status.topology.
func (w *world) rows() []string {
	w.t.Helper()
	var names []string
	for _, m := range w.replication().Status.Topology {
		names = append(names, m.Name)
	}
	return names
}

func (w *world) evacuation(i int) v1alpha1.MemberEvacuation {
	w.t.Helper()
	for _, m := range w.replication().Status.Topology {
		if m.Name == unitName(i) && m.Evacuation != nil {
			return *m.Evacuation
		}
	}
	return v1alpha1.MemberEvacuation{}
}

func TestAMemberThatIsGoneLeavesNoRow(t *testing.T) {
	w := newWorld(t, bySet)
	w.live()
	w.scale(2)
	w.evacuate(2)
	w.live()
	if e := w.evacuation(2); e.State != v1alpha1.EvacuationDone {
		t.Fatalf("evacuation %+v, durability %+v", e, w.replication().Status.Durability)
	}
	w.remove(2)
	w.live()
	if d := cmp.Diff([]string{"mysql-0", "mysql-1"}, w.rows()); d != "" {
		t.Errorf("status.topology: -want +got:\n%s", d)
	}
	w.wantNoCondition(v1alpha1.ReplicationDegraded)

	w.scale(3)
	w.unit(2)
	w.live()
	if d := cmp.Diff([]string{"mysql-0", "mysql-1", "mysql-2"}, w.rows()); d != "" {
		t.Errorf("status.topology after growing again: -want +got:\n%s", d)
	}
}

// A set that grew where there is no room shrinks again.
func TestAMemberThatNeverRanCanBeTakenOut(t *testing.T) {
	for name, tc := range map[string]struct {
		node, noPod bool
		started     bool
		want        v1alpha1.EvacuationState
	}{
		"its pod has no node":               {want: v1alpha1.EvacuationDone},
		"its pod never started a container": {node: true, want: v1alpha1.EvacuationDone},
		"it has no pod":                     {noPod: true, want: v1alpha1.EvacuationDone},
		"its pod runs and answers nobody":   {node: true, started: true, want: v1alpha1.EvacuationInProgress},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, bySet)
			w.live()
			w.scale(4)
			w.unit(3)
			unit, pod := w.theUnit(3), w.pod(3)
			w.servers.stop(pod.UID)
			w.agents.Fail(func(_ string, target agentclient.Target) error {
				if target.Unit == unit.Name {
					return fake.Unavailable(target)
				}
				return nil
			})
			if !tc.started {
				pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
			}
			if !tc.node {
				pod.Spec.NodeName = ""
			}
			w.Given(pod)
			if tc.noPod {
				w.Erase(pod)
				unit.Status.PodUID = ""
			}
			unit.Status.Replication = &v1alpha2.UnitReplication{Kind: v1alpha2.KindMysqlReplication, Name: "orders", UID: w.replication().UID}
			w.Given(unit)
			w.live()
			w.scale(3)
			w.evacuate(3)
			w.live()
			if got := w.evacuation(3); got.State != tc.want {
				t.Fatalf("evacuation %+v", got)
			}
			w.remove(3)
			w.live()
			if d := cmp.Diff([]string{"mysql-0", "mysql-1", "mysql-2"}, w.rows()); d != "" {
				t.Errorf("status.topology: -want +got:\n%s", d)
			}
		})
	}
}

// The API server takes no two rows of one name.
func TestAUnitThatIsMadeAgainHasOneRow(t *testing.T) {
	w := newWorld(t, bySet)
	w.live()
	before := w.theUnit(2).UID
	w.remove(2)
	w.unit(2)
	w.live()
	if d := cmp.Diff([]string{"mysql-0", "mysql-1", "mysql-2"}, w.rows()); d != "" {
		t.Errorf("status.topology: -want +got:\n%s", d)
	}
	if after := w.replication().Status.Topology[2].UnitUID; after != w.theUnit(2).UID || after == before {
		t.Errorf("the row is that of Unit %q, before it was %q", after, before)
	}
}

func TestGone(t *testing.T) {
	row := v1alpha1.ReplicationMemberStatus{Name: "mysql-3", UnitUID: "u3"}
	waitedFor := func(names ...string) func(*v1alpha1.MysqlReplicationStatus) {
		return func(status *v1alpha1.MysqlReplicationStatus) {
			status.Durability = nil
			for _, name := range names {
				status.Durability = append(status.Durability, v1alpha1.ReplicationDurabilityEntry{Members: []v1alpha1.DurabilityMember{{Name: name}}})
			}
		}
	}
	operation := func(from, to string) func(*v1alpha1.MysqlReplicationStatus) {
		return func(status *v1alpha1.MysqlReplicationStatus) {
			status.Operation = &v1alpha1.ReplicationOperation{From: from, To: to}
		}
	}
	for name, tc := range map[string]struct {
		// unit and podOf are the UIDs of the Unit of that name, and of the pod's.
		unit, podOf types.UID
		edit        func(*v1alpha1.MysqlReplicationStatus)
		want        bool
	}{
		"nothing is left":                     {want: true},
		"its Unit is there":                   {unit: "u3"},
		"another Unit has its name":           {unit: "other", want: true},
		"a pod of it is there":                {podOf: "u3"},
		"a pod of another Unit is there":      {podOf: "other", want: true},
		"it is recorded as the source":        {edit: func(status *v1alpha1.MysqlReplicationStatus) { status.CurrentSource = "mysql-3" }},
		"an operation takes its role":         {edit: operation("mysql-3", "mysql-1")},
		"an operation gives it a role":        {edit: operation("mysql-1", "mysql-3")},
		"an operation is about others":        {edit: operation("mysql-1", "mysql-2"), want: true},
		"commits waited for it earlier":       {edit: waitedFor("mysql-3", "mysql-1")},
		"commits wait for it":                 {edit: waitedFor("mysql-3")},
		"commits have only waited for others": {edit: waitedFor("mysql-2", "mysql-1"), want: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, bySet)
			if tc.podOf != "" {
				w.Given(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{
					Name: "mysql-3", Namespace: controllertest.Namespace, Labels: map[string]string{v1alpha2.LabelManaged: "true"},
					OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Unit", Name: "mysql-3", UID: tc.podOf, Controller: new(true)}},
				}})
			}
			w.refresh()
			s := w.controller.observe(viewMysql(w.replication()))
			if tc.unit != "" {
				s.units["mysql-3"] = slimUnit("mysql-3", tc.unit)
			}
			if tc.edit != nil {
				tc.edit(&s.status)
			}
			if got := w.controller.gone(s, &row); got != tc.want {
				t.Errorf("gone: %v", got)
			}
		})
	}
}
