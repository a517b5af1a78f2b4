// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysqlreplication

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

func TestTheDocumentsExampleConverges(t *testing.T) {
	w := newWorld(t)
	w.live()
	r := w.replication()
	if r.Status.CurrentSource != "mysql-0" {
		t.Fatalf("source %q, conditions %+v", r.Status.CurrentSource, r.Status.Conditions)
	}
	if d := cmp.Diff(map[string]string{"mysql-0": "source", "mysql-1": "replica", "mysql-2": "replica"}, w.roles()); d != "" {
		t.Errorf("labels: -want +got:\n%s", d)
	}
	if c := w.condition(v1alpha1.ReplicationReady); c.Status != metav1.ConditionTrue {
		t.Errorf("Ready %+v", c)
	}
	if d := r.Status.Durability; len(d) != 1 || d[0].W != 1 || len(d[0].Members) != 2 {
		t.Errorf("durability %+v", d)
	}
	for _, m := range r.Status.Topology {
		t.Logf("%s: role %s, %s, lag %s", m.Name, m.Role, m.State, m.Lag)
	}
	for _, e := range w.said() {
		t.Log(e)
	}
	w.Written()
	for range 20 {
		w.pass()
		w.clock.Step(restInterval)
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("written at rest: %v", writes)
	}
}

func TestSpecSourceIsSwitchedTo(t *testing.T) {
	w := newWorld(t)
	w.live()
	w.said()
	w.edit(func(r *v1alpha1.MysqlReplication) {
		r.Spec.Source, r.Spec.Replica[0].MysqlReplicationMember = r.Spec.Replica[0].MysqlReplicationMember, r.Spec.Source
	})
	w.live()
	r := w.replication()
	for _, e := range w.said() {
		t.Log(e)
	}
	if r.Status.CurrentSource != "mysql-1" || r.Status.Operation != nil {
		t.Fatalf("source %q, operation %+v, conditions %+v", r.Status.CurrentSource, r.Status.Operation, r.Status.Conditions)
	}
	if d := cmp.Diff(map[string]string{"mysql-0": "replica", "mysql-1": "source", "mysql-2": "replica"}, w.roles()); d != "" {
		t.Errorf("labels: -want +got:\n%s", d)
	}
	if c := w.condition(v1alpha1.ReplicationReady); c.Status != metav1.ConditionTrue {
		t.Errorf("Ready %+v", c)
	}
}
