// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// dryRun deletions are judged like others, and delete nothing where a guard fails.
var dryRun = metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}

// guarded waits until the API server has taken up the guards: it compiles policies some
// time after they were created.
func guarded(t *testing.T, refused func(context.Context) error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for refused(t.Context()) == nil {
		if time.Now().After(deadline) {
			t.Fatal("nothing refuses the deletion")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestNobodyDeletesTheKindsByAccident(t *testing.T) {
	e := needCluster(t)
	file := filepath.Join(e.dist(t), "crds.yaml")
	// As somebody types it who wants to be rid of the operator.
	remove := func(ctx context.Context) error {
		_, err := e.kubectl(ctx, "delete", "--dry-run=server", "-f", file)
		return err
	}
	guarded(t, remove)
	said := remove(t.Context()).Error()
	for _, plural := range []string{"grpccalls", "mysqlreplications", "postgresreplications", "units", "unitsets"} {
		want := "all " + plural + " of this cluster, and the databases that they are, would be deleted with their CRD"
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
		if want = "kubectl annotate crd " + plural + ".upm.syntropycloud.io unit-operator.io/allow-deletion=true"; !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}

	const name = "grpccalls.upm.syntropycloud.io"
	if _, err := e.kubectl(t.Context(), "annotate", "crd", name, "unit-operator.io/allow-deletion=true"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.kubectl(t.Context(), "delete", "--dry-run=server", "crd", name); err != nil {
		t.Errorf("who has said that he is sure: %v", err)
	}
	if _, err := e.kubectl(t.Context(), "annotate", "crd", name, "unit-operator.io/allow-deletion-"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.kubectl(t.Context(), "delete", "--dry-run=server", "crd", "servicemonitors.monitoring.coreos.com"); err != nil {
		t.Errorf("a kind of somebody else: %v", err)
	}
}

func TestProtectedObjectsAreNotDeleted(t *testing.T) {
	e := needCluster(t)
	e.dist(t)
	ns := e.namespace(t)
	sets := e.upm.UpmV1alpha2().UnitSets(ns)
	for _, name := range []string{"orders", "scratch"} {
		set := &v1alpha2.UnitSet{ObjectMeta: metav1.ObjectMeta{Name: name}}
		set.Spec.Type, set.Spec.Version, set.Spec.Units = v1alpha2.UnitTypeMySQL, "8.4.6", new(int32(1))
		if _, err := sets.Create(t.Context(), set, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	protect := []byte(`{"metadata":{"annotations":{"unit-operator.io/deletion-protection":"true"}}}`)
	if _, err := sets.Patch(t.Context(), "orders", types.MergePatchType, protect, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.kube.CoreV1().Namespaces().Patch(t.Context(), ns, types.MergePatchType, protect, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	remove := func(ctx context.Context) error { return sets.Delete(ctx, "orders", dryRun) }
	guarded(t, remove)
	const want = "orders is protected from deletion. If it is not needed any more, take the annotation unit-operator.io/deletion-protection off first"
	if err := remove(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("it says %v", err)
	}
	if err := sets.DeleteCollection(t.Context(), dryRun, metav1.ListOptions{FieldSelector: "metadata.name=orders"}); err == nil {
		t.Error("as one of many it is deleted")
	}
	if err := e.kube.CoreV1().Namespaces().Delete(t.Context(), ns, dryRun); err == nil {
		t.Error("its namespace is deleted")
	}
	if err := sets.Delete(t.Context(), "scratch", dryRun); err != nil {
		t.Errorf("one without the annotation: %v", err)
	}
	unprotect := []byte(`{"metadata":{"annotations":{"unit-operator.io/deletion-protection":null}}}`)
	if _, err := sets.Patch(t.Context(), "orders", types.MergePatchType, unprotect, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := sets.Delete(t.Context(), "orders", metav1.DeleteOptions{}); err != nil {
		t.Errorf("unprotected: %v", err)
	}
}
