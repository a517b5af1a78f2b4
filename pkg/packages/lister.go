// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
)

const (
	// LabelPackage marks the objects of packages. Its value is "true".
	LabelPackage = "unit-operator.io/package"
	// LabelSelector is what an informer of packages selects by.
	LabelSelector = LabelPackage + "=true"

	// TemplateSuffix and ValueSuffix after a PodTemplate's name make the names of
	// the ConfigMaps of its package.
	TemplateSuffix = "-config-template"
	ValueSuffix    = "-config-value"
)

// Lister reads the objects of packages in the operator's namespace. Absent
// objects are reported like by a lister of client-go: apierrors.IsNotFound holds
// for the error.
type Lister interface {
	PodTemplate(name string) (*corev1.PodTemplate, error)
	ConfigMap(name string) (*corev1.ConfigMap, error)
	PodTemplates() ([]*corev1.PodTemplate, error)
}

// NewLister makes a Lister of two listers of client-go that are bound to the
// operator's namespace.
func NewLister(podTemplates corelisters.PodTemplateNamespaceLister, configMaps corelisters.ConfigMapNamespaceLister) Lister {
	return lister{podTemplates: podTemplates, configMaps: configMaps}
}

type lister struct {
	podTemplates corelisters.PodTemplateNamespaceLister
	configMaps   corelisters.ConfigMapNamespaceLister
}

func (l lister) PodTemplate(name string) (*corev1.PodTemplate, error) {
	return l.podTemplates.Get(name)
}

func (l lister) ConfigMap(name string) (*corev1.ConfigMap, error) { return l.configMaps.Get(name) }

func (l lister) PodTemplates() ([]*corev1.PodTemplate, error) {
	return l.podTemplates.List(labels.Everything())
}
