// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// A pod of an older revision listens where that said: a Service whose port was changed
// must find it there.
func TestAServiceTargetsWhatEachPodListensOn(t *testing.T) {
	set := newSet(withServices)
	ports := []corev1.ContainerPort{{Name: "mysql", ContainerPort: 3307}, {ContainerPort: 9999}}
	services := append(clientServices(set, ports, []int32{0}, nil), headlessService(set, ports))
	for _, svc := range services {
		for _, p := range svc.Spec.Ports {
			want := map[int32]string{3307: "mysql", 9999: "9999"}[*p.Port]
			if *p.Port == podspec.MetricsPort {
				continue // the agent's, the same in every pod
			}
			if got := p.TargetPort.String(); got != want {
				t.Errorf("Service %s, port %d targets %s, want %s", *svc.Name, *p.Port, got, want)
			}
		}
	}
}

// A field that is not asked for cannot be healed.
func TestClientsReachNoUnitThatIsNotReady(t *testing.T) {
	set := newSet(withServices)
	for _, svc := range clientServices(set, []corev1.ContainerPort{{Name: "mysql", ContainerPort: 3306}}, []int32{0}, nil) {
		if p := svc.Spec.PublishNotReadyAddresses; p == nil || *p {
			t.Errorf("Service %s: %v", *svc.Name, p)
		}
	}
}
