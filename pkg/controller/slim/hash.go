// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// ContentHash is a stable hash of any value that marshals to JSON.
func ContentHash(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		// Only a programming error gets here: API types marshal.
		panic(fmt.Sprintf("hashing a %T: %v", v, err))
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// TemplateHash is the hash of what a running pod cannot follow without being made
// anew: the spec of its template, without the containers' cpu and memory (those
// change in place), without labels and annotations.
func TemplateHash(t *corev1.PodTemplateSpec) string {
	spec := t.Spec.DeepCopy()
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			list[i].Resources = corev1.ResourceRequirements{Claims: list[i].Resources.Claims}
		}
	}
	return ContentHash(spec)
}

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
