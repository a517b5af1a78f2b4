// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestTheAgentsResourcesKeepAGuaranteedPodGuaranteedAndElseTakeNoCPU(t *testing.T) {
	list := func(cpu, memory string) corev1.ResourceList {
		out := corev1.ResourceList{}
		if cpu != "" {
			out[corev1.ResourceCPU] = resource.MustParse(cpu)
		}
		if memory != "" {
			out[corev1.ResourceMemory] = resource.MustParse(memory)
		}
		return out
	}
	burstable := corev1.ResourceRequirements{Requests: list("", "64Mi"), Limits: list("", "1Gi")}
	same := corev1.ResourceRequirements{Requests: list("500m", "1Gi"), Limits: list("500m", "1Gi")}
	for _, test := range []struct {
		name     string
		database corev1.ResourceRequirements
		want     corev1.ResourceRequirements
	}{
		{"none", corev1.ResourceRequirements{}, burstable},
		{"a memory limit alone", corev1.ResourceRequirements{Limits: list("", "2Gi")}, burstable},
		{"requests alone", corev1.ResourceRequirements{Requests: list("1", "2Gi")}, burstable},
		{"requests below limits", corev1.ResourceRequirements{Requests: list("1", "2Gi"), Limits: list("2", "2Gi")}, burstable},
		{"limits alone", corev1.ResourceRequirements{Limits: list("2", "2Gi")}, same},
		{"requests equal limits", corev1.ResourceRequirements{Requests: list("2000m", "2048Mi"), Limits: list("2", "2Gi")}, same},
		{"one request, equal", corev1.ResourceRequirements{Requests: list("", "2Gi"), Limits: list("2", "2Gi")}, same},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := build(t, inputFor(t, standalone(func(u *v1alpha2.Unit) { database(u).Resources = test.database })))
			for _, name := range []string{InstallContainer, AgentContainer} {
				if d := cmp.Diff(test.want, containerNamed(pod.Spec.InitContainers, name).Resources); d != "" {
					t.Errorf("%s (-want +got):\n%s", name, d)
				}
			}
			if d := cmp.Diff(test.database, pod.Spec.Containers[0].Resources); d != "" {
				t.Errorf("the database's own changed (-want +got):\n%s", d)
			}
		})
	}
}

func TestTheAgentsIdentityIsMountedIntoTheSidecarOnly(t *testing.T) {
	for _, name := range unitFiles(t) {
		pod := build(t, inputFor(t, readUnit(t, name)))
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			if m := mountOf(c.VolumeMounts, tlsVolume); (m != nil) != (c.Name == AgentContainer) {
				t.Errorf("%s: container %s mounts it: %t", name, c.Name, m != nil)
			}
		}
	}
}

func TestWithoutMonitoringThePodHasNoMetricsPort(t *testing.T) {
	unit := readUnit(t, "set-mysql")
	unit.Annotations[v1alpha2.AnnotationMonitoringEnabled] = "false"
	agent := containerNamed(build(t, inputFor(t, unit)).Spec.InitContainers, AgentContainer)
	if d := cmp.Diff([]corev1.ContainerPort{{Name: "unit-agent", ContainerPort: AgentPort, Protocol: corev1.ProtocolTCP}}, agent.Ports); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
