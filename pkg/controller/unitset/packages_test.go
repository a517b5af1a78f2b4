// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/packages"
)

// packageStore is a packages.Lister.
type packageStore map[string]runtime.Object

func (s packageStore) install(name, unitType, image string) {
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

func (s packageStore) uninstall(name string) { delete(s, "podtemplate/"+name) }

func (s packageStore) PodTemplate(name string) (*corev1.PodTemplate, error) {
	if o, ok := s["podtemplate/"+name]; ok {
		return o.(*corev1.PodTemplate), nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("podtemplates"), name)
}

func (s packageStore) ConfigMap(name string) (*corev1.ConfigMap, error) {
	if o, ok := s["configmap/"+name]; ok {
		return o.(*corev1.ConfigMap), nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("configmaps"), name)
}

func (s packageStore) PodTemplates() ([]*corev1.PodTemplate, error) {
	var out []*corev1.PodTemplate
	for _, o := range s {
		if p, ok := o.(*corev1.PodTemplate); ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// referenceMap is References without a watch.
type referenceMap struct {
	seen map[slim.Reference]slim.Seen
	refs []slim.Reference
}

func (r *referenceMap) Set(_ cache.ObjectName, refs []slim.Reference) { r.refs = refs }
func (r *referenceMap) Forget(cache.ObjectName)                       { r.refs = nil }
func (r *referenceMap) Learn(ref slim.Reference, seen slim.Seen)      { r.seen[ref] = seen }
func (r *referenceMap) Get(ref slim.Reference) (slim.Seen, bool) {
	seen, known := r.seen[ref]
	return seen, known
}

// changed is what the watch does when something changed.
func (r *referenceMap) changed() { clear(r.seen) }
