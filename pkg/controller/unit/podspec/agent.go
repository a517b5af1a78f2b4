// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// addAgent adds the two containers of the agent and their volumes. The template's
// init containers run between them: what they prepare is there when the agent
// looks.
func (b *builder) addAgent() {
	sidecar := b.sidecar()
	b.spec.InitContainers = slices.Concat([]corev1.Container{b.install()}, b.spec.InitContainers, []corev1.Container{sidecar})
	b.spec.Volumes = append(b.spec.Volumes,
		emptyDirVolume(binVolume),
		emptyDirVolume(stateVolume),
		corev1.Volume{Name: tlsVolume, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
			SecretName: TLSSecretName(b.Unit.Name), DefaultMode: new(SecretMode),
		}}},
	)
}

// install copies the agent out of its image. There /unit-agent is the program, so
// the volume has another place than in the other containers.
func (b *builder) install() corev1.Container {
	return corev1.Container{
		Name:            InstallContainer,
		Image:           b.AgentImage,
		Command:         []string{"/unit-agent", "install", installDir},
		Resources:       b.agentResources(),
		SecurityContext: b.agentSecurity(),
		VolumeMounts:    []corev1.VolumeMount{{Name: binVolume, MountPath: installDir}},
	}
}

// sidecar is the agent: beside the server, from the same image and with the same
// volumes, so that the server's own tools work on them. It has no readiness probe:
// the database's readiness does not depend on it.
func (b *builder) sidecar() corev1.Container {
	c := corev1.Container{
		Name:            AgentContainer,
		Image:           b.database.Image,
		ImagePullPolicy: b.database.ImagePullPolicy,
		Command:         []string{program, "serve"},
		RestartPolicy:   new(corev1.ContainerRestartPolicyAlways),
		Ports:           []corev1.ContainerPort{{Name: "unit-agent", ContainerPort: AgentPort, Protocol: corev1.ProtocolTCP}},
		EnvFrom:         slices.Clone(b.database.EnvFrom),
		Env:             b.sidecarEnv(),
		Resources:       b.agentResources(),
		SecurityContext: b.agentSecurity(),
	}
	if b.Unit.Annotations[v1alpha2.AnnotationMonitoringEnabled] != "false" {
		c.Ports = append(c.Ports, corev1.ContainerPort{Name: "metrics", ContainerPort: MetricsPort, Protocol: corev1.ProtocolTCP})
	}
	for _, m := range b.database.VolumeMounts {
		if strings.HasPrefix(m.MountPath, "/unit-agent/") {
			continue
		}
		m.MountPropagation = nil
		c.VolumeMounts = append(c.VolumeMounts, m)
	}
	b.mountData(&c)
	b.ensureDirectories(&c)
	c.VolumeMounts = append(c.VolumeMounts,
		corev1.VolumeMount{Name: binVolume, MountPath: binDir, ReadOnly: true},
		corev1.VolumeMount{Name: stateVolume, MountPath: stateDir},
		corev1.VolumeMount{Name: tlsVolume, MountPath: tlsDir, ReadOnly: true},
	)
	return c
}

// agentSecurity does not depend on the pod's, which a template may loosen.
func (b *builder) agentSecurity() *corev1.SecurityContext {
	security := containerSecurity()
	security.RunAsNonRoot = new(true)
	security.RunAsUser, security.RunAsGroup = new(*b.uid), new(*b.gid)
	security.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	return security
}
