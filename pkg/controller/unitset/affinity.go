// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

const (
	antiAffinitySoft = "soft"
	antiAffinityHard = "hard"
)

// setAffinity adds a set's presets to what the package asks for.
func setAffinity(spec *corev1.PodSpec, set *v1alpha2.UnitSet) {
	var nodes []corev1.NodeSelectorRequirement
	for _, preset := range set.Spec.NodeAffinityPreset {
		nodes = append(nodes, corev1.NodeSelectorRequirement{
			Key: preset.Key, Operator: corev1.NodeSelectorOpIn, Values: slices.Clone(preset.Values),
		})
	}
	podspec.RequireNodes(spec, nodes)

	if set.Spec.PodAntiAffinityPreset != antiAffinitySoft && set.Spec.PodAntiAffinityPreset != antiAffinityHard {
		return
	}
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{}
	}
	if spec.Affinity.PodAntiAffinity == nil {
		spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{}
	}
	anti := spec.Affinity.PodAntiAffinity
	term := corev1.PodAffinityTerm{
		LabelSelector: &metav1.LabelSelector{MatchLabels: selectorOf(set)},
		TopologyKey:   corev1.LabelHostname,
	}
	if set.Spec.PodAntiAffinityPreset == antiAffinityHard {
		anti.RequiredDuringSchedulingIgnoredDuringExecution = append(anti.RequiredDuringSchedulingIgnoredDuringExecution, term)
		return
	}
	anti.PreferredDuringSchedulingIgnoredDuringExecution = append(anti.PreferredDuringSchedulingIgnoredDuringExecution,
		corev1.WeightedPodAffinityTerm{Weight: 100, PodAffinityTerm: term})
}

// nodePins reads the annotation that pins units to nodes: unit name to node name,
// without the units that have no pin.
func nodePins(set *v1alpha2.UnitSet) (map[string]string, error) {
	text := set.Annotations[v1alpha2.AnnotationNodeNameMap]
	if text == "" {
		return nil, nil
	}
	pins := map[string]string{}
	if err := json.Unmarshal([]byte(text), &pins); err != nil {
		return nil, fmt.Errorf("annotation %s is not a JSON object of unit name to node name: %w", v1alpha2.AnnotationNodeNameMap, err)
	}
	for unit, node := range pins {
		if node == "" || node == v1alpha2.NoNodeSet {
			delete(pins, unit)
		}
	}
	return pins, nil
}
