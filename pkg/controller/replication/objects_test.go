// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// undecided is a pass that comes to no decision.
func undecided(context.Context, *Controller, *journal, worker.Agents, *topology.Memory) (worker.Outcome, error) {
	return worker.Outcome{}, errors.New("nothing is decided in this test")
}

func TestTheObjectsOfAReplication(t *testing.T) {
	w := newWorld(t)
	w.controller.run = undecided
	w.settle()
	r := w.replication()
	if !slices.Contains(r.Finalizers, v1alpha2.FinalizerReplication) {
		t.Errorf("finalizers %v", r.Finalizers)
	}
	readWrite := controllertest.Must[*corev1.Service](w.APIServer, "orders-readwrite")
	want := corev1.ServiceSpec{
		Type: corev1.ServiceTypeNodePort, PublishNotReadyAddresses: true,
		Selector: map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelType: "mysql", v1alpha2.LabelReplication: "orders", v1alpha2.LabelRole: "source"},
		Ports:    []corev1.ServicePort{{Name: "mysql", Port: 3306, TargetPort: intstr.FromInt32(3306), Protocol: corev1.ProtocolTCP}},
	}
	if d := cmp.Diff(want, readWrite.Spec); d != "" {
		t.Errorf("-readwrite: -want +got:\n%s", d)
	}
	readOnly := controllertest.Must[*corev1.Service](w.APIServer, "orders-readonly")
	if readOnly.Spec.PublishNotReadyAddresses || readOnly.Spec.Selector[v1alpha2.LabelRole] != "replica" {
		t.Errorf("-readonly: %+v", readOnly.Spec)
	}
	secret := controllertest.Must[*corev1.Secret](w.APIServer, "orders-channel")
	if string(secret.Data["username"]) != "unit_replication" || len(secret.Data["password"]) != 32 || !metav1.IsControlledBy(secret, r) {
		t.Errorf("channel Secret of %v, user %s, password of %d characters", secret.OwnerReferences, secret.Data["username"], len(secret.Data["password"]))
	}
	endpoints := &v1alpha1.ReplicationEndpoints{ReadWrite: "orders-readwrite.ns.svc", ReadOnly: "orders-readonly.ns.svc", Port: 3306}
	if d := cmp.Diff(endpoints, r.Status.Endpoints); d != "" {
		t.Errorf("endpoints: -want +got:\n%s", d)
	}
	if a := r.Status.Accepted; a == nil || a.Mode != "rpl_semi_sync" || len(a.Members) != 3 || r.Status.AcceptedGeneration != 1 {
		t.Errorf("accepted %+v of generation %d", r.Status.Accepted, r.Status.AcceptedGeneration)
	}
	// What somebody changes is made right, and nothing is written again and again.
	readWrite.Spec.Selector[v1alpha2.LabelRole] = "replica"
	w.Given(readWrite)
	w.settle()
	if got := controllertest.Must[*corev1.Service](w.APIServer, "orders-readwrite").Spec.Selector[v1alpha2.LabelRole]; got != "source" {
		t.Errorf("-readwrite selects %s", got)
	}
	w.Written()
	w.restart()
	w.controller.run = undecided
	w.settle()
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("written at rest: %v", writes)
	}
	for _, said := range w.said() {
		if strings.Contains(said, string(secret.Data["password"])) || strings.Contains(said, "the-users-password") {
			t.Errorf("an event has a password: %s", said)
		}
	}
}

func TestNamesOfOthersAreNotTaken(t *testing.T) {
	w := newWorld(t)
	w.controller.run = undecided
	w.Given(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "orders-readonly", Namespace: controllertest.Namespace}})
	w.Given(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-channel", Namespace: controllertest.Namespace}})
	for range 5 {
		// Each tries to make the Secret.
		if err := w.sync(); err != nil {
			t.Fatal(err)
		}
	}
	w.wantCondition(v1alpha1.ReplicationNameConflict, v1alpha1.ReplicationNameConflict, "exists and has no controller")
	if c := w.condition(v1alpha1.ReplicationReady); c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReplicationNameConflict {
		t.Errorf("Ready %+v", c)
	}
	if _, ok := controllertest.Get[*corev1.Service](w.APIServer, "orders-readwrite"); !ok {
		t.Error("what is in the way of one child keeps another from being made")
	}
}

func TestASecretThatIsMissingIsNamedAndWaitedFor(t *testing.T) {
	w := newWorld(t, func(r *v1alpha1.MysqlReplication) { r.Spec.Secret.Mysql = "admin" })
	w.controller.run = undecided
	w.settle()
	w.wantCondition(v1alpha1.ReplicationSecretMissing, v1alpha1.ReplicationSecretMissing, "Secret users", "key admin")
	secret := controllertest.Must[*corev1.Secret](w.APIServer, "users")
	w.Erase(secret)
	w.references.Changed()
	w.settle()
	w.wantCondition(v1alpha1.ReplicationSecretMissing, v1alpha1.ReplicationSecretMissing, "users does not exist")
	secret.Data["admin"] = []byte("x")
	w.Given(secret)
	w.references.Changed()
	w.settle()
	w.wantNoCondition(v1alpha1.ReplicationSecretMissing)
}

func TestAnInvalidSpecIsNamedAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.controller.run = undecided
	w.settle()
	before := w.replication().Status.Accepted
	w.edit(func(r *v1alpha1.MysqlReplication) { r.Spec.UnitSet = "nobody" })
	w.settle()
	w.wantCondition(v1alpha1.ReplicationInvalidSpec, v1alpha1.ReplicationInvalidSpec, "UnitSet nobody does not exist", "generation 1")
	status := w.replication().Status
	if d := cmp.Diff(before, status.Accepted); d != "" || status.AcceptedGeneration != 1 || status.ObservedGeneration != 2 {
		t.Errorf("accepted of generation %d, observed %d: -before +after:\n%s", status.AcceptedGeneration, status.ObservedGeneration, d)
	}
	w.edit(func(r *v1alpha1.MysqlReplication) { r.Spec.UnitSet = "" })
	w.settle()
	w.wantNoCondition(v1alpha1.ReplicationInvalidSpec)
}

func TestAMemberOfAnOlderReplicationIsNotTouched(t *testing.T) {
	w := newWorld(t)
	w.controller.run = undecided
	older := newReplication("first")
	older.CreationTimestamp = metav1.NewTime(w.clock.Now().Add(-3600e9))
	w.Given(older)
	w.settle()
	w.wantCondition(v1alpha1.ReplicationMemberTaken, v1alpha1.ReplicationMemberTaken, "mysql-0", "MysqlReplication first")
	w.Erase(older)
	w.settle()
	w.wantNoCondition(v1alpha1.ReplicationMemberTaken)
}

func TestAGroupIsLeftAlone(t *testing.T) {
	w := newWorld(t, func(r *v1alpha1.MysqlReplication) { r.Spec.Mode = v1alpha1.MysqlReplicationGroup })
	w.controller.run = func(context.Context, *Controller, *journal, worker.Agents, *topology.Memory) (worker.Outcome, error) {
		t.Error("a pass is made")
		return worker.Outcome{}, nil
	}
	w.settle()
	w.adopt()
	w.pass()
	w.wantCondition(v1alpha1.ReplicationNotActedOn, v1alpha1.ReplicationNotActedOn, "group_replication")
	if c := w.condition(v1alpha1.ReplicationReady); c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReplicationNotActedOn {
		t.Errorf("Ready %+v", c)
	}
}
