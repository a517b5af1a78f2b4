// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

// installed are the objects of some files, decoded strictly, by kind and name.
func installed(t *testing.T, patterns ...string) map[string]runtime.Object {
	t.Helper()
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	objects := map[string]runtime.Object{}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, document := range bytes.Split(content, []byte("\n---\n")) {
				object, kind, err := decoder.Decode(document, nil, nil)
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				m, err := meta.Accessor(object)
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				key := kind.Kind + " " + m.GetName()
				if objects[key] != nil {
					t.Errorf("%s: %s is there twice", path, key)
				}
				objects[key] = object
			}
		}
	}
	return objects
}

func get[T runtime.Object](t *testing.T, objects map[string]runtime.Object, key string) T {
	t.Helper()
	object, ok := objects[key].(T)
	if !ok {
		t.Fatalf("no %s", key)
	}
	return object
}

func TestEverythingThatIsInstalledDecodesStrictlyAndFitsTogether(t *testing.T) {
	objects := installed(t, "rbac/*.yaml", "rbac/optional/*.yaml", "deployment/*.yaml")
	account := get[*corev1.ServiceAccount](t, objects, "ServiceAccount unit-operator")
	get[*corev1.Namespace](t, objects, "Namespace "+account.Namespace)

	// Every binding is to a role that is there, and to this account.
	check := func(name string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		if objects[ref.Kind+" "+ref.Name] == nil {
			t.Errorf("%s binds %s %s, which is nowhere", name, ref.Kind, ref.Name)
		}
		if len(subjects) != 1 || subjects[0].Kind != "ServiceAccount" || subjects[0].Name != account.Name || subjects[0].Namespace != account.Namespace {
			t.Errorf("%s binds %v", name, subjects)
		}
	}
	for name, object := range objects {
		switch b := object.(type) {
		case *rbacv1.ClusterRoleBinding:
			check(name, b.RoleRef, b.Subjects)
		case *rbacv1.RoleBinding:
			check(name, b.RoleRef, b.Subjects)
		}
	}

	deployment := get[*appsv1.Deployment](t, objects, "Deployment unit-operator")
	pod := deployment.Spec.Template.Spec
	if pod.ServiceAccountName != account.Name || deployment.Namespace != account.Namespace {
		t.Errorf("the Deployment runs as %s/%s", deployment.Namespace, pod.ServiceAccountName)
	}
	service := get[*corev1.Service](t, objects, "Service unit-operator-metrics")
	for k, v := range service.Spec.Selector {
		if deployment.Spec.Template.Labels[k] != v {
			t.Errorf("the Service selects %s=%s, which the pods do not have", k, v)
		}
	}
	port := service.Spec.Ports[0].TargetPort.StrVal
	if !slices.ContainsFunc(pod.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == port }) {
		t.Errorf("the Service leads to port %q, which the container does not have", port)
	}
}

func TestTheOperatorsPodIsRestricted(t *testing.T) {
	pod := get[*appsv1.Deployment](t, installed(t, "deployment/*.yaml"), "Deployment unit-operator").Spec.Template.Spec
	if c := pod.SecurityContext; !*c.RunAsNonRoot || *c.RunAsUser == 0 || c.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("pod: %+v", c)
	}
	for _, container := range pod.Containers {
		c := container.SecurityContext
		if *c.AllowPrivilegeEscalation || !*c.ReadOnlyRootFilesystem || !slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(c.Capabilities.Add) > 0 {
			t.Errorf("container %s: %+v", container.Name, c)
		}
		if container.Name != "unit-operator" {
			t.Errorf("a container named %s", container.Name)
		}
	}
}

func TestNothingGrantsMoreThanItNames(t *testing.T) {
	for name, object := range installed(t, "rbac/*.yaml", "rbac/optional/*.yaml") {
		var rules []rbacv1.PolicyRule
		switch r := object.(type) {
		case *rbacv1.ClusterRole:
			rules = r.Rules
		case *rbacv1.Role:
			rules = r.Rules
		}
		for _, rule := range rules {
			for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs} {
				if slices.Contains(list, "*") {
					t.Errorf("%s has a wildcard: %+v", name, rule)
				}
			}
			if slices.Contains(rule.Resources, "pods/portforward") && name != "ClusterRole unit-operator-port-forward" {
				t.Errorf("%s may forward ports", name)
			}
			if slices.Contains(rule.Resources, "pods/exec") || slices.Contains(rule.Verbs, "escalate") || slices.Contains(rule.Verbs, "impersonate") {
				t.Errorf("%s: %+v", name, rule)
			}
		}
	}
	// Forwarding is bound to nobody.
	for name, object := range installed(t, "rbac/*.yaml", "rbac/optional/*.yaml") {
		if b, ok := object.(*rbacv1.ClusterRoleBinding); ok && b.RoleRef.Name == "unit-operator-port-forward" {
			t.Errorf("%s binds %s", name, b.RoleRef.Name)
		}
	}
}
