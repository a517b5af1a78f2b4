// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/revision"
)

func TestDataLiesOnAStorageUnlessNothingElseIsAskedFor(t *testing.T) {
	storage := func(name string) []v1alpha2.StorageSpec {
		return []v1alpha2.StorageSpec{{Name: name, MountPath: "/" + name, Size: "1Gi"}}
	}
	dir := func(name string) []v1alpha2.EmptyDirSpec {
		return []v1alpha2.EmptyDirSpec{{Name: name, MountPath: "/" + name}}
	}
	for _, tc := range []struct {
		name     string
		spec     v1alpha2.UnitSetSpec
		emptyDir bool
		mounts   string
	}{
		{"a storage named data", v1alpha2.UnitSetSpec{Storages: storage("data")}, false, "data"},
		{"any storage", v1alpha2.UnitSetSpec{Storages: storage("db"), EmptyDir: dir("log")}, false, "db log"},
		{"an emptyDir named data", v1alpha2.UnitSetSpec{Storages: storage("log"), EmptyDir: dir("data")}, true, "log data"},
		{"emptyDirs only", v1alpha2.UnitSetSpec{EmptyDir: dir("log")}, true, "log data"},
		{"nothing", v1alpha2.UnitSetSpec{}, true, "data"},
	} {
		var mounts []string
		for _, m := range dataMounts(&tc.spec) {
			mounts = append(mounts, m.Name)
		}
		if got := strings.Join(mounts, " "); got != tc.mounts || dataOnEmptyDir(&tc.spec) != tc.emptyDir {
			t.Errorf("%s: mounts %s, on an emptyDir %t", tc.name, got, dataOnEmptyDir(&tc.spec))
		}
	}
}

func TestAPackagesVolumesAndMountsGiveWay(t *testing.T) {
	volume := func(name string) corev1.Volume { return corev1.Volume{Name: name} }
	if d := cmp.Diff([]corev1.Volume{volume("tmp"), volume("data")}, mergeVolumes([]corev1.Volume{volume("data"), volume("tmp")}, []corev1.Volume{volume("data")})); d != "" {
		t.Errorf("volumes: -want +got:\n%s", d)
	}
	mount := func(name, path string) corev1.VolumeMount { return corev1.VolumeMount{Name: name, MountPath: path} }
	got := mergeMounts([]corev1.VolumeMount{mount("a", "/x"), mount("data", "/old"), mount("tmp", "/tmp")}, []corev1.VolumeMount{mount("data", "/x")})
	if d := cmp.Diff([]corev1.VolumeMount{mount("tmp", "/tmp"), mount("data", "/x")}, got); d != "" {
		t.Errorf("mounts: -want +got:\n%s", d)
	}
}

func TestClaimsHaveTheSpecsSizesAndTheRevisionsStorages(t *testing.T) {
	spec := &v1alpha2.UnitSetSpec{Storages: []v1alpha2.StorageSpec{
		{Name: "data", Size: "20Gi", StorageClassName: "fast"}, {Name: "new", Size: "1Gi"},
	}}
	data := &revision.Data{Storages: []v1alpha2.StorageSpec{{Name: "data", Size: "10Gi", StorageClassName: "fast"}, {Name: "old", Size: "5Gi"}}}
	claims, err := claimTemplates(unitStorages(spec, data))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range claims {
		size := c.Spec.Resources.Requests[corev1.ResourceStorage]
		got = append(got, c.Name+" "+size.String()+" "+deref(c.Spec.StorageClassName))
	}
	if d := cmp.Diff([]string{"data 20Gi fast", "old 5Gi "}, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if claims[1].Spec.StorageClassName != nil {
		t.Error("no class would switch the default one off")
	}
	if data.Storages[0].Size != "10Gi" {
		t.Error("the revision was changed")
	}
}
