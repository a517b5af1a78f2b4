// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestObjectsTellTheSpecsOfServicesApart(t *testing.T) {
	base := func() *corev1.Service {
		return &corev1.Service{Spec: corev1.ServiceSpec{
			Selector: map[string]string{"a": "b"},
			Ports:    []corev1.ServicePort{{Name: "mysql", Port: 3306, TargetPort: intstr.FromInt32(3306)}},
		}}
	}
	want, err := FromObject(base())
	if err != nil {
		t.Fatal(err)
	}
	if want.ContentHash != ServiceHash(&base().Spec) || want.ContentHash == "" {
		t.Fatalf("a Service's content hash is %q", want.ContentHash)
	}
	for name, tc := range map[string]struct {
		edit func(*corev1.ServiceSpec)
		same bool
	}{
		"what the API server fills in": {func(s *corev1.ServiceSpec) {
			s.ClusterIP, s.Type, s.SessionAffinity = "10.0.0.1", corev1.ServiceTypeClusterIP, corev1.ServiceAffinityNone
			s.Ports[0].NodePort, s.Ports[0].Protocol = 30000, corev1.ProtocolTCP
		}, true},
		"another selector":   {func(s *corev1.ServiceSpec) { s.Selector["a"] = "c" }, false},
		"another type":       {func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeNodePort }, false},
		"another port":       {func(s *corev1.ServiceSpec) { s.Ports[0].Port++ }, false},
		"another port name":  {func(s *corev1.ServiceSpec) { s.Ports[0].Name = "sql" }, false},
		"one port more":      {func(s *corev1.ServiceSpec) { s.Ports = append(s.Ports, corev1.ServicePort{Port: 1}) }, false},
		"no cluster address": {func(s *corev1.ServiceSpec) { s.ClusterIP = corev1.ClusterIPNone }, false},
		"not ready ones too": {func(s *corev1.ServiceSpec) { s.PublishNotReadyAddresses = true }, false},
	} {
		edited := base()
		tc.edit(&edited.Spec)
		got, err := FromObject(edited)
		if err != nil {
			t.Fatal(err)
		}
		if same := got.ContentHash == want.ContentHash; same != tc.same {
			t.Errorf("%s: the same is %t, want %t", name, same, tc.same)
		}
	}
}

func TestObjectsTellTheSpecsOfDisruptionBudgetsApart(t *testing.T) {
	hash := func(n int32) string {
		o, err := FromObject(&policyv1.PodDisruptionBudget{Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: new(intstr.FromInt32(n))}})
		if err != nil {
			t.Fatal(err)
		}
		return o.ContentHash
	}
	if hash(1) == "" || hash(1) != hash(1) || hash(1) == hash(2) {
		t.Errorf("hashes of 1 and 2 available: %q and %q", hash(1), hash(2))
	}
}
