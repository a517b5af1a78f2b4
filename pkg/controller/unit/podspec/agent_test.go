// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestAgentResources(t *testing.T) {
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
	burstable := corev1.ResourceRequirements{Requests: list("50m", "64Mi"), Limits: list("1", "1Gi")}
	requestsBelowLimits := corev1.ResourceRequirements{Requests: list("1", "2Gi"), Limits: list("2", "2Gi")}
	requestsEqualLimits := corev1.ResourceRequirements{Limits: list("2", "2Gi")}
	same := corev1.ResourceRequirements{Requests: list("500m", "1Gi"), Limits: list("500m", "1Gi")}
	for _, test := range []struct {
		name     string
		database corev1.ResourceRequirements
		want     corev1.ResourceRequirements
		asked    string
	}{
		{"none", corev1.ResourceRequirements{}, burstable, ""},
		{"a memory limit alone", corev1.ResourceRequirements{Limits: list("", "2Gi")}, burstable, ""},
		{"requests alone", corev1.ResourceRequirements{Requests: list("1", "2Gi")}, burstable, ""},
		{"requests below limits", corev1.ResourceRequirements{Requests: list("1", "2Gi"), Limits: list("2", "2Gi")}, burstable, ""},
		{"limits alone", corev1.ResourceRequirements{Limits: list("2", "2Gi")}, same, ""},
		{"requests equal limits", corev1.ResourceRequirements{Requests: list("2000m", "2048Mi"), Limits: list("2", "2Gi")}, same, ""},
		{"cpu is asked for", requestsBelowLimits, corev1.ResourceRequirements{Requests: list("200m", "64Mi"), Limits: list("4", "1Gi")}, `{"requests":{"cpu":"200m"},"limits":{"cpu":"4"}}`},
		{"a request alone", requestsBelowLimits, corev1.ResourceRequirements{Requests: list("200m", "64Mi"), Limits: list("", "1Gi")}, `{"requests":{"cpu":"200m"}}`},
		{"a small limit alone", requestsBelowLimits, corev1.ResourceRequirements{Requests: list("50m", ""), Limits: list("1", "32Mi")}, `{"limits":{"memory":"32Mi"}}`},
		{"a request alone of a Guaranteed pod", requestsEqualLimits, corev1.ResourceRequirements{Requests: list("200m", "1Gi"), Limits: list("200m", "1Gi")}, `{"requests":{"cpu":"200m"}}`},
		{"a request below the limit of a Guaranteed pod", requestsEqualLimits, corev1.ResourceRequirements{Requests: list("900m", "1Gi"), Limits: list("900m", "1Gi")}, `{"requests":{"cpu":"200m"},"limits":{"cpu":"900m"}}`},
		{"one request, equal", corev1.ResourceRequirements{Requests: list("", "2Gi"), Limits: list("2", "2Gi")}, same, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := build(t, inputFor(t, standalone(func(u *v1alpha2.Unit) {
				database(u).Resources = test.database
				if test.asked != "" {
					u.Spec.Template.Annotations = map[string]string{AnnotationAgentResources: test.asked}
				}
			})))
			if got, there := pod.Annotations[AnnotationAgentResources]; there {
				t.Errorf("the pod carries %s", got)
			}
			for _, name := range []string{InstallContainer, AgentContainer} {
				if d := cmp.Diff(test.want, ContainerNamed(pod.Spec.InitContainers, name).Resources); d != "" {
					t.Errorf("%s (-want +got):\n%s", name, d)
				}
			}
			if d := cmp.Diff(test.database, pod.Spec.Containers[0].Resources); d != "" {
				t.Errorf("the database's own changed (-want +got):\n%s", d)
			}
		})
	}
}

func TestAgentResourcesThatCannotBeRead(t *testing.T) {
	_, err := Build(inputFor(t, standalone(func(u *v1alpha2.Unit) {
		u.Spec.Template.Annotations = map[string]string{AnnotationAgentResources: "much"}
	})))
	if err == nil || !strings.Contains(err.Error(), AnnotationAgentResources) {
		t.Errorf("the error is %v", err)
	}
}

// A ResourceQuota on cpu or memory refuses a pod of which one container, init
// containers included, has no request or no limit of it.
func TestAQuotaOnCPUAndMemoryAdmitsThePodsOfUnits(t *testing.T) {
	for _, name := range unitFiles(t) {
		pod := build(t, inputFor(t, readUnit(t, name)))
		for _, c := range pod.Spec.InitContainers {
			if c.Name != InstallContainer && c.Name != AgentContainer {
				continue
			}
			for _, list := range []corev1.ResourceList{c.Resources.Requests, c.Resources.Limits} {
				if list.Cpu().IsZero() || list.Memory().IsZero() {
					t.Errorf("%s: container %s has requests and limits %v", name, c.Name, c.Resources)
				}
			}
		}
	}
}

func TestTheAutoscalerMayLoseOurScratchVolumesAndNeverTheData(t *testing.T) {
	for _, name := range unitFiles(t) {
		pod := build(t, inputFor(t, readUnit(t, name)))
		safe := strings.Split(pod.Annotations[safeToEvictLocalVolume], ",")
		for _, v := range pod.Spec.Volumes {
			ours := strings.HasPrefix(v.Name, "unit-")
			if v.EmptyDir != nil && slices.Contains(safe, v.Name) != ours {
				t.Errorf("%s: emptyDir %s is listed: %t", name, v.Name, !ours)
			}
		}
		if slices.Contains(safe, "data") {
			t.Errorf("%s: the data is listed", name)
		}
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
	agent := ContainerNamed(build(t, inputFor(t, unit)).Spec.InitContainers, AgentContainer)
	if d := cmp.Diff([]corev1.ContainerPort{{Name: "unit-agent", ContainerPort: AgentPort, Protocol: corev1.ProtocolTCP}}, agent.Ports); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
