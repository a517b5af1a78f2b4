// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// TestStatusesAreKept writes statuses with all that they share and reads them back:
// what a schema lacks is pruned without a word.
func TestStatusesAreKept(t *testing.T) {
	e := needCluster(t)
	update := metav1.UpdateOptions{FieldValidation: strict}
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local))

	t.Run("Unit", func(t *testing.T) {
		units := e.upm.UpmV1alpha2().Units(e.namespace(t))
		unit, err := units.Create(t.Context(), &v1alpha2.Unit{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha2.UnitSpec{
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "mysql", Image: "mysql:8.4.6"}}}},
		}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, ended := range []v1alpha2.PodEnd{"", v1alpha2.PodEndKubelet, v1alpha2.PodEndNodeGone, v1alpha2.PodEndOutOfService, v1alpha2.PodEndConfirmed} {
			want := v1alpha2.UnitStatus{
				DataIdentity: &v1alpha2.DataIdentity{SystemID: "s", DataGeneration: 2, Virgin: true, Pristine: new(true), HighestVersion: "8.4.6"},
				Replication:  &v1alpha2.UnitReplication{Kind: v1alpha2.KindMysqlReplication, Name: "r", UID: "u", Epoch: 7},
				Released:     &v1alpha2.UnitReleased{ReplicationUID: "u", Role: v1alpha2.ReleasedReplica, UpstreamHost: "h", UpstreamPort: 3306},
				LastPod:      &v1alpha2.UnitLastPod{UID: "p", NodeName: "n", Ended: ended},
			}
			if ended != "" {
				want.LastPod.Time = &at
			}
			unit.Status = want
			if unit, err = units.UpdateStatus(t.Context(), unit, update); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, unit.Status); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		}
		unit.Status.LastPod.Ended = "Lost"
		if _, err := units.UpdateStatus(t.Context(), unit, update); !apierrors.IsInvalid(err) {
			t.Errorf("an end that proves nothing: %v, want a refusal", err)
		}
	})

	shared := struct {
		accepted   *v1alpha1.ReplicationAccepted
		data       *v1alpha1.ReplicationData
		durability []v1alpha1.ReplicationDurabilityEntry
		operation  *v1alpha1.ReplicationOperation
		topology   []v1alpha1.ReplicationMemberStatus
		endpoints  *v1alpha1.ReplicationEndpoints
	}{
		&v1alpha1.ReplicationAccepted{
			Mode:    "rpl_async",
			Members: []v1alpha1.AcceptedMember{{Name: "a-0", UnitUID: "u0", Host: "h0", Port: 1}, {Name: "a-1", UnitUID: "u1", Host: "h1", Port: 1, Isolated: true}},
			Secret:  &v1alpha1.AcceptedSecret{Name: "s", Manager: "m", Replication: "r"},
		},
		&v1alpha1.ReplicationData{
			SystemID: "s", Generation: 3, Timeline: 4, BeginLSN: "0/3000060",
			Replacement: &v1alpha1.ReplicationReplacement{ServerID: "s", Generation: 2, By: "call"}, Outdated: []string{"s1", "s2"},
		},
		[]v1alpha1.ReplicationDurabilityEntry{
			{Source: "s", Timeline: 4, W: 1, Members: []v1alpha1.DurabilityMember{{Name: "a-1", UnitUID: "u1", ServerUUID: "s1"}}},
			// A change appends before it removes, so one source may be there twice.
			{Source: "s", Timeline: 4, W: 0},
		},
		&v1alpha1.ReplicationOperation{
			ID: "o", Type: v1alpha1.OperationFailover, Phase: "Fencing", From: "a-0", To: "a-1", Epoch: 9, TargetPosition: "s:1-5",
			StartedAt: &at, Deadline: &at, Fence: &v1alpha1.ReplicationFence{How: v1alpha1.FenceQuorum, At: &at},
		},
		[]v1alpha1.ReplicationMemberStatus{{
			Name: "a-0", UnitUID: "u0", PodUID: "p0", ServerID: "s0", Role: "unknown", State: "it is made anew", Lag: v1alpha1.LagUnder1m,
			Errant:     &v1alpha1.ReplicationErrant{GTIDs: "s0:7", Evidence: ".unit-agent/evidence/9"},
			Evacuation: &v1alpha1.MemberEvacuation{Request: v1alpha1.EvacuationRemove, State: v1alpha1.EvacuationRefused, Reason: "DurabilityNeedsIt", Message: "change the mode first"},
		}},
		&v1alpha1.ReplicationEndpoints{ReadWrite: "a-readwrite.ns.svc", ReadOnly: "a-readonly.ns.svc", Port: 3306},
	}
	t.Run("MysqlReplication", func(t *testing.T) {
		client := e.upm.UpmV1alpha1().MysqlReplications(e.namespace(t))
		r, err := client.Create(t.Context(), &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha1.MysqlReplicationSpec{
			Mode:   v1alpha1.MysqlReplicationAsync,
			Secret: v1alpha1.MysqlReplicationSecret{Name: "s", Mysql: "m", Replication: "r"},
			Source: v1alpha1.MysqlReplicationMember{Name: "a-0", Host: "h0", Port: 1}, Replica: []v1alpha1.MysqlReplicaMember{},
		}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := v1alpha1.MysqlReplicationStatus{
			CurrentSource: "a-0", Epoch: 9, AcceptedGeneration: 1, Accepted: shared.accepted, Data: shared.data,
			Durability: shared.durability, Operation: shared.operation, Topology: shared.topology, Endpoints: shared.endpoints, ObservedGeneration: 1,
		}
		r.Status = want
		if r, err = client.UpdateStatus(t.Context(), r, update); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, r.Status); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
	t.Run("PostgresReplication", func(t *testing.T) {
		client := e.upm.UpmV1alpha1().PostgresReplications(e.namespace(t))
		r, err := client.Create(t.Context(), &v1alpha1.PostgresReplication{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha1.PostgresReplicationSpec{
			Mode:    v1alpha1.PostgresReplicationAsync,
			Secret:  v1alpha1.PostgresReplicationSecret{Name: "s", Postgres: "p", Replication: "r"},
			Primary: v1alpha1.PostgresReplicationMember{Name: "a-0", Host: "h0", Port: 1}, Standby: []v1alpha1.PostgresStandbyMember{},
		}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := v1alpha1.PostgresReplicationStatus{
			CurrentPrimary: "a-0", Epoch: 9, AcceptedGeneration: 1, Accepted: shared.accepted, Data: shared.data,
			Durability: shared.durability, Operation: shared.operation, Topology: shared.topology, Endpoints: shared.endpoints, ObservedGeneration: 1,
		}
		r.Status = want
		if r, err = client.UpdateStatus(t.Context(), r, update); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, r.Status); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

// TestScale scales a set by the scale subresource, as kubectl scale and autoscalers
// do.
func TestScale(t *testing.T) {
	e := needCluster(t)
	namespace := e.namespace(t)
	sets := e.upm.UpmV1alpha2().UnitSets(namespace)
	set, err := sets.Create(t.Context(), &v1alpha2.UnitSet{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha2.UnitSetSpec{
		Type: v1alpha2.UnitTypeMySQL, Version: "8.4.6", Units: new(int32(3)),
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	plan := []v1alpha2.PlannedStep{
		{Unit: "a-2", Step: v1alpha2.StepRestart, Reason: "version 8.4.6, not 8.4.5"},
		{Unit: "a-0", Step: v1alpha2.StepSwitchover},
		{Unit: "a-0", Step: v1alpha2.StepRestart},
	}
	set.Status = v1alpha2.UnitSetStatus{Units: 2, Selector: "unit-operator.io/unitset=a", Plan: plan}
	if set, err = sets.UpdateStatus(t.Context(), set, metav1.UpdateOptions{FieldValidation: strict}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(plan, set.Status.Plan); d != "" {
		t.Errorf("plan: -want +got:\n%s", d)
	}
	scale, err := sets.GetScale(t.Context(), "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := autoscalingv1.ScaleStatus{Replicas: 2, Selector: "unit-operator.io/unitset=a"}
	if scale.Spec.Replicas != 3 || scale.Status != want {
		t.Errorf("got %d wanted units and %+v, want 3 and %+v", scale.Spec.Replicas, scale.Status, want)
	}
	if _, err := e.kubectl(t.Context(), "scale", "--namespace", namespace, "--replicas=5", "unitset/a"); err != nil {
		t.Fatal(err)
	}
	if set, err = sets.Get(t.Context(), "a", metav1.GetOptions{}); err != nil || *set.Spec.Units != 5 {
		t.Errorf("after kubectl scale: %d units (%v), want 5", *set.Spec.Units, err)
	}
	if _, err := e.kubectl(t.Context(), "scale", "--namespace", namespace, "--replicas=1001", "unitset/a"); err == nil {
		t.Error("more units than the schema allows were accepted")
	}
}
