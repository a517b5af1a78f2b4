// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestEnvOfTheContractIsDerivedFromVolumesAndPorts(t *testing.T) {
	spec := &v1alpha2.UnitSetSpec{
		Storages:          []v1alpha2.StorageSpec{{Name: "data", MountPath: "/DATA"}, {Name: "bin-log", MountPath: "/b"}},
		EmptyDir:          []v1alpha2.EmptyDirSpec{{Name: "log", MountPath: "/LOG"}},
		Secret:            &v1alpha2.SecretInfo{Name: "s", MountPath: "/SECRET"},
		CertificateSecret: &v1alpha2.CertificateSecretSpec{Name: "c"},
	}
	ports := []corev1.ContainerPort{{Name: "mysql", ContainerPort: 3306}, {Name: "group-comm", ContainerPort: 33061}, {ContainerPort: 1}}
	want := []corev1.EnvVar{
		{Name: "DATA_MOUNT", Value: "/DATA"}, {Name: "BIN_LOG_MOUNT", Value: "/b"}, {Name: "LOG_MOUNT", Value: "/LOG"},
		{Name: "SECRET_MOUNT", Value: "/SECRET"}, {Name: "SECRET_NAME", Value: "s"}, {Name: "CERT_MOUNT", Value: "/CERT_MOUNT"},
		{Name: "MYSQL_PORT", Value: "3306"}, {Name: "GROUP_COMM_PORT", Value: "33061"},
	}
	if d := cmp.Diff(want, operatorEnv(spec, ports)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if d := cmp.Diff([]corev1.EnvVar{{Name: "DATA_MOUNT", Value: "/DATA_MOUNT"}}, operatorEnv(&v1alpha2.UnitSetSpec{}, nil)); d != "" {
		t.Errorf("without any volume: -want +got:\n%s", d)
	}
}

func TestTheUsersEnvWinsInItsPlace(t *testing.T) {
	env := func(pairs ...string) []corev1.EnvVar {
		var out []corev1.EnvVar
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, corev1.EnvVar{Name: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	base := env("A", "1", "B", "$(A)")
	got := mergeEnv(base, env("C", "3", "A", "2", "C", "4")...)
	if d := cmp.Diff(env("A", "2", "B", "$(A)", "C", "4"), got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if d := cmp.Diff(env("A", "1", "B", "$(A)"), base); d != "" {
		t.Errorf("what was merged into has changed: %s", d)
	}
}
