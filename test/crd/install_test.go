// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Images as a release names them.
const (
	operatorImage = "registry.example.com/team/unit-operator@sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	agentImage    = "registry.example.com/team/unit-agent@sha256:1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b"
)

// dist is a directory with install.yaml and crds.yaml, which is applied: the kinds are
// there without guards before.
func (e *environment) dist(t *testing.T) string {
	t.Helper()
	e.once.Do(func() { e.distDir, e.distErr = e.install(t.Context()) })
	if e.distErr != nil {
		t.Fatal(e.distErr)
	}
	return e.distDir
}

// installation is what tests share of the installed files.
type installation struct {
	once    sync.Once
	distDir string
	distErr error
}

func (e *environment) install(ctx context.Context) (string, error) {
	dir := filepath.Join(e.light.Dir, "dist")
	cmd := exec.CommandContext(ctx, "go", "run", "./hack/install", "-out", dir, "-operator-image", operatorImage, "-agent-image", agentImage)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	_, err := e.kubectl(ctx, "apply", "-f", filepath.Join(dir, "crds.yaml"), "-f", filepath.Join(dir, "install.yaml"))
	return dir, err
}

func TestWhatIsInstalledIsWhatTheServerKeeps(t *testing.T) {
	e := needCluster(t)
	dir := e.dist(t)
	// All but kinds and packages, which are many.
	out, err := e.kubectl(t.Context(), "apply", "-l", "app.kubernetes.io/name=unit-operator",
		"-f", filepath.Join(dir, "crds.yaml"), "-f", filepath.Join(dir, "install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 16 {
		t.Errorf("there are %d objects:\n%s", len(lines), out)
	}
	for _, line := range lines {
		// kubectl always sends the selector of a budget.
		if !strings.HasSuffix(line, " unchanged") && !strings.HasPrefix(line, "poddisruptionbudget.policy/") {
			t.Errorf("applied once more: %s", line)
		}
	}
}

// yamlFence is a block of YAML in a page.
var yamlFence = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// TestKustomizeMakesTheSame builds the overlay of docs/install.md.
func TestKustomizeMakesTheSame(t *testing.T) {
	e := needCluster(t)
	page, err := os.ReadFile(filepath.Join(root, "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	var overlay string
	for _, match := range yamlFence.FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(match[1], "kind: Kustomization") {
			overlay = match[1]
		}
	}
	if overlay == "" {
		t.Fatal("docs/install.md has no overlay")
	}
	base, err := filepath.Abs(filepath.Join(root, "artifacts"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if base, err = filepath.Rel(dir, base); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"https://github.com/upmio/unit-operator//artifacts?ref=v0.1.0": base,
		"sha256:OPERATOR": operatorImage[strings.Index(operatorImage, "sha256:"):],
		"sha256:AGENT":    agentImage[strings.Index(agentImage, "sha256:"):],
	} {
		if !strings.Contains(overlay, from) {
			t.Fatalf("the overlay has no %s", from)
		}
		overlay = strings.ReplaceAll(overlay, from, to)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(overlay), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"install.yaml": {"kustomize", dir},
		"crds.yaml":    {"kustomize", filepath.Join(root, "artifacts", "crds")},
	} {
		out, err := e.kubectl(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := os.ReadFile(filepath.Join(e.dist(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(byName(t, string(rendered)), byName(t, out)); diff != "" {
			t.Errorf("%s (-file +kustomize):\n%s", name, diff)
		}
	}
}

// byName are the objects of a stream.
func byName(t *testing.T, stream string) map[string]any {
	t.Helper()
	objects := map[string]any{}
	for document := range strings.SplitSeq("\n"+stream, "\n---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			t.Fatal(err)
		}
		if len(o.Object) > 0 {
			objects[o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName()] = o.Object
		}
	}
	return objects
}
