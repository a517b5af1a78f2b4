// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestWhatATemplateGivesIsKept(t *testing.T) {
	unit := standalone(volume("run", anEmptyDir), mount("run", "/run/mysqld/"), volume("fragments", aConfigMap), mount("fragments", "/etc/mysql/conf.d"),
		func(u *v1alpha2.Unit) {
			spec := &u.Spec.Template.Spec
			spec.Containers = append(spec.Containers, corev1.Container{Name: "exporter", Image: "exporter:1"})
			spec.InitContainers = []corev1.Container{{Name: "prepare", Image: "busybox:1"}}
			spec.TerminationGracePeriodSeconds = new(int64(30))
			spec.AutomountServiceAccountToken = new(true)
			spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(1001))}
			database(u).ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{}}}
			database(u).Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 1}}}
			database(u).SecurityContext = &corev1.SecurityContext{ReadOnlyRootFilesystem: new(false)}
			database(u).Ports = []corev1.ContainerPort{{ContainerPort: 3307}}
			database(u).Image = "registry.example.org/team/mysql:8.4.6"
		})
	pod := build(t, inputFor(t, unit))
	spec, c := pod.Spec, pod.Spec.Containers[0]
	if d := cmp.Diff(corev1.Container{Name: "exporter", Image: "exporter:1"}, spec.Containers[1]); d != "" {
		t.Errorf("the container beside the database changed (-want +got):\n%s", d)
	}
	var init []string
	for _, c := range spec.InitContainers {
		init = append(init, c.Name)
	}
	if d := cmp.Diff([]string{InstallContainer, "prepare", AgentContainer}, init); d != "" {
		t.Errorf("init containers (-want +got):\n%s", d)
	}
	if *spec.TerminationGracePeriodSeconds != 30 || !*spec.AutomountServiceAccountToken || *spec.SecurityContext.RunAsUser != 1001 || *c.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("the template's own values are gone: %s", marshal(t, spec))
	}
	if *spec.SecurityContext.RunAsGroup != 999 || *spec.SecurityContext.FSGroup != 999 || *c.SecurityContext.AllowPrivilegeEscalation {
		t.Errorf("what the template lacks is not filled in: %s", marshal(t, spec))
	}
	agent := ContainerNamed(spec.InitContainers, AgentContainer)
	if *agent.SecurityContext.RunAsUser != 1001 || agent.Image != c.Image {
		t.Errorf("the agent is not the server's user or image: %s", marshal(t, agent))
	}
	if c.ReadinessProbe.TCPSocket == nil || c.LivenessProbe == nil || c.Lifecycle.PostStart == nil || c.Lifecycle.PreStop == nil {
		t.Errorf("probes and hooks: %s", marshal(t, c))
	}
	if m := mountAt(c.VolumeMounts, "/var/run/mysqld"); m == nil || m.Name != "run" || volumeNamed(&spec, socketsVolume) != nil {
		t.Errorf("the package's sockets are there beside the template's: %s", marshal(t, c.VolumeMounts))
	}
	if got := envValue(c.Env, "UNIT_SQL_PORT"); got != "3307" {
		t.Errorf("the SQL port is %s", got)
	}
}

func TestAContainerWithItsOwnCommandIsLeftAloneAndStillHasAnAgent(t *testing.T) {
	unit := readUnit(t, "standalone-own-command")
	in := inputFor(t, unit)
	for _, name := range []string{"with a package", "without one"} {
		if name == "without one" {
			in.Package = nil
		}
		pod := build(t, in)
		if d := cmp.Diff(unit.Spec.Template.Spec.Containers, pod.Spec.Containers); d != "" {
			t.Errorf("%s, the containers changed (-template +pod):\n%s", name, d)
		}
		agent := ContainerNamed(pod.Spec.InitContainers, AgentContainer)
		if agent == nil || *agent.SecurityContext.RunAsUser != 999 || mountAt(agent.VolumeMounts, "/var/lib/mysql") == nil {
			t.Errorf("%s, the agent: %+v", name, agent)
		}
		if got := envValue(agent.Env, "DATA_DIR_MOUNT"); got != stateDir {
			t.Errorf("%s, the agent keeps its files in %s", name, got)
		}
		if s := pod.Spec.SecurityContext; s.RunAsUser != nil || s.RunAsNonRoot != nil || *s.FSGroup != 999 {
			t.Errorf("%s, the pod's security context: %+v", name, s)
		}
	}
}
