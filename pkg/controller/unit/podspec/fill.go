// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// fillFromPackage lays the template of a standalone Unit over its package's. A
// container with its own command takes nothing but what the sidecar needs.
func (b *builder) fillFromPackage(base *corev1.PodSpec) {
	name := DatabaseType(&b.Unit.Spec.Template)
	packaged := ContainerNamed(base.Containers, name)
	if packaged == nil {
		return
	}
	if !b.supervised {
		security := base.SecurityContext
		if c := packaged.SecurityContext; c != nil && c.RunAsUser != nil {
			b.uid, b.gid = c.RunAsUser, c.RunAsGroup
		} else if security != nil {
			b.uid, b.gid = security.RunAsUser, security.RunAsGroup
		}
		fillStruct(&b.spec, &corev1.PodSpec{ImagePullSecrets: base.ImagePullSecrets, TerminationGracePeriodSeconds: base.TerminationGracePeriodSeconds})
		return
	}

	database := ContainerNamed(b.spec.Containers, name)
	database.Env = append(without(packaged.Env, database.Env), database.Env...)
	database.EnvFrom = append(packaged.EnvFrom, database.EnvFrom...)
	for _, m := range packaged.VolumeMounts {
		if mountAt(database.VolumeMounts, m.MountPath) == nil {
			database.VolumeMounts = append(database.VolumeMounts, m)
		}
	}
	database.SecurityContext = fill(database.SecurityContext, packaged.SecurityContext)
	packaged.Command, packaged.Args = nil, nil
	fillStruct(database, packaged)

	b.spec.SecurityContext = fill(b.spec.SecurityContext, base.SecurityContext)
	b.spec.Containers = append(b.spec.Containers, missing(base.Containers, b.spec)...)
	b.spec.InitContainers = append(missing(base.InitContainers, b.spec), b.spec.InitContainers...)
	for _, v := range base.Volumes {
		if volumeNamed(&b.spec, v.Name) == nil {
			b.spec.Volumes = append(b.spec.Volumes, v)
		}
	}
	base.Containers, base.InitContainers, base.Volumes = nil, nil, nil
	fillStruct(&b.spec, base)
	// Only what is mounted: a mount of the template at the same path has replaced
	// the package's, and its volume.
	b.spec.Volumes = slices.DeleteFunc(b.spec.Volumes, func(v corev1.Volume) bool {
		return volumeNamed(&b.Unit.Spec.Template.Spec, v.Name) == nil && !mounted(&b.spec, v.Name)
	})
}

// missing are the containers of a package that a spec has no other of the name of.
func missing(packaged []corev1.Container, spec corev1.PodSpec) []corev1.Container {
	var out []corev1.Container
	for _, c := range packaged {
		if ContainerNamed(spec.Containers, c.Name) == nil && ContainerNamed(spec.InitContainers, c.Name) == nil {
			out = append(out, c)
		}
	}
	return out
}

// fill sets the fields of a that are not set to those of b; either may be nil.
func fill[T any](a, b *T) *T {
	switch {
	case b == nil:
		return a
	case a == nil:
		return b
	}
	fillStruct(a, b)
	return a
}

// fillStruct sets the zero fields of a to those of b.
func fillStruct[T any](a, b *T) {
	to, from := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range to.NumField() {
		if f := to.Field(i); f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0 {
			f.Set(from.Field(i))
		}
	}
}

// ContainerNamed is the container of a name, nil if there is none.
func ContainerNamed(containers []corev1.Container, name string) *corev1.Container {
	return find(containers, func(c *corev1.Container) bool { return c.Name == name })
}

// find the first element of a list for which something is so; nil without one.
func find[T any](list []T, is func(*T) bool) *T {
	for i := range list {
		if is(&list[i]) {
			return &list[i]
		}
	}
	return nil
}
