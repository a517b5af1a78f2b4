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

// promisedReplication is what both kinds of Replications promise to make.
type promisedReplication struct {
	namespace, name string
	members         v1alpha2.UnitType
	service         *v1alpha1.ReplicationServiceSpec
	port            int32
}

func promisedOfMySQL(r *v1alpha1.MysqlReplication) promisedReplication {
	return promisedReplication{r.Namespace, r.Name, v1alpha2.UnitTypeMySQL, r.Spec.Service, r.Spec.Source.Port}
}

func promisedOfPostgreSQL(r *v1alpha1.PostgresReplication) promisedReplication {
	return promisedReplication{r.Namespace, r.Name, v1alpha2.UnitTypePostgreSQL, r.Spec.Service, r.Spec.Primary.Port}
}

func (r promisedReplication) objects(want map[string]bool) {
	for _, o := range []string{"services/" + r.name + "-readwrite", "services/" + r.name + "-readonly", "secrets/" + r.name + "-channel"} {
		want[o] = true
	}
}

// checkReplication looks at what clients connect to, and at the account of the channels.
func (e *environment) checkReplication(t *testing.T, r promisedReplication) {
	t.Helper()
	ctx, ns := t.Context(), r.namespace
	var kind corev1.ServiceType
	var annotations map[string]string
	if r.service != nil {
		kind, annotations = r.service.Type, r.service.Annotations
	}
	for name, role := range map[string]string{r.name + "-readwrite": "source", r.name + "-readonly": "replica"} {
		e.checkService(t, ns, name, kind, annotations)
		s, err := e.kube.CoreV1().Services(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelType: string(r.members), v1alpha2.LabelReplication: r.name, v1alpha2.LabelRole: role}
		if d := cmp.Diff(want, s.Spec.Selector); d != "" {
			t.Errorf("Service %s: selector (-want +got):\n%s", name, d)
		}
		if len(s.Spec.Ports) != 1 || s.Spec.Ports[0].Port != r.port {
			t.Errorf("Service %s: ports %+v, want %d", name, s.Spec.Ports, r.port)
		}
	}
	secret, err := e.kube.CoreV1().Secrets(ns).Get(ctx, r.name+"-channel", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if keys := slices.Sorted(maps.Keys(secret.Data)); !slices.Equal(keys, []string{"hash-key", "password", "username"}) {
		t.Errorf("Secret %s has the keys %v", secret.Name, keys)
	}
}
