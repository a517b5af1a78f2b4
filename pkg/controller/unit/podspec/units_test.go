// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// standalone is a small standalone Unit, changed.
func standalone(change ...func(*v1alpha2.Unit)) *v1alpha2.Unit {
	unit := &v1alpha2.Unit{
		ObjectMeta: metav1.ObjectMeta{Name: "single", Namespace: "shop", UID: "unit-uid"},
		Spec: v1alpha2.UnitSpec{
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "mysql", Image: "mysql:8.4.6"}}}},
		},
	}
	for _, c := range change {
		c(unit)
	}
	return unit
}

func database(u *v1alpha2.Unit) *corev1.Container { return &u.Spec.Template.Spec.Containers[0] }

func claimTemplate(name, size string) func(*v1alpha2.Unit) {
	return func(u *v1alpha2.Unit) {
		u.Spec.VolumeClaimTemplates = append(u.Spec.VolumeClaimTemplates, corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)},
			}},
		})
	}
}

func mount(volume, path string) func(*v1alpha2.Unit) {
	return func(u *v1alpha2.Unit) {
		database(u).VolumeMounts = append(database(u).VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: path})
	}
}

func volume(name string, source corev1.VolumeSource) func(*v1alpha2.Unit) {
	return func(u *v1alpha2.Unit) {
		u.Spec.Template.Spec.Volumes = append(u.Spec.Template.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	}
}

var (
	anEmptyDir  = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	aConfigMap  = corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}}}
	anEphemeral = corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}
)

func aClaim(name string) corev1.VolumeSource {
	return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}
}
