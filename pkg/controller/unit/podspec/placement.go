// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// requireNode lets a pod run on one node only, through the scheduler. Terms are
// alternatives, so the node goes into each of them.
func requireNode(spec *corev1.PodSpec, node string) {
	if node == "" {
		return
	}
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{}
	}
	if spec.Affinity.NodeAffinity == nil {
		spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	affinity := spec.Affinity.NodeAffinity
	if affinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		affinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{}
	}
	field := corev1.NodeSelectorRequirement{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}
	required := affinity.RequiredDuringSchedulingIgnoredDuringExecution
	if len(required.NodeSelectorTerms) == 0 {
		required.NodeSelectorTerms = []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{field}}}
		return
	}
	for i := range required.NodeSelectorTerms {
		term := &required.NodeSelectorTerms[i]
		// An empty term matches no node and must not begin to match one.
		empty := len(term.MatchExpressions) == 0 && len(term.MatchFields) == 0
		there := slices.ContainsFunc(term.MatchFields, func(r corev1.NodeSelectorRequirement) bool {
			return equality.Semantic.DeepEqual(r, field)
		})
		if !empty && !there {
			term.MatchFields = append(term.MatchFields, field)
		}
	}
}

// addSearchDomain lets people in a pod call the other units by their short names.
func (b *builder) addSearchDomain(domain string) {
	if b.spec.DNSConfig == nil {
		b.spec.DNSConfig = &corev1.PodDNSConfig{}
	}
	if !slices.Contains(b.spec.DNSConfig.Searches, domain) {
		b.spec.DNSConfig.Searches = append(b.spec.DNSConfig.Searches, domain)
	}
}
