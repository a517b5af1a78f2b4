// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestTheDataLiesOnTheVolumeNamedDataElseOnTheFirstClaimElseOnAnEmptyDir(t *testing.T) {
	type answer struct {
		Storage, MountPath string
		EmptyDir           bool
	}
	for _, test := range []struct {
		name string
		unit *v1alpha2.Unit
		want answer
	}{
		{"nothing", standalone(), answer{"data", "/DATA_MOUNT", true}},
		{"a claim template named data", standalone(claimTemplate("data", "1Gi"), mount("data", "/db")), answer{"data", "/db", false}},
		{"a claim template that is not mounted", standalone(claimTemplate("pg-data", "1Gi")), answer{"pg-data", "/PG_DATA_MOUNT", false}},
		{"data is not the first", standalone(claimTemplate("backup", "1Gi"), claimTemplate("data", "1Gi"), mount("backup", "/b"), mount("data", "/d")), answer{"data", "/d", false}},
		{"no data, two claim templates", standalone(claimTemplate("first", "1Gi"), claimTemplate("second", "1Gi"), mount("second", "/2"), mount("first", "/1")), answer{"first", "/1", false}},
		{"an emptyDir named data wins over a claim of another name", standalone(claimTemplate("log", "1Gi"), volume("data", anEmptyDir), mount("data", "/d")), answer{"data", "/d", true}},
		{"an ephemeral volume dies with its pod, too", standalone(volume("data", anEphemeral), mount("data", "/d")), answer{"data", "/d", true}},
		{"the user's own claim named data", standalone(volume("data", aClaim("old")), mount("data", "/d")), answer{"data", "/d", false}},
		{"the user's own claim of another name", standalone(volume("log", anEmptyDir), volume("disk", aClaim("old")), mount("log", "/l"), mount("disk", "/d")), answer{"disk", "/d", false}},
		{"an emptyDir of another name is not for the data", standalone(volume("log", anEmptyDir), mount("log", "/l")), answer{"data", "/DATA_MOUNT", true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got answer
			got.Storage, got.MountPath, got.EmptyDir = DataStorage(test.unit)
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			pod := build(t, inputFor(t, test.unit))
			for _, c := range []*corev1.Container{ContainerNamed(pod.Spec.Containers, "mysql"), ContainerNamed(pod.Spec.InitContainers, AgentContainer)} {
				if m := mountOf(c.VolumeMounts, got.Storage); m == nil || m.MountPath != got.MountPath {
					t.Errorf("container %s mounts it so: %+v", c.Name, m)
				}
				if v := envValue(c.Env, "DATA_DIR_MOUNT"); v != got.MountPath {
					t.Errorf("DATA_DIR_MOUNT of %s is %q", c.Name, v)
				}
				if v := envValue(c.Env, EnvName(got.Storage)+"_MOUNT"); v != got.MountPath {
					t.Errorf("%s_MOUNT of %s is %q", EnvName(got.Storage), c.Name, v)
				}
			}
			for _, claim := range Claims(test.unit) {
				if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
					return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim.Name
				}) {
					t.Errorf("no volume of the pod is the claim %s", claim.Name)
				}
			}
		})
	}
}
