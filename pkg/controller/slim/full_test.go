// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	upmfake "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/fake"
)

func TestFullInformersFindReplicationsByTheirMembers(t *testing.T) {
	objectMeta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "ns", Name: name, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}}}
	}
	mysql := &v1alpha1.MysqlReplication{ObjectMeta: objectMeta("orders")}
	mysql.Spec.Source.Name = "orders-0"
	mysql.Spec.Replica = make([]v1alpha1.MysqlReplicaMember, 2)
	mysql.Spec.Replica[0].Name, mysql.Spec.Replica[1].Name = "orders-1", "orders-2"
	mysql.Status.Topology = []v1alpha1.ReplicationMemberStatus{{Name: "orders-0"}, {Name: "orders-4"}}
	postgres := &v1alpha1.PostgresReplication{ObjectMeta: objectMeta("books")}
	postgres.Spec.Primary.Name = "books-0"
	postgres.Spec.Standby = make([]v1alpha1.PostgresStandbyMember, 1)
	postgres.Spec.Standby[0].Name = "books-1"
	set := &v1alpha2.UnitSet{ObjectMeta: objectMeta("orders")}

	upm := upmfake.NewSimpleClientset(mysql, postgres, set)
	sets, err := NewUnitSets(upm, AllNamespaces)
	if err != nil {
		t.Fatal(err)
	}
	mysqls, err := NewMysqlReplications(upm, []string{"ns", "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	postgreses, err := NewPostgresReplications(upm, AllNamespaces)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 3)
	for _, run := range []func(context.Context){sets.Run, mysqls.Run, postgreses.Run} {
		go func() { run(ctx); done <- struct{}{} }()
	}
	wait(t, "the first lists", func() bool { return sets.HasSynced() && mysqls.HasSynced() && postgreses.HasSynced() })

	for _, s := range sets.List() {
		if len(s.ManagedFields) > 0 {
			t.Error("managed fields are kept")
		}
	}
	got := map[string]int{}
	for _, unit := range []string{"ns/orders-0", "ns/orders-1", "ns/orders-2", "ns/orders-3", "ns/orders-4", "elsewhere/orders-0"} {
		got[unit] = len(mysqls.ByIndex(ByMember, unit))
	}
	for _, unit := range []string{"ns/books-0", "ns/books-1", "ns/books-2"} {
		got[unit] = len(postgreses.ByIndex(ByMember, unit))
	}
	want := map[string]int{
		"ns/orders-0": 1, "ns/orders-1": 1, "ns/orders-2": 1, "ns/orders-3": 0, "elsewhere/orders-0": 0,
		// It was taken out of the spec and is not let go of yet.
		"ns/orders-4": 1,
		"ns/books-0":  1, "ns/books-1": 1, "ns/books-2": 0,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("members: -want +got:\n%s", d)
	}
	cancel()
	for range cap(done) {
		<-done
	}
}
