// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"bytes"
	"io/fs"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	installed "github.com/upmio/unit-operator/artifacts"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/packages"
)

const agentImage = "example.org/unit-agent:1.0.0"

// readUnit of a file in testdata, strictly.
func readUnit(t *testing.T, name string) *v1alpha2.Unit {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name + ".unit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return parseUnit(t, string(content))
}

func parseUnit(t *testing.T, text string) *v1alpha2.Unit {
	t.Helper()
	unit := &v1alpha2.Unit{}
	if err := yaml.UnmarshalStrict([]byte(text), unit); err != nil {
		t.Fatal(err)
	}
	return unit
}

// inputFor a unit, with the package that the repository installs for it if it is
// a standalone one.
func inputFor(t *testing.T, unit *v1alpha2.Unit) Input {
	t.Helper()
	in := Input{Unit: unit, AgentImage: agentImage, ClusterUID: "6c8d0a5e-0000-4000-8000-000000000001", ClusterDomain: "cluster.local"}
	if SetName(unit) != "" {
		return in
	}
	name := DatabaseType(&unit.Spec.Template)
	request, err := packages.RequestForImage(v1alpha2.UnitType(name), ContainerNamed(unit.Spec.Template.Spec.Containers, name).Image)
	if err != nil {
		t.Fatal(err)
	}
	if in.Package, err = packages.Resolve(readPackages(t), request); err != nil {
		t.Fatal(err)
	}
	return in
}

func build(t *testing.T, in Input) *corev1.Pod {
	t.Helper()
	pod, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// repository is a Lister of the packages in artifacts/packages.
type repository struct {
	podTemplates map[string]*corev1.PodTemplate
	configMaps   map[string]*corev1.ConfigMap
}

func (r repository) PodTemplate(name string) (*corev1.PodTemplate, error) {
	if o, ok := r.podTemplates[name]; ok {
		return o, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "podtemplates"}, name)
}

func (r repository) ConfigMap(name string) (*corev1.ConfigMap, error) {
	if o, ok := r.configMaps[name]; ok {
		return o, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, name)
}

func (r repository) PodTemplates() ([]*corev1.PodTemplate, error) {
	var all []*corev1.PodTemplate
	for _, o := range r.podTemplates {
		all = append(all, o)
	}
	return all, nil
}

func readPackages(t *testing.T) repository {
	t.Helper()
	r := repository{podTemplates: map[string]*corev1.PodTemplate{}, configMaps: map[string]*corev1.ConfigMap{}}
	paths, err := fs.Glob(installed.Packages, "packages/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
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
			switch o := object.(type) {
			case *corev1.PodTemplate:
				r.podTemplates[o.Name] = o
			case *corev1.ConfigMap:
				r.configMaps[o.Name] = o
			}
		}
	}
	return r
}
