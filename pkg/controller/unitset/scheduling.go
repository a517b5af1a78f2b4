// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// setScheduling adds what the set says of nodes, schedulers and registries to what
// the package says; of a single value the set's wins.
func setScheduling(spec *corev1.PodSpec, set *v1alpha2.UnitSet) {
	for _, secret := range set.Spec.ImagePullSecrets {
		if !slices.Contains(spec.ImagePullSecrets, secret) {
			spec.ImagePullSecrets = append(spec.ImagePullSecrets, secret)
		}
	}
	want := set.Spec.Scheduling
	if want == nil {
		return
	}
	for i := range want.Tolerations {
		spec.Tolerations = append(spec.Tolerations, *want.Tolerations[i].DeepCopy())
	}
	for i := range want.TopologySpreadConstraints {
		constraint := want.TopologySpreadConstraints[i].DeepCopy()
		if constraint.LabelSelector == nil {
			constraint.LabelSelector = &metav1.LabelSelector{MatchLabels: selectorOf(set)}
		}
		spec.TopologySpreadConstraints = append(spec.TopologySpreadConstraints, *constraint)
	}
	if want.PriorityClassName != "" {
		spec.PriorityClassName = want.PriorityClassName
	}
	if want.SchedulerName != "" {
		spec.SchedulerName = want.SchedulerName
	}
}

// setAgentResources in the template, from which a pod's agent gets them.
func setAgentResources(template *corev1.PodTemplateSpec, resources *corev1.ResourceRequirements) error {
	if resources == nil || len(resources.Requests) == 0 && len(resources.Limits) == 0 {
		return nil
	}
	text, err := json.Marshal(resources)
	if err != nil {
		return err
	}
	metav1.SetMetaDataAnnotation(&template.ObjectMeta, podspec.AnnotationAgentResources, string(text))
	return nil
}
