// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RequireNode lets a pod run on one node only, through the scheduler, so that volumes
// that wait for their first consumer are made there.
func RequireNode(spec *corev1.PodSpec, node string) {
	if node != "" {
		RequireNodes(spec, nil, corev1.NodeSelectorRequirement{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node}})
	}
}

// RequireNodes ands requirements to what is required already: terms are alternatives, so
// they go into each of them. A field that is required already is not repeated.
func RequireNodes(spec *corev1.PodSpec, labels []corev1.NodeSelectorRequirement, fields ...corev1.NodeSelectorRequirement) {
	if len(labels) == 0 && len(fields) == 0 {
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
	required := affinity.RequiredDuringSchedulingIgnoredDuringExecution
	if len(required.NodeSelectorTerms) == 0 {
		required.NodeSelectorTerms = []corev1.NodeSelectorTerm{{MatchExpressions: labels, MatchFields: fields}}
		return
	}
	for i := range required.NodeSelectorTerms {
		term := &required.NodeSelectorTerms[i]
		if len(term.MatchExpressions) == 0 && len(term.MatchFields) == 0 {
			continue // It matches no node and must not begin to match one.
		}
		term.MatchExpressions = append(term.MatchExpressions, labels...)
		for _, field := range fields {
			if !slices.ContainsFunc(term.MatchFields, func(r corev1.NodeSelectorRequirement) bool { return equality.Semantic.DeepEqual(r, field) }) {
				term.MatchFields = append(term.MatchFields, field)
			}
		}
	}
}

// AddSearchDomain lets people in a pod call the other units by their short names.
func AddSearchDomain(spec *corev1.PodSpec, domain string) {
	if spec.DNSConfig == nil {
		spec.DNSConfig = &corev1.PodDNSConfig{}
	}
	if !slices.Contains(spec.DNSConfig.Searches, domain) {
		spec.DNSConfig.Searches = append(spec.DNSConfig.Searches, domain)
	}
}
