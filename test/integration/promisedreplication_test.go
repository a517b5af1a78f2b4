// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func promisesOfReplication(r *v1alpha1.MysqlReplication, want map[string]bool) {
	for _, o := range []string{"services/" + r.Name + "-readwrite", "services/" + r.Name + "-readonly", "secrets/" + r.Name + "-channel"} {
		want[o] = true
	}
}

// checkReplication looks at what clients connect to, and at the account of the channels.
func (e *environment) checkReplication(t *testing.T, r *v1alpha1.MysqlReplication) {
	t.Helper()
	ctx, ns := t.Context(), r.Namespace
	var kind corev1.ServiceType
	var annotations map[string]string
	if r.Spec.Service != nil {
		kind, annotations = r.Spec.Service.Type, r.Spec.Service.Annotations
	}
	for name, role := range map[string]string{r.Name + "-readwrite": "source", r.Name + "-readonly": "replica"} {
		e.checkService(t, ns, name, kind, annotations)
		s, err := e.kube.CoreV1().Services(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelType: "mysql", v1alpha2.LabelReplication: r.Name, v1alpha2.LabelRole: role}
		if d := cmp.Diff(want, s.Spec.Selector); d != "" {
			t.Errorf("Service %s: selector (-want +got):\n%s", name, d)
		}
		if len(s.Spec.Ports) != 1 || s.Spec.Ports[0].Port != r.Spec.Source.Port {
			t.Errorf("Service %s: ports %+v, want %d", name, s.Spec.Ports, r.Spec.Source.Port)
		}
	}
	secret, err := e.kube.CoreV1().Secrets(ns).Get(ctx, r.Name+"-channel", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if keys := slices.Sorted(maps.Keys(secret.Data)); !slices.Equal(keys, []string{"hash-key", "password", "username"}) {
		t.Errorf("Secret %s has the keys %v", secret.Name, keys)
	}
}
