// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// ServiceHash is a hash of what a controller decides about a Service: not of what
// the API server fills in (addresses, node ports, policies). Equal for the spec
// that was asked for and the one that came of it.
func ServiceHash(spec *corev1.ServiceSpec) string {
	type port struct {
		Name, Protocol, TargetPort string
		Port                       int32
	}
	ports := make([]port, 0, len(spec.Ports))
	for _, p := range spec.Ports {
		ports = append(ports, port{
			Name: p.Name, Protocol: string(cmp.Or(p.Protocol, corev1.ProtocolTCP)), TargetPort: p.TargetPort.String(), Port: p.Port,
		})
	}
	slices.SortFunc(ports, func(a, b port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol))
	})
	return ContentHash([]any{
		cmp.Or(spec.Type, corev1.ServiceTypeClusterIP), spec.ClusterIP == corev1.ClusterIPNone,
		spec.PublishNotReadyAddresses, spec.Selector, ports,
	})
}

// DisruptionHash is the same for a PodDisruptionBudget.
func DisruptionHash(spec *policyv1.PodDisruptionBudgetSpec) string { return ContentHash(spec) }
