// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

// TestThePodsOfUnitsAreThoseOfTheGoldenFiles: *.unit.yaml are Units as the UnitSet
// controller writes them for artifacts/samples (set-*), and as people write them
// (standalone-*, two of them the API document's).
func TestThePodsOfUnitsAreThoseOfTheGoldenFiles(t *testing.T) {
	for _, name := range unitFiles(t) {
		t.Run(name, func(t *testing.T) {
			in := inputFor(t, readUnit(t, name))
			if name == "set-pinned" {
				in.NodeName = "node-1"
			}
			if name == "standalone-mysql" {
				in.NodeName = "node-2"
			}
			golden(t, name+".pod.yaml", build(t, in))
			var claims []string
			for _, claim := range Claims(in.Unit) {
				claims = append(claims, marshal(t, claim))
			}
			goldenText(t, name+".claims.yaml", strings.Join(claims, "---\n"))
			facts, err := Facts(in)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".facts.yaml", facts)
		})
	}
}

func TestBuildGivesTheSameEveryTimeAndLeavesItsInputAlone(t *testing.T) {
	for _, name := range unitFiles(t) {
		in := inputFor(t, readUnit(t, name))
		in.NodeName = "node-1"
		unit, template := in.Unit.DeepCopy(), (*corev1.PodTemplateSpec)(nil)
		if in.Package != nil {
			template = in.Package.Template.DeepCopy()
		}
		first := build(t, in)
		spoil(first)
		again := build(t, in)
		if in.Package != nil {
			if d := cmp.Diff(*template, in.Package.Template); d != "" {
				t.Errorf("%s: the package changed (-before +after):\n%s", name, d)
			}
		}
		if d := cmp.Diff(unit, in.Unit); d != "" {
			t.Errorf("%s: the unit changed (-before +after):\n%s", name, d)
		}
		spoil(again)
		if d := cmp.Diff(first, again); d != "" {
			t.Errorf("%s: another pod from the same input (-first +second):\n%s", name, d)
		}
	}
}

// spoil writes wherever a pod might share memory with what it was made from.
func spoil(pod *corev1.Pod) {
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			c := &containers[i]
			for j := range c.Env {
				c.Env[j].Value += "!"
				if from := c.Env[j].ValueFrom; from != nil && from.SecretKeyRef != nil {
					from.SecretKeyRef.Name = "other"
				}
			}
			for j := range c.VolumeMounts {
				c.VolumeMounts[j].MountPath = "/spoiled"
			}
			for j := range c.Ports {
				c.Ports[j].ContainerPort = 1
			}
			if s := c.SecurityContext; s != nil && s.RunAsUser != nil {
				*s.RunAsUser = 1
			}
		}
	}
	for i := range pod.Spec.Volumes {
		if s := pod.Spec.Volumes[i].Secret; s != nil {
			*s.DefaultMode = 1
		}
	}
	if s := pod.Spec.SecurityContext; s != nil && s.FSGroup != nil {
		*s.FSGroup = 1
	}
	pod.Labels["spoiled"] = "true"
	pod.Annotations["spoiled"] = "true"
}

func TestANewerAgentImageChangesTheInstallContainerAlone(t *testing.T) {
	for _, name := range unitFiles(t) {
		in := inputFor(t, readUnit(t, name))
		before := build(t, in)
		in.AgentImage = "example.org/unit-agent:2.0.0"
		after := build(t, in)
		install := ContainerNamed(after.Spec.InitContainers, InstallContainer)
		if install == nil || install.Image != in.AgentImage {
			t.Fatalf("%s: the install container is %+v", name, install)
		}
		install.Image = agentImage
		if d := cmp.Diff(before, after); d != "" {
			t.Errorf("%s: more changed (-before +after):\n%s", name, d)
		}
	}
}

// unitFiles are the names of testdata/*.unit.yaml.
func unitFiles(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.unit.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no units in testdata: %v", err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".unit.yaml"))
	}
	return names
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	content, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	goldenText(t, name, marshal(t, v))
}

func goldenText(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s differs, -update writes it (-want +got):\n%s", path, cmp.Diff(string(want), got))
	}
}
