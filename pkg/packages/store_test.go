// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	installed "github.com/upmio/unit-operator/artifacts"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// store is a Lister over plain maps.
type store struct {
	podTemplates map[string]*corev1.PodTemplate
	configMaps   map[string]*corev1.ConfigMap
	// err is returned by every method if set.
	err error
}

func newStore() *store {
	return &store{podTemplates: map[string]*corev1.PodTemplate{}, configMaps: map[string]*corev1.ConfigMap{}}
}

func (s *store) PodTemplate(name string) (*corev1.PodTemplate, error) {
	if s.err != nil {
		return nil, s.err
	}
	if o, ok := s.podTemplates[name]; ok {
		return o, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "podtemplates"}, name)
}

func (s *store) ConfigMap(name string) (*corev1.ConfigMap, error) {
	if o, ok := s.configMaps[name]; ok {
		return o, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, name)
}

func (s *store) PodTemplates() ([]*corev1.PodTemplate, error) {
	if s.err != nil {
		return nil, s.err
	}
	var all []*corev1.PodTemplate
	for _, o := range s.podTemplates {
		all = append(all, o)
	}
	return all, nil
}

func (s *store) add(t *testing.T, objects ...runtime.Object) *store {
	t.Helper()
	for _, o := range objects {
		switch o := o.(type) {
		case *corev1.PodTemplate:
			s.podTemplates[o.Name] = o
		case *corev1.ConfigMap:
			s.configMaps[o.Name] = o
		default:
			t.Fatalf("a package has no %T", o)
		}
	}
	return s
}

// testPackage is a small package.
func testPackage(name, unitType, image string) []runtime.Object {
	labels := map[string]string{LabelPackage: "true", v1alpha2.LabelType: unitType}
	return []runtime.Object{
		&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: name + TemplateSuffix, Labels: labels},
			Data:       map[string]string{unitType: "port = {{ .Port }}\n"},
		},
		&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: name + ValueSuffix, Labels: labels},
			Data:       map[string]string{unitType: "a: 1\n"},
		},
		&corev1.PodTemplate{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name:  unitType,
				Image: image,
				Ports: []corev1.ContainerPort{{Name: unitType, ContainerPort: 1234}},
			}}}},
		},
	}
}

// artifacts are the packages of this repository, read as kubectl apply -f
// artifacts/packages reads them, and strictly.
func artifacts(t *testing.T) *store {
	t.Helper()
	paths, err := fs.Glob(installed.Packages, "packages/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	s := newStore()
	for _, path := range paths {
		content, err := installed.Packages.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range bytes.Split(content, []byte("\n---\n")) {
			object, _, err := decoder.Decode(document, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			s.add(t, object)
		}
	}
	return s
}

func (s *store) names() []string {
	var names []string
	for name := range s.podTemplates {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
