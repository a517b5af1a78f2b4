// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBinariesReportTheVersionOfTheModuleTheyAreBuiltFrom(t *testing.T) {
	gomod, err := os.ReadFile(filepath.Join("..", "kube", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(gomod)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == "k8s.io/kubernetes" {
			if fields[1] != kubernetesVersion {
				t.Errorf("kube/go.mod requires Kubernetes %s, the binaries would say %s", fields[1], kubernetesVersion)
			}
			return
		}
	}
	t.Error("kube/go.mod does not require k8s.io/kubernetes")
}

func TestComponentsAreThoseOfTheModulesBesideThem(t *testing.T) {
	for _, c := range components {
		if _, err := os.Stat(filepath.Join("..", c.module, "go.sum")); err != nil {
			t.Errorf("component %s: %v", c.name, err)
		}
	}
}

func TestKeyChangesWithNamesContentsAndInputsButNotWithTests(t *testing.T) {
	tree := func(files map[string]string) string {
		t.Helper()
		dir := t.TempDir()
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	key := func(dir string, inputs ...string) string {
		t.Helper()
		k, err := Key([]string{dir}, inputs...)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	base := key(tree(map[string]string{"a.go": "1", "b.go": "2"}), "x")
	for _, c := range []struct {
		name   string
		files  map[string]string
		inputs []string
		same   bool
	}{
		{"the same files elsewhere", map[string]string{"a.go": "1", "b.go": "2"}, []string{"x"}, true},
		{"a test more", map[string]string{"a.go": "1", "b.go": "2", "a_test.go": "3"}, []string{"x"}, true},
		{"another content", map[string]string{"a.go": "1", "b.go": "3"}, []string{"x"}, false},
		{"another name", map[string]string{"a.go": "1", "c.go": "2"}, []string{"x"}, false},
		{"a file less", map[string]string{"a.go": "1"}, []string{"x"}, false},
		{"another input", map[string]string{"a.go": "1", "b.go": "2"}, []string{"y"}, false},
		{"inputs cut elsewhere", map[string]string{"a.go": "1", "b.go": "2"}, []string{"", "x"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if same := key(tree(c.files), c.inputs...) == base; same != c.same {
				t.Errorf("the key is the same: %v, want %v", same, c.same)
			}
		})
	}
}
