// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/engine/proxysql"
	"github.com/upmio/unit-operator/pkg/agent/prestop"
)

// artifacts/packages is what the sources make, no more and no less.
func TestArtifactsAreUpToDate(t *testing.T) {
	made := t.TempDir()
	if err := run(".", made); err != nil {
		t.Fatal(err)
	}
	read := func(dir string) map[string]string {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, entry := range entries {
			content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[entry.Name()] = string(content)
		}
		return files
	}
	if diff := cmp.Diff(read(made), read("../../artifacts/packages")); diff != "" {
		t.Errorf("run go run ./hack/packages (-wanted +there):\n%s", diff)
	}
}

// What the agent needs of the pod: pkg/agent/supervise says how patient liveness must
// be, and the last step of a stop is reached before the kubelet's SIGKILL.
func TestThePodsOfPackages(t *testing.T) {
	made := t.TempDir()
	if err := run(".", made); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(made, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d packages, %v", len(files), err)
	}
	engines := map[string]func(engine.Env) engine.Engine{"mysql": mysql.New, "postgresql": postgresql.New, "proxysql": proxysql.New}
	for _, file := range files {
		template := podTemplate(t, file)
		container := template.Template.Spec.Containers[0]
		t.Run(filepath.Base(file), func(t *testing.T) {
			live := container.LivenessProbe
			if live.PeriodSeconds != 10 || live.TimeoutSeconds != 10 || live.FailureThreshold != 30 {
				t.Errorf("liveness: %d s, %d s, %d", live.PeriodSeconds, live.TimeoutSeconds, live.FailureThreshold)
			}
			var stop time.Duration
			for _, step := range engines[container.Name](engine.Env{}).StopPlan(t.Context(), engine.StopPodEnd, engine.Start{}) {
				stop += step.Wait
			}
			grace := time.Duration(*template.Template.Spec.TerminationGracePeriodSeconds) * time.Second
			if prestop.MaxWait+stop >= grace {
				t.Errorf("preStop hook %s and stop %s do not fit %s", prestop.MaxWait, stop, grace)
			}
		})
	}
}

func podTemplate(t *testing.T, file string) *corev1.PodTemplate {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(raw), "\n---\n") {
		var template corev1.PodTemplate
		if err := yaml.Unmarshal([]byte(document), &template); err != nil {
			t.Fatal(err)
		}
		if template.Kind == "PodTemplate" {
			return &template
		}
	}
	t.Fatalf("%s has no PodTemplate", file)
	return nil
}

func TestWriteRemovesWhatIsNoPackageAnyMore(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"mysql-5.6.yaml", "README.md"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(dir, map[string][]byte{"mysql-8.4.yaml": []byte("x")}); err != nil {
		t.Fatal(err)
	}
	got, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "README.md"), filepath.Join(dir, "mysql-8.4.yaml")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
