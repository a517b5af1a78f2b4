// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// TestZeros writes the zeros that differ from an absent field by the typed client,
// as programs do: an omitempty would drop them.
func TestZeros(t *testing.T) {
	e := needCluster(t)
	create := metav1.CreateOptions{FieldValidation: strict}

	t.Run("UnitSet", func(t *testing.T) {
		want := v1alpha2.UnitSetSpec{
			Type: v1alpha2.UnitTypeMySQL, Version: "8.4.6", Units: new(int32(0)),
			UpdateStrategy: v1alpha2.UpdateStrategySpec{RollingUpdate: &v1alpha2.RollingUpdateSpec{Partition: new(int32(0))}},
			Configuration: map[string]v1alpha1.JSON{
				"number": {Raw: []byte(`0`)}, "boolean": {Raw: []byte(`false`)}, "text": {Raw: []byte(`""`)},
				"list": {Raw: []byte(`[]`)}, "options": {Raw: []byte(`{"slow_launch_time":0}`)}, "none": {},
			},
			Scheduling:     &v1alpha2.SchedulingSpec{Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists, TolerationSeconds: new(int64(0))}}},
			AgentResources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0")}},
		}
		sets := e.upm.UpmV1alpha2().UnitSets(e.namespace(t))
		got, err := sets.Create(t.Context(), &v1alpha2.UnitSet{ObjectMeta: metav1.ObjectMeta{Name: "zeros"}, Spec: want}, create)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got.Spec); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
	t.Run("Unit", func(t *testing.T) {
		units := e.upm.UpmV1alpha2().Units(e.namespace(t))
		got, err := units.Create(t.Context(), &v1alpha2.Unit{ObjectMeta: metav1.ObjectMeta{Name: "zeros"}, Spec: v1alpha2.UnitSpec{
			Startup: new(false), UnbindNode: new(false),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "mysql", Image: "mysql:8.4.6"}}}},
		}}, create)
		if err != nil {
			t.Fatal(err)
		}
		if s := got.Spec.Startup; s == nil || *s {
			t.Errorf("startup: false came back as %v", s)
		}
		got.Status.DataIdentity = &v1alpha2.DataIdentity{SystemID: "a", Pristine: new(false)}
		if got, err = units.UpdateStatus(t.Context(), got, metav1.UpdateOptions{FieldValidation: strict}); err != nil {
			t.Fatal(err)
		}
		if p := got.Status.DataIdentity.Pristine; p == nil || *p {
			t.Errorf("pristine: false came back as %v", p)
		}
	})
	failover := &v1alpha1.ReplicationFailover{DelaySeconds: new(int32(0)), MaximumLagSeconds: new(int32(0)), MinimumIntervalSeconds: new(int32(0))}
	t.Run("MysqlReplication", func(t *testing.T) {
		want := v1alpha1.MysqlReplicationSpec{
			Mode:   v1alpha1.MysqlReplicationAsync,
			Secret: v1alpha1.MysqlReplicationSecret{Name: "s", Mysql: "m", Replication: "r"},
			Source: v1alpha1.MysqlReplicationMember{Name: "a", Host: "a", Port: 1, Priority: new(int32(0))},
			// An empty list, which is required, is not an absent one.
			Replica:  []v1alpha1.MysqlReplicaMember{},
			Failover: failover,
		}
		got, err := e.upm.UpmV1alpha1().MysqlReplications(e.namespace(t)).Create(t.Context(),
			&v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "zeros"}, Spec: want}, create)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got.Spec); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
	t.Run("PostgresReplication", func(t *testing.T) {
		want := v1alpha1.PostgresReplicationSpec{
			Mode:     v1alpha1.PostgresReplicationAsync,
			Secret:   v1alpha1.PostgresReplicationSecret{Name: "s", Postgres: "p", Replication: "r"},
			Primary:  v1alpha1.PostgresReplicationMember{Name: "a", Host: "a", Port: 1, Priority: new(int32(0))},
			Standby:  []v1alpha1.PostgresStandbyMember{},
			Failover: failover,
		}
		got, err := e.upm.UpmV1alpha1().PostgresReplications(e.namespace(t)).Create(t.Context(),
			&v1alpha1.PostgresReplication{ObjectMeta: metav1.ObjectMeta{Name: "zeros"}, Spec: want}, create)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got.Spec); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
	t.Run("GrpcCall", func(t *testing.T) {
		got, err := e.upm.UpmV1alpha1().GrpcCalls(e.namespace(t)).Create(t.Context(),
			&v1alpha1.GrpcCall{ObjectMeta: metav1.ObjectMeta{Name: "zeros"}, Spec: v1alpha1.GrpcCallSpec{
				TargetUnit: "a", Type: "mysql", Action: "gtid-purge", TTLSecondsAfterFinished: new(int32(0)), Parameters: map[string]v1alpha1.JSON{},
			}}, create)
		if err != nil {
			t.Fatal(err)
		}
		if ttl := got.Spec.TTLSecondsAfterFinished; ttl == nil || *ttl != 0 {
			t.Errorf("ttlSecondsAfterFinished: 0 came back as %v", ttl)
		}
	})
}
