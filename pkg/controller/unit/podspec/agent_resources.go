// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// AnnotationAgentResources of a Unit's pod template holds the resources of the
// agent's containers as JSON, as the UnitSet's spec.agentResources has them: a pod
// template has no other place for containers that are added to it later. It is part
// of the template's hash and does not reach the pod.
const AnnotationAgentResources = "unit-operator.io/agent-resources"

// Resources of an agent container. Every one has a request and a limit, else a
// ResourceQuota on cpu or memory admits no pod. What the agent starts (dumps,
// compression) is charged there too.
var (
	agentCPURequest    = resource.MustParse("50m")
	agentCPULimit      = resource.MustParse("1")
	agentMemoryRequest = resource.MustParse("64Mi")
	agentMemoryLimit   = resource.MustParse("1Gi")
	// agentGuaranteedCPU where the pod's class asks for request and limit alike. No
	// whole number, which would take a core of its own from the static CPU manager.
	agentGuaranteedCPU = resource.MustParse("500m")
)

// agentResources are the operator's, under those that the template asks for: a
// resource that is named there, in requests or in limits, is as it stands there.
// They keep a Guaranteed pod Guaranteed: requests equal limits then.
func (b *builder) agentResources() corev1.ResourceRequirements {
	r := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: agentCPURequest.DeepCopy(), corev1.ResourceMemory: agentMemoryRequest.DeepCopy()},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: agentCPULimit.DeepCopy(), corev1.ResourceMemory: agentMemoryLimit.DeepCopy()},
	}
	alike := guaranteed(b.database.Resources)
	if alike {
		r.Limits[corev1.ResourceCPU] = agentGuaranteedCPU.DeepCopy()
	}
	for _, asked := range []corev1.ResourceList{b.agentAsked.Requests, b.agentAsked.Limits} {
		for name := range asked {
			delete(r.Requests, name)
			delete(r.Limits, name)
		}
	}
	for name, quantity := range b.agentAsked.Requests {
		r.Requests[name] = quantity.DeepCopy()
	}
	for name, quantity := range b.agentAsked.Limits {
		r.Limits[name] = quantity.DeepCopy()
	}
	if alike {
		for name, quantity := range r.Requests {
			if _, limited := r.Limits[name]; !limited {
				r.Limits[name] = quantity.DeepCopy()
			}
		}
		for name, quantity := range r.Limits {
			r.Requests[name] = quantity.DeepCopy()
		}
	}
	return r
}

// agentAsked are the agent's resources that a Unit's template asks for.
func agentAsked(unit *v1alpha2.Unit) (asked corev1.ResourceRequirements, err error) {
	text := unit.Spec.Template.Annotations[AnnotationAgentResources]
	if text == "" {
		return asked, nil
	}
	if err := json.Unmarshal([]byte(text), &asked); err != nil {
		return asked, fmt.Errorf("annotation %s of the template is not what a container's resources are: %w", AnnotationAgentResources, err)
	}
	return asked, nil
}

// guaranteed says whether cpu and memory have limits, and requests that equal
// them. An absent request is its limit.
func guaranteed(r corev1.ResourceRequirements) bool {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		limit, ok := r.Limits[name]
		if !ok || limit.IsZero() {
			return false
		}
		if request, ok := r.Requests[name]; ok && request.Cmp(limit) != 0 {
			return false
		}
	}
	return true
}
