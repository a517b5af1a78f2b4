// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestSpecsThatContradictThemselvesAreNamed(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*v1alpha2.UnitSet)
		want []string
	}{
		{"nothing", func(*v1alpha2.UnitSet) {}, nil},
		{"everything", func(s *v1alpha2.UnitSet) {
			s.Spec.EmptyDir = []v1alpha2.EmptyDirSpec{{Name: "log", MountPath: "/LOG_MOUNT"}}
			s.Spec.Secret = &v1alpha2.SecretInfo{Name: "s", MountPath: "/SECRET_MOUNT"}
			s.Spec.CertificateSecret = &v1alpha2.CertificateSecretSpec{Name: "c"}
		}, nil},
		{"a name too long for its Services", func(s *v1alpha2.UnitSet) { s.Name = strings.Repeat("a", 51) }, []string{"headless-svc", "63"}},
		{"a name that begins with a digit", func(s *v1alpha2.UnitSet) { s.Name = "1orders" }, []string{"1orders-headless-svc"}},
		{"a size that is none", func(s *v1alpha2.UnitSet) { s.Spec.Storages[0].Size = "big" }, []string{`size "big" of storage data`}},
		{"a size of nothing", func(s *v1alpha2.UnitSet) { s.Spec.Storages[0].Size = "0" }, []string{`size "0" of storage data`}},
		{"a limit that is none", func(s *v1alpha2.UnitSet) {
			s.Spec.EmptyDir = []v1alpha2.EmptyDirSpec{{Name: "log", MountPath: "/LOG_MOUNT", Size: "x"}}
		}, []string{`size "x" of emptyDir log`}},
		{"a relative path", func(s *v1alpha2.UnitSet) { s.Spec.Storages[0].MountPath = "data" }, []string{"not absolute"}},
		{"one path twice", func(s *v1alpha2.UnitSet) {
			s.Spec.Secret = &v1alpha2.SecretInfo{Name: "s", MountPath: "/DATA_MOUNT/"}
		}, []string{"storage data and secret s are both mounted at /DATA_MOUNT"}},
		{"the name of the Secret's volume", func(s *v1alpha2.UnitSet) {
			s.Spec.Secret = &v1alpha2.SecretInfo{Name: "s", MountPath: "/SECRET_MOUNT"}
			s.Spec.Storages[0].Name = "secret"
		}, []string{"are both a volume named secret"}},
		{"two things at once", func(s *v1alpha2.UnitSet) {
			s.Spec.Storages[0].Size, s.Spec.Storages[0].MountPath = "x", "y"
		}, []string{"not absolute", `size "x"`}},
	} {
		got := specProblem(newSet(tc.edit))
		if (got == "") != (len(tc.want) == 0) {
			t.Errorf("%s: %q", tc.name, got)
		}
		for _, w := range tc.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q does not mention %q", tc.name, got, w)
			}
		}
	}
}
