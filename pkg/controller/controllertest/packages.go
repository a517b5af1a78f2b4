// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllertest

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/packages"
)

// Packages is a packages.Lister of packages that a test installs.
type Packages map[string]runtime.Object

// Install a package of one container.
func (s Packages) Install(name, unitType, image string) {
	labels := map[string]string{packages.LabelPackage: "true", v1alpha2.LabelType: unitType}
	objectMeta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: "upm-system", Labels: labels}
	}
	s["configmap/"+name+packages.TemplateSuffix] = &corev1.ConfigMap{
		ObjectMeta: objectMeta(name + packages.TemplateSuffix), Data: map[string]string{unitType: "port = {{ .Port }}\n"},
	}
	s["configmap/"+name+packages.ValueSuffix] = &corev1.ConfigMap{
		ObjectMeta: objectMeta(name + packages.ValueSuffix), Data: map[string]string{unitType: "max_connections: 500\n"},
	}
	s["podtemplate/"+name] = &corev1.PodTemplate{
		ObjectMeta: objectMeta(name),
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: unitType, Image: image,
			Ports: []corev1.ContainerPort{{Name: unitType, ContainerPort: 3306}, {Name: "admin", ContainerPort: 33062}},
		}}}},
	}
}

// Uninstall a package.
func (s Packages) Uninstall(name string) { delete(s, "podtemplate/"+name) }

// PodTemplate implements packages.Lister.
func (s Packages) PodTemplate(name string) (*corev1.PodTemplate, error) {
	if o, ok := s["podtemplate/"+name]; ok {
		return o.(*corev1.PodTemplate), nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("podtemplates"), name)
}

// ConfigMap implements packages.Lister.
func (s Packages) ConfigMap(name string) (*corev1.ConfigMap, error) {
	if o, ok := s["configmap/"+name]; ok {
		return o.(*corev1.ConfigMap), nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("configmaps"), name)
}

// PodTemplates implements packages.Lister.
func (s Packages) PodTemplates() ([]*corev1.PodTemplate, error) {
	var out []*corev1.PodTemplate
	for _, o := range s {
		if p, ok := o.(*corev1.PodTemplate); ok {
			out = append(out, p)
		}
	}
	return out, nil
}
