// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/packages"
)

// agentMemory is what the agent's Go runtime tries to stay below.
const agentMemory = "100MiB"

// stockPath is PATH in the stock images.
const stockPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Version of the engine that a unit asks for: its set's, else the tag of its
// image. Empty if that is no version.
func Version(unit *v1alpha2.Unit) string {
	if v := unit.Annotations[v1alpha2.AnnotationVersion]; v != "" && SetName(unit) != "" {
		return v
	}
	c := slim.DatabaseContainer(&unit.Spec.Template.Spec)
	if c == nil {
		return ""
	}
	request, err := packages.RequestForImage(v1alpha2.UnitType(c.Name), c.Image)
	if err != nil {
		return ""
	}
	return request.Version
}

// SQLPort is the port a unit's server listens on for SQL: the one named like its
// type, else the first of its container, else of its package, else the engine's
// own. pkg is nil for the unit of a set.
func SQLPort(unit *v1alpha2.Unit, pkg *packages.Package) int32 {
	c := slim.DatabaseContainer(&unit.Spec.Template.Spec)
	if c == nil {
		return 0
	}
	ports := c.Ports
	if len(ports) == 0 && pkg != nil {
		ports = pkg.Ports
	}
	return cmp.Or(packages.SQLPort(v1alpha2.UnitType(c.Name), ports), engines[c.Name].sqlPort)
}

// databaseEnv is the database's environment: the template's, with what the
// contract promises and the agent reads.
func (b *builder) databaseEnv() []corev1.EnvVar {
	return complete(b.database.Env, b.identityEnv(), b.defaultEnv())
}

// sidecarEnv is the database's, for the agent acts on the same things.
func (b *builder) sidecarEnv() []corev1.EnvVar {
	env := complete(b.database.Env, b.identityEnv(), append(b.defaultEnv(), corev1.EnvVar{Name: "GOMEMLIMIT", Value: agentMemory}))
	for i := range env {
		env[i] = *env[i].DeepCopy()
		// Without a name it would mean the sidecar's own limits.
		if from := env[i].ValueFrom; from != nil && from.ResourceFieldRef != nil && from.ResourceFieldRef.ContainerName == "" {
			from.ResourceFieldRef.ContainerName = b.database.Name
		}
	}
	return env
}

// complete puts what is the operator's before the template's variables, which may
// refer to it. Fixed ones replace the template's, defaults give way to them.
func complete(template, fixed, defaults []corev1.EnvVar) []corev1.EnvVar {
	template = without(template, fixed)
	return slices.Concat(fixed, without(without(defaults, fixed), template), template)
}

// without the variables of the names in others.
func without(env, others []corev1.EnvVar) []corev1.EnvVar {
	return slices.DeleteFunc(slices.Clone(env), func(e corev1.EnvVar) bool { return hasEnv(others, e.Name) })
}

func hasEnv(env []corev1.EnvVar, name string) bool {
	return slices.ContainsFunc(env, func(e corev1.EnvVar) bool { return e.Name == name })
}

// identityEnv tells the agent who it is. A template cannot say otherwise.
func (b *builder) identityEnv() []corev1.EnvVar {
	// Beside a server that runs by its own command the agent keeps its files off
	// the data: that image's entrypoint may refuse a volume that is not empty.
	dataDir := b.data.mountPath
	if !b.supervised {
		dataDir = stateDir
	}
	return []corev1.EnvVar{
		{Name: "UNIT_NAME", Value: b.Unit.Name},
		{Name: "UNIT_NAMESPACE", Value: b.Unit.Namespace},
		{Name: "UNIT_UID", Value: string(b.Unit.UID)},
		{Name: "UNIT_TYPE", Value: b.database.Name},
		{Name: "UNIT_SET", Value: b.set},
		{Name: "UNIT_CLUSTER_UID", Value: string(b.ClusterUID)},
		{Name: "UNIT_VERSION", Value: Version(b.Unit)},
		{Name: "UNIT_DATA_STORAGE", Value: b.data.name},
		{Name: "UNIT_SQL_PORT", Value: strconv.Itoa(int(SQLPort(b.Unit, b.Package)))},
		{Name: "DATA_DIR_MOUNT", Value: dataDir},
		fieldEnv("POD_UID", "metadata.uid"),
		fieldEnv("POD_IP", "status.podIP"),
	}
}

func fieldEnv(name, field string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: field},
	}}
}

// defaultEnv is the API's contract and what makes clients work for people in the
// pod.
func (b *builder) defaultEnv() []corev1.EnvVar {
	var env []corev1.EnvVar
	add := func(name, value string) {
		if !hasEnv(env, name) {
			env = append(env, corev1.EnvVar{Name: name, Value: value})
		}
	}
	add(EnvName(b.data.name)+"_MOUNT", b.data.mountPath)
	for _, s := range b.storages() {
		add(EnvName(s.name)+"_MOUNT", s.mountPath)
	}
	if v, m := b.secret(SecretVolume); v != nil {
		add("SECRET_MOUNT", m.MountPath)
		add("SECRET_NAME", v.SecretName)
	}
	if _, m := b.secret(CertificateVolume); m != nil {
		add("CERT_MOUNT", m.MountPath)
	}
	for _, port := range b.database.Ports {
		if port.Name != "" {
			add(EnvName(port.Name)+"_PORT", strconv.Itoa(int(port.ContainerPort)))
		}
	}
	add("HOME", homeDir)
	add("PATH", b.path())
	if b.database.Name == string(v1alpha2.UnitTypePostgreSQL) {
		add("PGHOST", b.engine.socketDir)
		add("PGPORT", strconv.Itoa(int(SQLPort(b.Unit, b.Package))))
		add("PGUSER", "unit_agent")
		add("PGDATABASE", "postgres")
	}
	return env
}

// path is the image's PATH, which a pod's spec can replace and not extend, with
// the stand-in tools last.
func (b *builder) path() string {
	dirs := []string{stockPath}
	if v, err := configtemplate.ParseVersion(Version(b.Unit)); err == nil && b.database.Name == string(v1alpha2.UnitTypePostgreSQL) {
		major := strconv.Itoa(v.Major)
		dirs = append(dirs, "/usr/lib/postgresql/"+major+"/bin", "/usr/pgsql-"+major+"/bin")
	}
	return strings.Join(append(dirs, toolsDir), ":")
}

// storages are the claims and emptyDirs of the template that the database
// container mounts, without those that only make a read-only root usable.
func (b *builder) storages() []volumeAt {
	var out []volumeAt
	for i := range b.Unit.Spec.VolumeClaimTemplates {
		name := b.Unit.Spec.VolumeClaimTemplates[i].Name
		out = append(out, volumeAt{name: name, mountPath: mountPathOf(&b.Unit.Spec.Template.Spec, name)})
	}
	for i := range b.spec.Volumes {
		v := &b.spec.Volumes[i]
		m := mountOf(b.database.VolumeMounts, v.Name)
		if m == nil || strings.HasPrefix(v.Name, "unit-") || v.EmptyDir == nil && v.PersistentVolumeClaim == nil && v.Ephemeral == nil {
			continue
		}
		out = append(out, volumeAt{name: v.Name, mountPath: m.MountPath, emptyDir: v.EmptyDir != nil})
	}
	return out
}

// secret is a user's Secret by its volume, and the database container's mount of
// it. Both are nil without one.
func (b *builder) secret(volume string) (*corev1.SecretVolumeSource, *corev1.VolumeMount) {
	v, m := volumeNamed(&b.spec, volume), mountOf(b.database.VolumeMounts, volume)
	if v == nil || v.Secret == nil || m == nil {
		return nil, nil
	}
	return v.Secret, m
}

// EnvName is the variable's name part of a storage or port: upper case, - to _.
func EnvName(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
