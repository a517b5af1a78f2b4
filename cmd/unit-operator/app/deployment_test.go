// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

func TestTheDeploymentsFlagsAreTakenAndItsProbesAreServed(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "artifacts", "deployment", "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	if err := yaml.UnmarshalStrict(content, &d); err != nil {
		t.Fatal(err)
	}
	container := d.Spec.Template.Spec.Containers[0]
	t.Cleanup(func() { _, _, _ = execute("--agent-image=a", "-v=0") })
	o, _, err := execute(container.Args...)
	if err != nil {
		t.Fatal(err)
	}
	if !o.LeaderElect {
		t.Error("a Deployment rolls out with two at a time: it needs leader election")
	}
	if o.OperatorNamespace != d.Namespace {
		t.Errorf("it runs in %s and works in %s", d.Namespace, o.OperatorNamespace)
	}
	if limit := container.Resources.Limits.Memory().Value(); limit < 2*64<<20 {
		t.Errorf("memory limit %d leaves no room above --memory-limit", limit)
	}
	if grace := *d.Spec.Template.Spec.TerminationGracePeriodSeconds; float64(grace) < 2*drain.Seconds() {
		t.Errorf("%d s of grace cut workers off that may take %v", grace, drain)
	}
	if live, ready := container.LivenessProbe.HTTPGet.Path, container.ReadinessProbe.HTTPGet.Path; live != "/healthz" || ready != "/readyz" {
		t.Errorf("probes %s and %s", live, ready)
	}
}
