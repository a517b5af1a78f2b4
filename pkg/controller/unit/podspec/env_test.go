// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestTheUsersVariablesWinExceptOverTheUnitsIdentity(t *testing.T) {
	in := inputFor(t, standalone(func(u *v1alpha2.Unit) {
		database(u).Env = []corev1.EnvVar{
			{Name: "BASE", Value: "/srv"},
			{Name: "HOME", Value: "$(BASE)/home"},
			{Name: "PATH", Value: "/opt/mysql/bin"},
			{Name: "DATA_MOUNT", Value: "/elsewhere"},
			{Name: "UNIT_NAME", Value: "another"},
			{Name: "DATA_DIR_MOUNT", Value: "/another"},
			{Name: "GOMEMLIMIT", Value: "50MiB"},
			{Name: "LIMIT", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"}}},
		}
	}, claimTemplate("data", "1Gi")))
	in.Package.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "BASE", Value: "package"}, {Name: "TZ", Value: "UTC"}}
	pod := build(t, in)
	for _, c := range []*corev1.Container{&pod.Spec.Containers[0], ContainerNamed(pod.Spec.InitContainers, AgentContainer)} {
		for name, want := range map[string]string{
			"BASE": "/srv", "HOME": "$(BASE)/home", "PATH": "/opt/mysql/bin", "DATA_MOUNT": "/elsewhere", "GOMEMLIMIT": "50MiB",
			"TZ": "UTC", "UNIT_NAME": "single", "DATA_DIR_MOUNT": "/DATA_MOUNT", "UNIT_SQL_PORT": "3306", "MYSQL_PORT": "3306",
		} {
			if got := envValue(c.Env, name); got != want {
				t.Errorf("%s: %s is %q, want %q", c.Name, name, got, want)
			}
		}
		var names []string
		for _, e := range c.Env {
			names = append(names, e.Name)
		}
		if slices.Index(names, "BASE") > slices.Index(names, "HOME") {
			t.Errorf("%s: HOME refers to BASE, which comes after it: %v", c.Name, names)
		}
		if slices.Sort(names); len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s: a variable is there twice: %v", c.Name, names)
		}
	}
	sidecar := ContainerNamed(pod.Spec.InitContainers, AgentContainer)
	i := slices.IndexFunc(sidecar.Env, func(e corev1.EnvVar) bool { return e.Name == "LIMIT" })
	if got := sidecar.Env[i].ValueFrom.ResourceFieldRef.ContainerName; got != "mysql" {
		t.Errorf("LIMIT in the sidecar is that of container %q", got)
	}
}
