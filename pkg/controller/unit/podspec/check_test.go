// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestATemplateThatCannotBecomeAUnitsPodIsRefusedWithWhatToDo(t *testing.T) {
	for _, test := range []struct {
		name string
		unit *v1alpha2.Unit
		want string
	}{
		{"no database", standalone(func(u *v1alpha2.Unit) { database(u).Name = "db" }), "name the database's container so"},
		{"args without a command", standalone(func(u *v1alpha2.Unit) { database(u).Args = []string{"--x"} }), "configValueName"},
		{"a container named agent", standalone(func(u *v1alpha2.Unit) {
			u.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "agent"}}
		}), "container agent: the name is the operator's"},
		{"a mount in the agent's directory", standalone(volume("v", anEmptyDir), mount("v", "/unit-agent/bin")), "choose another"},
		{"the agent's port", standalone(func(u *v1alpha2.Unit) {
			database(u).Ports = []corev1.ContainerPort{{ContainerPort: 8080}}
		}), "port 8080 belongs to the agent"},
		{"a volume of the agent's name", standalone(volume("unit-agent-tls", anEmptyDir)), "volume unit-agent-tls"},
		{"another claim under a claim template's name", standalone(claimTemplate("data", "1Gi"), volume("data", aClaim("old"))), "claimName: single-data"},
		{"a ConfigMap where the configuration is written", standalone(volume("c", aConfigMap), mount("c", "/etc/mysql")), "configValueName"},
		{"read-only data", standalone(claimTemplate("data", "1Gi"), func(u *v1alpha2.Unit) {
			database(u).VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/DATA_MOUNT", ReadOnly: true}}
		}), "volume data is mounted read-only at /DATA_MOUNT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := inputFor(t, standalone())
			in.Unit = test.unit
			if _, err := Build(in); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
		})
	}
}
