// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

func TestAntiAffinityPresets(t *testing.T) {
	for preset, want := range map[string][2]int{"": {0, 0}, "soft": {1, 0}, "hard": {0, 1}} {
		var spec corev1.PodSpec
		setAffinity(&spec, newSet(func(set *v1alpha2.UnitSet) { set.Spec.PodAntiAffinityPreset = preset }))
		if preset == "" {
			if spec.Affinity != nil {
				t.Errorf("without a preset: %+v", spec.Affinity)
			}
			continue
		}
		anti := spec.Affinity.PodAntiAffinity
		got := [2]int{len(anti.PreferredDuringSchedulingIgnoredDuringExecution), len(anti.RequiredDuringSchedulingIgnoredDuringExecution)}
		if got != want {
			t.Errorf("%s: preferred and required terms %v, want %v", preset, got, want)
		}
	}
}

func TestNodeRequirementsAreAndedToThePackagesAlternatives(t *testing.T) {
	in := func(key, value string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}
	}
	spec := corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{MatchExpressions: []corev1.NodeSelectorRequirement{in("zone", "a")}},
			{MatchExpressions: []corev1.NodeSelectorRequirement{in("zone", "b")}},
		}},
	}}}
	setAffinity(&spec, newSet(func(set *v1alpha2.UnitSet) {
		set.Spec.NodeAffinityPreset = []v1alpha2.NodeAffinityPresetSpec{{Key: "arch", Values: []string{"amd64"}}}
	}))
	podspec.RequireNode(&spec, "node-a")
	podspec.RequireNode(&spec, "")
	pin := []corev1.NodeSelectorRequirement{in("metadata.name", "node-a")}
	want := []corev1.NodeSelectorTerm{
		{MatchExpressions: []corev1.NodeSelectorRequirement{in("zone", "a"), in("arch", "amd64")}, MatchFields: pin},
		{MatchExpressions: []corev1.NodeSelectorRequirement{in("zone", "b"), in("arch", "amd64")}, MatchFields: pin},
	}
	if d := cmp.Diff(want, spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestNodePins(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"":   nil,
		"{}": {},
		`{"orders-0": "node-a", "orders-1": "", "orders-2": "noneSet", "another-0": "node-b"}`: {"orders-0": "node-a", "another-0": "node-b"},
	} {
		got, err := nodePins(newSet(func(set *v1alpha2.UnitSet) { set.Annotations = map[string]string{v1alpha2.AnnotationNodeNameMap: text} }))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", text, d)
		}
	}
	if _, err := nodePins(newSet(func(set *v1alpha2.UnitSet) {
		set.Annotations = map[string]string{v1alpha2.AnnotationNodeNameMap: `["node-a"]`}
	})); err == nil {
		t.Error("a list is accepted")
	}
}
