// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// check refuses a template that cannot become a unit's pod.
func check(unit *v1alpha2.Unit) error {
	spec := &unit.Spec.Template.Spec
	database := slim.DatabaseContainer(spec)
	if database == nil {
		return errors.New("no container of the template is named mysql, postgresql or proxysql: name the database's container so")
	}
	if len(database.Command) == 0 && len(database.Args) > 0 {
		return fmt.Errorf("container %s has args and no command, so they have no program to go to: write settings of the server into the ConfigMap of configValueName, or give the container its own command",
			database.Name)
	}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			if err := checkContainer(&containers[i]); err != nil {
				return err
			}
		}
	}
	for i := range spec.Volumes {
		if strings.HasPrefix(spec.Volumes[i].Name, "unit-agent") {
			return fmt.Errorf("volume %s: names that begin with unit-agent are the operator's: choose another", spec.Volumes[i].Name)
		}
	}
	return checkClaims(unit)
}

func checkContainer(c *corev1.Container) error {
	if c.Name == AgentContainer || c.Name == InstallContainer {
		return fmt.Errorf("container %s: the name is the operator's: choose another", c.Name)
	}
	for _, m := range c.VolumeMounts {
		if d := directory(m.MountPath); d == "/unit-agent" || strings.HasPrefix(d, "/unit-agent/") {
			return fmt.Errorf("container %s mounts volume %s at %s: the directory /unit-agent is the operator's: choose another",
				c.Name, m.Name, m.MountPath)
		}
	}
	for _, p := range c.Ports {
		if slices.Contains([]int32{AgentPort, MetricsPort, ProbePort}, p.ContainerPort) {
			return fmt.Errorf("container %s: port %d belongs to the agent: choose another", c.Name, p.ContainerPort)
		}
	}
	return nil
}

// checkClaims refuses a volume that hides the unit's own claim of the same name.
func checkClaims(unit *v1alpha2.Unit) error {
	for i := range unit.Spec.VolumeClaimTemplates {
		name := unit.Spec.VolumeClaimTemplates[i].Name
		v := volumeNamed(&unit.Spec.Template.Spec, name)
		if v == nil {
			continue
		}
		if want := ClaimName(unit.Name, name); v.PersistentVolumeClaim == nil || v.PersistentVolumeClaim.ClaimName != want {
			return fmt.Errorf("volume %s of the template is not the claim %s that volumeClaimTemplate %s becomes: write persistentVolumeClaim.claimName: %s, or leave the volume out",
				name, want, name, want)
		}
	}
	return nil
}

// checkWritable refuses read-only mounts where the agent and the server write.
func (b *builder) checkWritable() error {
	if !b.supervised {
		return nil
	}
	for _, d := range append(b.directories(), b.data) {
		m := mountAt(b.database.VolumeMounts, d.mountPath)
		v := volumeNamed(&b.spec, m.Name)
		if v == nil || !m.ReadOnly && v.ConfigMap == nil && v.Secret == nil && v.Projected == nil && v.DownwardAPI == nil {
			continue
		}
		return fmt.Errorf("volume %s is mounted read-only at %s of container %s, where the server or its agent writes: mount it elsewhere; settings of the server belong into the ConfigMap of configValueName",
			m.Name, m.MountPath, b.database.Name)
	}
	return nil
}
