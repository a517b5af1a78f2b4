// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

const (
	// DataName is the volume that holds the database, if there is one of that name.
	DataName = "data"
	// SecretVolume and CertificateVolume are the users' Secrets.
	SecretVolume      = "secret"
	CertificateVolume = "cert"

	// SecretMode lets the server's group read and nobody else: PostgreSQL refuses a
	// key that others can read.
	SecretMode int32 = 0o440
)

// volumeAt is a volume and where the database container has it.
type volumeAt struct {
	name, mountPath string
	emptyDir        bool
}

// DataStorage is the volume that holds the database and where it is mounted: the
// one named data, else the first claim, else an emptyDir, whose content dies with
// the pod.
func DataStorage(unit *v1alpha2.Unit) (storage, mountPath string, emptyDir bool) {
	data := dataVolume(unit)
	return data.name, data.mountPath, data.emptyDir
}

func dataVolume(unit *v1alpha2.Unit) volumeAt {
	spec := &unit.Spec.Template.Spec
	name := DataName
	switch {
	case hasClaim(unit, DataName), volumeNamed(spec, DataName) != nil:
	case len(unit.Spec.VolumeClaimTemplates) > 0:
		name = unit.Spec.VolumeClaimTemplates[0].Name
	default:
		// A claim that is not the unit's own, under another name.
		for i := range spec.Volumes {
			if v := &spec.Volumes[i]; v.PersistentVolumeClaim != nil && databaseMounts(spec, v.Name) != nil {
				name = v.Name
				break
			}
		}
	}
	data := volumeAt{name: name, mountPath: mountPathOf(spec, name)}
	if !hasClaim(unit, name) {
		v := volumeNamed(spec, name)
		data.emptyDir = v == nil || v.EmptyDir != nil || v.Ephemeral != nil
	}
	return data
}

// mountPathOf a volume in the database container, else where it will be mounted.
func mountPathOf(spec *corev1.PodSpec, volume string) string {
	if m := databaseMounts(spec, volume); m != nil {
		return m.MountPath
	}
	return "/" + EnvName(volume) + "_MOUNT"
}

// databaseMounts is the database container's mount of a volume, nil without one.
func databaseMounts(spec *corev1.PodSpec, volume string) *corev1.VolumeMount {
	if c := slim.DatabaseContainer(spec); c != nil {
		return mountOf(c.VolumeMounts, volume)
	}
	return nil
}

func hasClaim(unit *v1alpha2.Unit, name string) bool {
	return find(unit.Spec.VolumeClaimTemplates, func(c *corev1.PersistentVolumeClaim) bool { return c.Name == name }) != nil
}

// addClaimVolumes adds the volumes of claim templates that the template does not
// name, as a StatefulSet does, and the emptyDir of a unit that has nothing for its
// data.
func (b *builder) addClaimVolumes() {
	b.data = dataVolume(b.Unit)
	for i := range b.Unit.Spec.VolumeClaimTemplates {
		name := b.Unit.Spec.VolumeClaimTemplates[i].Name
		if volumeNamed(&b.spec, name) == nil {
			b.spec.Volumes = append(b.spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: ClaimName(b.Unit.Name, name)},
			}})
		}
	}
	if volumeNamed(&b.spec, b.data.name) == nil {
		b.spec.Volumes = append(b.spec.Volumes, emptyDirVolume(b.data.name))
	}
}

// mountData mounts the unit's claims and its data where the template does not.
func (b *builder) mountData(c *corev1.Container) {
	names := []string{b.data.name}
	for i := range b.Unit.Spec.VolumeClaimTemplates {
		names = append(names, b.Unit.Spec.VolumeClaimTemplates[i].Name)
	}
	for _, name := range names {
		if mountOf(c.VolumeMounts, name) == nil {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: mountPathOf(&b.Unit.Spec.Template.Spec, name)})
		}
	}
}

// ensureDirectories mounts an emptyDir wherever the agent and the server write
// outside the data and nothing is mounted: their root is read-only.
func (b *builder) ensureDirectories(c *corev1.Container) {
	for _, d := range b.directories() {
		if mountAt(c.VolumeMounts, d.mountPath) != nil {
			continue
		}
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: d.name, MountPath: d.mountPath})
		if volumeNamed(&b.spec, d.name) == nil {
			b.spec.Volumes = append(b.spec.Volumes, emptyDirVolume(d.name))
		}
	}
}

func (b *builder) directories() []volumeAt {
	return []volumeAt{
		{name: socketsVolume, mountPath: b.engine.socketDir},
		{name: configVolume, mountPath: b.engine.configDir},
		{name: tmpVolume, mountPath: "/tmp"},
	}
}

func emptyDirVolume(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
}

func volumeNamed(spec *corev1.PodSpec, name string) *corev1.Volume {
	return find(spec.Volumes, func(v *corev1.Volume) bool { return v.Name == name })
}

func mountOf(mounts []corev1.VolumeMount, volume string) *corev1.VolumeMount {
	return find(mounts, func(m *corev1.VolumeMount) bool { return m.Name == volume })
}

func mountAt(mounts []corev1.VolumeMount, mountPath string) *corev1.VolumeMount {
	return find(mounts, func(m *corev1.VolumeMount) bool { return directory(m.MountPath) == directory(mountPath) })
}

// directory is a path in one spelling: /var/run is a link to /run in the images.
func directory(p string) string {
	p = path.Clean(p)
	if rest, ok := strings.CutPrefix(p, "/var/run/"); ok {
		return "/run/" + rest
	}
	return p
}

func mounted(spec *corev1.PodSpec, volume string) bool {
	mounts := func(c *corev1.Container) bool { return mountOf(c.VolumeMounts, volume) != nil }
	return find(spec.InitContainers, mounts) != nil || find(spec.Containers, mounts) != nil
}
