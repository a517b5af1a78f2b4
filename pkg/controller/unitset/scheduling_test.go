// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

func TestScheduling(t *testing.T) {
	own := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "x"}}
	set := newSet(func(set *v1alpha2.UnitSet) {
		set.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}, {Name: "package"}}
		set.Spec.AgentResources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}}
		set.Spec.Scheduling = &v1alpha2.SchedulingSpec{
			Tolerations: []corev1.Toleration{{Key: "db", Operator: corev1.TolerationOpExists}},
			TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
				{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule},
				{MaxSkew: 2, TopologyKey: "rack", WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: own},
			},
			PriorityClassName: "databases", SchedulerName: "binpack",
		}
	})

	t.Run("reaches the units", func(t *testing.T) {
		w := newWorld(t, set.DeepCopy())
		w.settleUnits()
		template := w.unit(2).Spec.Template
		spec := template.Spec
		if d := cmp.Diff([]corev1.LocalObjectReference{{Name: "registry"}, {Name: "package"}}, spec.ImagePullSecrets); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if d := cmp.Diff(set.Spec.Scheduling.Tolerations, spec.Tolerations); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		want := []*metav1.LabelSelector{{MatchLabels: selectorOf(set)}, own}
		got := []*metav1.LabelSelector{spec.TopologySpreadConstraints[0].LabelSelector, spec.TopologySpreadConstraints[1].LabelSelector}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if spec.PriorityClassName != "databases" || spec.SchedulerName != "binpack" {
			t.Errorf("priority class %s, scheduler %s", spec.PriorityClassName, spec.SchedulerName)
		}
		if got := template.Annotations[podspec.AnnotationAgentResources]; got != `{"limits":{"cpu":"2"}}` {
			t.Errorf("the agent's resources: %s", got)
		}
	})

	t.Run("is laid over the package's", func(t *testing.T) {
		spec := &corev1.PodSpec{
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "package"}},
			Tolerations:      []corev1.Toleration{{Key: "package"}},
			SchedulerName:    "package",
		}
		setScheduling(spec, set)
		setScheduling(spec, newSet())
		if len(spec.ImagePullSecrets) != 2 || len(spec.Tolerations) != 2 || spec.SchedulerName != "binpack" {
			t.Errorf("%+v", spec)
		}
	})

	t.Run("is another revision, and none where there is nothing in it", func(t *testing.T) {
		w := newWorld(t, newSet())
		w.settleUnits()
		before := w.set().Status.UpdateRevision
		w.edit(func(s *v1alpha2.UnitSet) {
			s.Spec.Scheduling, s.Spec.AgentResources = &v1alpha2.SchedulingSpec{}, &corev1.ResourceRequirements{}
		})
		w.settleUnits()
		if after := w.set().Status.UpdateRevision; after != before {
			t.Errorf("nothing became revision %s", after)
		}
		w.edit(func(s *v1alpha2.UnitSet) { s.Spec.Scheduling = set.Spec.Scheduling.DeepCopy() })
		w.settleUnits()
		if after := w.set().Status.UpdateRevision; after == before {
			t.Error("tolerations became no revision")
		}
	})
}
