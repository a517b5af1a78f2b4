// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestRevision(t *testing.T) {
	revision := func(t *testing.T, change func(s *store, p *corev1.PodTemplate), version string) string {
		t.Helper()
		s := newStore().add(t, testPackage("mysql-8.0", "mysql", "mysql:$(VERSION)")...)
		change(s, s.podTemplates["mysql-8.0"])
		got, err := Resolve(s, Request{"mysql", "", version})
		if err != nil {
			t.Fatal(err)
		}
		return got.Revision
	}
	base := revision(t, func(*store, *corev1.PodTemplate) {}, "8.0.41")
	// Written down: a change of how it is computed restarts nothing, but reports
	// every package as edited.
	if want := "b7b540cf6756d149"; base != want {
		t.Errorf("the revision of the same package is %s and was %s", base, want)
	}
	for name, tc := range map[string]struct {
		change func(s *store, p *corev1.PodTemplate)
		same   bool
	}{
		"resourceVersion": {func(s *store, p *corev1.PodTemplate) {
			p.ResourceVersion = "7"
			s.configMaps["mysql-8.0-config-value"].ResourceVersion = "8"
		}, true},
		"labels and annotations of the objects": {func(_ *store, p *corev1.PodTemplate) {
			p.Labels["x"] = "y"
			p.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}
		}, true},
		"empty lists and maps": {func(_ *store, p *corev1.PodTemplate) {
			p.Template.Labels = map[string]string{}
			p.Template.Spec.InitContainers = []corev1.Container{}
			p.Template.Spec.Containers[0].Env = []corev1.EnvVar{}
		}, true},
		"the order and comments of values": {func(s *store, _ *corev1.PodTemplate) {
			s.configMaps["mysql-8.0-config-value"].Data["mysql"] = "# default\n\na:   1\n"
		}, true},
		"other keys of the value ConfigMap": {func(s *store, _ *corev1.PodTemplate) {
			s.configMaps["mysql-8.0-config-value"].Data["README"] = "hello"
		}, true},
		"the image": {func(_ *store, p *corev1.PodTemplate) {
			p.Template.Spec.Containers[0].Image = "registry/mysql:$(VERSION)"
		}, false},
		"a label of the pod": {func(_ *store, p *corev1.PodTemplate) {
			p.Template.Labels = map[string]string{"a": "b"}
		}, false},
		"a port": {func(_ *store, p *corev1.PodTemplate) {
			p.Template.Spec.Containers[0].Ports[0].ContainerPort = 1
		}, false},
		"a template": {func(s *store, _ *corev1.PodTemplate) {
			s.configMaps["mysql-8.0-config-template"].Data["mysql"] += " "
		}, false},
		"a further template": {func(s *store, _ *corev1.PodTemplate) {
			s.configMaps["mysql-8.0-config-template"].Data["extra.cnf"] = ""
		}, false},
		"a value": {func(s *store, _ *corev1.PodTemplate) {
			s.configMaps["mysql-8.0-config-value"].Data["mysql"] = "a: 2"
		}, false},
		"an empty value": {func(s *store, _ *corev1.PodTemplate) {
			s.configMaps["mysql-8.0-config-value"].Data["mysql"] = "a: 1\nb: {}"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := revision(t, tc.change, "8.0.41"); (got == base) != tc.same {
				t.Errorf("revision %s, before %s: want the same: %v", got, base, tc.same)
			}
		})
	}
	if got := revision(t, func(*store, *corev1.PodTemplate) {}, "8.0.42"); got != base {
		t.Error("the revision depends on the version asked for")
	}
}
