// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// edits are what an upgrade might change in how pods are rendered, in the
// UnitSet's controller and in the Unit's: file, text, its replacement.
var edits = [][3]string{
	{"pkg/controller/unitset/volumes.go", "new(podspec.SecretMode)", "new(int32(0o444))"},
	{"pkg/controller/unit/podspec/podspec.go", `installDir = "/install"`, `installDir = "/copy"`},
}

// buildChanged compiles an operator whose renderers differ from this one's.
func buildChanged(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for i, edit := range edits {
		path, err := filepath.Abs(filepath.Join(root, edit[0]))
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(source), edit[1]) != 1 {
			t.Fatalf("%s no longer has %q: change this test with it", edit[0], edit[1])
		}
		changed := filepath.Join(dir, string(rune('a'+i))+".go")
		if err := os.WriteFile(changed, []byte(strings.Replace(string(source), edit[1], edit[2], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[path] = changed
	}
	raw, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	list, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "unit-operator")
	if err := os.WriteFile(list, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", list, "-o", binary, "github.com/upmio/unit-operator/cmd/unit-operator")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building a changed operator: %v\n%s", err, out)
	}
	return binary
}

func TestAnOperatorWithAnotherRendererRestartsNoPodAndUsesItForNewOnes(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "upgrade")
	op := startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	e.create(t, mysqlGroup(ns, "orders", 2))
	e.settled(t, ns, 2)
	before := e.podUIDs(t, ns)
	op.stop(t)

	startOperator(t, operatorOptions{host: p.URL(), namespace: ns, binary: buildChanged(t)})
	time.Sleep(2 * time.Second)
	e.settled(t, ns, 2)
	if d := diffUIDs(before, e.podUIDs(t, ns)); d != "" {
		t.Errorf("pods were replaced:\n%s", d)
	}
	e.scale(t, ns, 3)
	e.settled(t, ns, 3)
	if d := diffUIDs(before, keep(e.podUIDs(t, ns), before)); d != "" {
		t.Errorf("pods were replaced:\n%s", d)
	}
	if got := e.pod(t, ns, "orders-2").Spec.InitContainers[0].Command; got[len(got)-1] != "/copy" {
		t.Errorf("the new pod was made by the old renderer: %v", got)
	}
}

// keep is m without the keys that are not in of.
func keep[K comparable, V any](m, of map[K]V) map[K]V {
	out := map[K]V{}
	for k := range of {
		out[k] = m[k]
	}
	return out
}
