// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// These are in clusters: another value for the same spec would show every set
// RevisionAvailable at an upgrade of the operator, or restart its databases.
func TestRevisionsAndTemplatesOfSetsThatExistStayAsRecorded(t *testing.T) {
	for _, tc := range []struct {
		name               string
		edit               func(*v1alpha2.UnitSet)
		revision, template string
	}{
		{"plain", func(*v1alpha2.UnitSet) {}, "orders-d6a7e4f39e", "ecaaec5ced1a8123"},
		{"with all that a set could say", func(set *v1alpha2.UnitSet) {
			set.Spec.EmptyDir = []v1alpha2.EmptyDirSpec{{Name: "log", MountPath: "/LOG_MOUNT", Size: "5Gi"}}
			set.Spec.Secret = &v1alpha2.SecretInfo{Name: "s", MountPath: "/SECRET_MOUNT"}
			set.Spec.CertificateSecret = &v1alpha2.CertificateSecretSpec{Name: "c", Organization: "o"}
			set.Spec.Env = []corev1.EnvVar{{Name: "ARCH_MODE", Value: "rpl_semi_sync"}}
			set.Spec.NodeAffinityPreset = []v1alpha2.NodeAffinityPresetSpec{{Key: "kubernetes.io/arch", Values: []string{"amd64"}}}
			set.Spec.PodAntiAffinityPreset = "soft"
		}, "orders-bcd0fe8a95", "e40d9cc8cce98e19"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, newSet(tc.edit))
			w.Given(&corev1.Secret{ObjectMeta: newForeignUnit("s").ObjectMeta})
			w.settleUnits()
			if got := w.set().Status.UpdateRevision; got != tc.revision {
				t.Errorf("the revision is %s, and was %s", got, tc.revision)
			}
			if got := slim.TemplateHash(&w.unit(1).Spec.Template); got != tc.template {
				t.Errorf("the template's hash is %s, and was %s", got, tc.template)
			}
		})
	}
}
