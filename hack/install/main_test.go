// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

const artifacts = "../../artifacts"

var images = options{
	artifacts: artifacts,
	operator:  "registry.example.com/team/unit-operator@sha256:" + strings.Repeat("0a", 32),
	agent:     "registry.example.com/team/unit-agent@sha256:" + strings.Repeat("1b", 32),
}

// written are the objects of one of the files, decoded strictly, in their order.
func written(t *testing.T, name string) []runtime.Object {
	t.Helper()
	o := images
	o.out = t.TempDir()
	if err := write(o); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(o.out, name))
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []runtime.Object
	for document := range bytes.SplitSeq(bytes.TrimPrefix(content, []byte("---\n")), []byte("\n---\n")) {
		if bytes.Contains(document, []byte("\nkind: CustomResourceDefinition\n")) {
			// test/crd applies them, and an API server is stricter.
			crd := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(document, crd); err != nil {
				t.Fatal(err)
			}
			objects = append(objects, crd)
			continue
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, document)
		}
		objects = append(objects, object)
	}
	return objects
}

// kinds counts objects by kind.
func kinds(objects []runtime.Object) map[string]int {
	count := map[string]int{}
	for _, o := range objects {
		count[o.GetObjectKind().GroupVersionKind().Kind]++
	}
	return count
}

func TestWhatIsInstalled(t *testing.T) {
	objects := written(t, "install.yaml")
	count := kinds(objects)
	packages, err := filepath.Glob(filepath.Join(artifacts, "packages", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if count["PodTemplate"] != len(packages) {
		t.Errorf("%d packages of %d", count["PodTemplate"], len(packages))
	}
	delete(count, "PodTemplate")
	delete(count, "ConfigMap")
	if diff := cmp.Diff(map[string]int{
		"Namespace": 1, "ServiceAccount": 1, "ClusterRole": 2, "ClusterRoleBinding": 2, "Role": 1, "RoleBinding": 1,
		"PriorityClass": 1, "PodDisruptionBudget": 1, "Deployment": 1, "Service": 1,
	}, count); diff != "" {
		t.Errorf("install.yaml (-want +got):\n%s", diff)
	}
	if first := objects[0].GetObjectKind().GroupVersionKind().Kind; first != "Namespace" {
		t.Errorf("%s comes before the Namespace that others lie in", first)
	}
	names := map[string]bool{}
	for _, o := range objects {
		m, err := meta.Accessor(o)
		if err != nil {
			t.Fatal(err)
		}
		key := o.GetObjectKind().GroupVersionKind().Kind + " " + m.GetName()
		if names[key] {
			t.Errorf("%s is there twice", key)
		}
		names[key] = true
		if d, ok := o.(*appsv1.Deployment); ok {
			checkDeployment(t, d)
		}
	}
}

func checkDeployment(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	container := d.Spec.Template.Spec.Containers[0]
	if container.Image != images.operator {
		t.Errorf("the operator's image is %s", container.Image)
	}
	if !slices.Contains(container.Args, "--agent-image="+images.agent) {
		t.Errorf("the agent's image is not in %q", container.Args)
	}
	if *d.Spec.Replicas != 2 || d.Spec.Template.Spec.PriorityClassName != "unit-operator" {
		t.Errorf("%d replicas of priority %q", *d.Spec.Replicas, d.Spec.Template.Spec.PriorityClassName)
	}
}

func TestTheKindsAndTheirGuardsAreAFileOfTheirOwn(t *testing.T) {
	objects := written(t, "crds.yaml")
	if diff := cmp.Diff(map[string]int{
		"CustomResourceDefinition": 5, "ValidatingAdmissionPolicy": 2, "ValidatingAdmissionPolicyBinding": 2,
	}, kinds(objects)); diff != "" {
		t.Errorf("crds.yaml (-want +got):\n%s", diff)
	}
	var crds, served, guarded []string
	for _, o := range objects {
		switch o := o.(type) {
		case *unstructured.Unstructured:
			// kubectl delete -f goes through the file from its top.
			if len(guarded) > 0 {
				t.Errorf("%s comes after its guard, which would be deleted first", o.GetName())
			}
			crds = append(crds, o.GetName())
			plural, _, _ := strings.Cut(o.GetName(), ".")
			served = append(served, plural)
		case *admissionregistrationv1.ValidatingAdmissionPolicy:
			rule := o.Spec.MatchConstraints.ResourceRules[0]
			if len(rule.ResourceNames) > 0 {
				guarded = rule.ResourceNames
			} else if diff := cmp.Diff(served, rule.Resources); diff != "" {
				t.Errorf("kinds whose objects can be protected (-want +got):\n%s", diff)
			}
		}
	}
	if diff := cmp.Diff(crds, guarded); diff != "" {
		t.Errorf("kinds that are guarded (-want +got):\n%s", diff)
	}
}

func TestEveryFileIsListed(t *testing.T) {
	left := map[string][]string{"rbac": {"out-of-cluster.yaml"}}
	for _, dir := range []string{"crds", "guards", "rbac", "packages", "deployment"} {
		content, err := os.ReadFile(filepath.Join(artifacts, dir, "Kustomization"))
		if err != nil {
			t.Fatal(err)
		}
		var kustomization struct{ Resources []string }
		if err := yaml.Unmarshal(content, &kustomization); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(artifacts, dir, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			if slices.Contains(kustomization.Resources, name) == slices.Contains(left[dir], name) {
				t.Errorf("%s/Kustomization: %s must be listed: %v", dir, name, !slices.Contains(left[dir], name))
			}
		}
	}
}

func TestImagesAreNeeded(t *testing.T) {
	o := images
	o.agent, o.out = "", t.TempDir()
	if err := write(o); err == nil || !strings.Contains(err.Error(), "make dist") {
		t.Errorf("it says %v", err)
	}
}
