// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// Every package of this repository resolves and keeps the rules that the pods of
// users' namespaces are held to.
func TestArtifacts(t *testing.T) {
	s := artifacts(t)
	for _, name := range s.names() {
		t.Run(name, func(t *testing.T) {
			request := requestOf(t, s, name)
			p, err := Resolve(s, request)
			if err != nil {
				t.Fatal(err)
			}
			if p.Name != name {
				t.Fatalf("%+v finds %s", request, p.Name)
			}
			spec := p.Template.Spec
			checkPodSecurity(t, spec)
			if got := spec.TerminationGracePeriodSeconds; got == nil || *got < 60 {
				t.Error("the grace period would kill a flushing server")
			}
			if request.Edition == v1alpha2.EditionEnterprise && len(spec.ImagePullSecrets) == 0 {
				t.Error("an enterprise edition comes from a registry that wants a secret")
			}
			for _, volume := range spec.Volumes {
				if volume.EmptyDir == nil {
					t.Errorf("volume %s is no emptyDir", volume.Name)
				}
			}
		})
	}
}

// The versions of the design are all there.
func TestArtifactsAreComplete(t *testing.T) {
	s := artifacts(t)
	for unitType, versions := range map[v1alpha2.UnitType][]string{
		"mysql":      {"5.7.44", "8.0.41", "8.4.6", "9.7.4"},
		"postgresql": {"12.22", "13.23", "14.23", "15.12", "16.14", "17.6", "18.1"},
		"proxysql":   {"2.4.6", "2.7.1", "3.0.2"},
	} {
		for _, version := range versions {
			for _, edition := range []v1alpha2.Edition{"", "community", "enterprise"} {
				if _, err := Resolve(s, Request{unitType, edition, version}); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func requestOf(t *testing.T, s *store, name string) Request {
	t.Helper()
	unitType := v1alpha2.UnitType(s.podTemplates[name].Labels[v1alpha2.LabelType])
	request := Request{Type: unitType, Version: name[lastDash(name)+1:]}
	if name == string(unitType)+"-enterprise-"+request.Version {
		request.Edition = v1alpha2.EditionEnterprise
	}
	return request
}

func lastDash(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '-' {
			return i
		}
	}
	return -1
}

// checkPodSecurity holds a pod to the restricted level of the pod security
// standards, and to a read-only root.
func checkPodSecurity(t *testing.T, spec corev1.PodSpec) {
	t.Helper()
	sc := spec.SecurityContext
	if sc == nil || sc.RunAsNonRoot == nil || !*sc.RunAsNonRoot || sc.RunAsUser == nil || *sc.RunAsUser == 0 ||
		sc.FSGroup == nil || *sc.FSGroup != *sc.RunAsUser ||
		sc.FSGroupChangePolicy == nil || *sc.FSGroupChangePolicy != corev1.FSGroupChangeOnRootMismatch ||
		sc.SeccompProfile == nil || sc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("pod security context %+v", sc)
	}
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Error("a service account token is mounted")
	}
	for _, c := range spec.Containers {
		sc := c.SecurityContext
		if sc == nil || sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation ||
			sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem ||
			sc.Capabilities == nil || len(sc.Capabilities.Drop) != 1 || sc.Capabilities.Drop[0] != "ALL" || len(sc.Capabilities.Add) > 0 {
			t.Errorf("container %s: security context %+v", c.Name, sc)
		}
		if c.StartupProbe == nil || c.LivenessProbe == nil || c.ReadinessProbe == nil || c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
			t.Errorf("container %s lacks a probe or the preStop hook", c.Name)
		}
	}
}
