// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

const (
	// defaultDataMountPath of a set that names no volume for its data.
	defaultDataMountPath = "/DATA_MOUNT"
	certificateMountPath = "/CERT_MOUNT"
)

// dataMounts are the storages and emptyDirs of a spec, with the emptyDir that is
// added when nothing holds the data.
func dataMounts(spec *v1alpha2.UnitSetSpec) []revision.Mount {
	var mounts []revision.Mount
	for _, s := range spec.Storages {
		mounts = append(mounts, revision.Mount{Name: s.Name, MountPath: s.MountPath})
	}
	for _, e := range emptyDirs(spec) {
		mounts = append(mounts, revision.Mount{Name: e.Name, MountPath: e.MountPath})
	}
	return mounts
}

// emptyDirs of a spec, and one for the data if no volume is named data and no
// storage is there to hold it.
func emptyDirs(spec *v1alpha2.UnitSetSpec) []v1alpha2.EmptyDirSpec {
	dirs := slices.Clone(spec.EmptyDir)
	if len(spec.Storages) == 0 && !slices.ContainsFunc(dirs, isData) {
		dirs = append(dirs, v1alpha2.EmptyDirSpec{Name: podspec.DataName, MountPath: defaultDataMountPath})
	}
	return dirs
}

func isData(e v1alpha2.EmptyDirSpec) bool { return e.Name == podspec.DataName }

// dataOnEmptyDir says whether the database dies with its pod: it lies on the
// volume named data, else on the first storage.
func dataOnEmptyDir(spec *v1alpha2.UnitSetSpec) bool {
	return len(spec.Storages) == 0 || slices.ContainsFunc(spec.EmptyDir, isData)
}

// podVolumes are the volumes of a pod that do not differ by unit.
func podVolumes(spec *v1alpha2.UnitSetSpec) ([]corev1.Volume, error) {
	var volumes []corev1.Volume
	for _, e := range emptyDirs(spec) {
		source := &corev1.EmptyDirVolumeSource{}
		if e.Size != "" {
			size, err := resource.ParseQuantity(e.Size)
			if err != nil {
				return nil, err
			}
			source.SizeLimit = &size
		}
		volumes = append(volumes, corev1.Volume{Name: e.Name, VolumeSource: corev1.VolumeSource{EmptyDir: source}})
	}
	secret := func(volume, name string) {
		volumes = append(volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: name, DefaultMode: new(podspec.SecretMode)},
		}})
	}
	if spec.Secret != nil {
		secret(podspec.SecretVolume, spec.Secret.Name)
	}
	if spec.CertificateSecret != nil {
		secret(podspec.CertificateVolume, spec.CertificateSecret.Name)
	}
	return volumes, nil
}

// volumeMounts of every container. Directories, never subPath: a subPath mount
// does not follow its Secret.
func volumeMounts(spec *v1alpha2.UnitSetSpec) []corev1.VolumeMount {
	var mounts []corev1.VolumeMount
	for _, m := range dataMounts(spec) {
		mounts = append(mounts, corev1.VolumeMount{Name: m.Name, MountPath: m.MountPath})
	}
	if spec.Secret != nil {
		mounts = append(mounts, corev1.VolumeMount{Name: podspec.SecretVolume, MountPath: spec.Secret.MountPath, ReadOnly: true})
	}
	if spec.CertificateSecret != nil {
		mounts = append(mounts, corev1.VolumeMount{Name: podspec.CertificateVolume, MountPath: certificateMountPath, ReadOnly: true})
	}
	return mounts
}

// mergeVolumes puts over on base; a volume of the package that has the name of
// one of the user's gives way.
func mergeVolumes(base, over []corev1.Volume) []corev1.Volume {
	out := slices.DeleteFunc(slices.Clone(base), func(v corev1.Volume) bool {
		return slices.ContainsFunc(over, func(o corev1.Volume) bool { return o.Name == v.Name })
	})
	return append(out, over...)
}

// mergeMounts puts over on base; a mount of the package at the path or of the
// volume of one of the user's gives way.
func mergeMounts(base, over []corev1.VolumeMount) []corev1.VolumeMount {
	out := slices.DeleteFunc(slices.Clone(base), func(m corev1.VolumeMount) bool {
		return slices.ContainsFunc(over, func(o corev1.VolumeMount) bool {
			return o.MountPath == m.MountPath || o.Name == m.Name
		})
	})
	return append(out, over...)
}

// unitStorages are the storages of a revision in the sizes and classes that the
// spec gives now. One that the spec no longer has keeps its own: the revision's
// containers still mount it.
func unitStorages(spec *v1alpha2.UnitSetSpec, data *revision.Data) []v1alpha2.StorageSpec {
	storages := slices.Clone(data.Storages)
	for i := range storages {
		for _, s := range spec.Storages {
			if s.Name == storages[i].Name {
				storages[i].Size, storages[i].StorageClassName = s.Size, s.StorageClassName
			}
		}
	}
	return storages
}

// claimVolumes are the volumes of one unit's own claims.
func claimVolumes(storages []v1alpha2.StorageSpec, unit string) []corev1.Volume {
	var volumes []corev1.Volume
	for _, s := range storages {
		volumes = append(volumes, corev1.Volume{Name: s.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: podspec.ClaimName(unit, s.Name)},
		}})
	}
	return volumes
}

// claimTemplates of a unit. No class means the cluster's default one, which an
// empty string would switch off.
func claimTemplates(storages []v1alpha2.StorageSpec) ([]corev1.PersistentVolumeClaim, error) {
	var claims []corev1.PersistentVolumeClaim
	for _, s := range storages {
		size, err := resource.ParseQuantity(s.Size)
		if err != nil {
			return nil, fmt.Errorf("size %q of storage %s: %w", s.Size, s.Name, err)
		}
		claim := corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: s.Name},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceStorage: size},
				},
			},
		}
		if s.StorageClassName != "" {
			claim.Spec.StorageClassName = new(s.StorageClassName)
		}
		claims = append(claims, claim)
	}
	return claims, nil
}
