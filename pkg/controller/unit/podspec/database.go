// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// engine is where a server's things are in its container. pkg/agent/engine reads
// them there.
type engine struct {
	configDir, socketDir string
	sqlPort              int32
}

var engines = map[string]engine{
	"mysql":      {configDir: "/etc/mysql", socketDir: "/var/run/mysqld", sqlPort: 3306},
	"postgresql": {configDir: "/etc/postgresql", socketDir: "/var/run/postgresql", sqlPort: 5432},
	"proxysql":   {configDir: "/etc/proxysql", socketDir: "/var/run/proxysql", sqlPort: 6033},
}

// defaultUID is that of the server's account in the stock images.
const defaultUID int64 = 999

// completeDatabase makes supervise run the database, with what it needs.
func (b *builder) completeDatabase() {
	if !b.supervised {
		return
	}
	c := b.database
	c.Command = []string{program, "supervise"}
	if c.StartupProbe == nil {
		c.StartupProbe = probe("/startupz", 1, 5, 86400)
	}
	if c.LivenessProbe == nil {
		c.LivenessProbe = probe("/livez", 10, 10, 30)
	}
	if c.ReadinessProbe == nil {
		c.ReadinessProbe = probe("/readyz", 2, 5, 3)
	}
	if c.Lifecycle == nil {
		c.Lifecycle = &corev1.Lifecycle{}
	}
	if c.Lifecycle.PreStop == nil {
		c.Lifecycle.PreStop = &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{program, "prestop"}}}
	}
	c.SecurityContext = fill(c.SecurityContext, containerSecurity())
	b.spec.SecurityContext = fill(b.spec.SecurityContext, &corev1.PodSecurityContext{
		RunAsNonRoot:   new(true),
		RunAsUser:      new(*b.uid),
		RunAsGroup:     new(*b.gid),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	})
	b.mountData(c)
	b.ensureDirectories(c)
	c.Env = b.databaseEnv()
	c.VolumeMounts = append(c.VolumeMounts,
		corev1.VolumeMount{Name: binVolume, MountPath: binDir, ReadOnly: true},
		corev1.VolumeMount{Name: stateVolume, MountPath: stateDir},
	)
}

// probe of supervise, which answers for itself: a probe that waited for the
// server would kill one that recovers, for ever.
func probe(path string, period, timeout, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(ProbePort)}},
		PeriodSeconds: period, TimeoutSeconds: timeout, FailureThreshold: failures,
	}
}

func containerSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// identity settles whom the server runs as. The agent logs in as the same user.
func (b *builder) identity() {
	pod, container := b.spec.SecurityContext, b.database.SecurityContext
	if pod != nil {
		b.uid, b.gid = cmp.Or(pod.RunAsUser, b.uid), cmp.Or(pod.RunAsGroup, b.gid)
	}
	if container != nil {
		b.uid, b.gid = cmp.Or(container.RunAsUser, b.uid), cmp.Or(container.RunAsGroup, b.gid)
	}
	// Root is no user for the agent, nor is an unknown one of an image that may
	// mean root.
	if ptr.Deref(b.uid, 0) == 0 {
		b.uid = new(defaultUID)
	}
	if ptr.Deref(b.gid, 0) == 0 {
		b.gid = new(*b.uid)
	}
}

// secureFiles lets the server's group, and nobody else, read volumes and keys.
func (b *builder) secureFiles() {
	if b.spec.SecurityContext == nil {
		b.spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	security := b.spec.SecurityContext
	if security.FSGroup == nil {
		security.FSGroup = new(*b.gid)
	}
	if security.FSGroupChangePolicy == nil {
		security.FSGroupChangePolicy = new(corev1.FSGroupChangeOnRootMismatch)
	}
	for i := range b.spec.Volumes {
		v := &b.spec.Volumes[i]
		if v.Secret != nil && v.Secret.DefaultMode == nil {
			v.Secret.DefaultMode = new(SecretMode)
		}
		if p := v.Projected; p != nil && p.DefaultMode == nil && slices.ContainsFunc(p.Sources, isSecret) {
			p.DefaultMode = new(SecretMode)
		}
	}
}

func isSecret(p corev1.VolumeProjection) bool { return p.Secret != nil }
