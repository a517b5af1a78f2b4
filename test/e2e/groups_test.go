// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/upmio/unit-operator/test/apidoc"
)

const ns = "default"

// group is a set with its Secret and shared ConfigMap, as the API's documentation
// names them.
type group struct {
	kind, set string
	units     int
}

var (
	mysqlGroup      = group{kind: "mysql", set: "mysql-cluster", units: 3}
	postgresqlGroup = group{kind: "postgresql", set: "postgresql-cluster", units: 3}
	proxysqlGroup   = group{kind: "proxysql", set: "proxysql-cluster", units: 1}
)

func (g group) unit(i int) string { return fmt.Sprintf("%s-%d", g.set, i) }

// host is the name by which other pods reach the unit.
func (g group) host(i int) string {
	return fmt.Sprintf("%s.%s-headless-svc.%s", g.unit(i), g.set, ns)
}

// secret is the password of an account, read from the Secret as an application
// would.
func (e *environment) secret(t *testing.T, g group, user string) string {
	t.Helper()
	s, err := e.kube.CoreV1().Secrets(ns).Get(t.Context(), g.set+"-secret", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	v, ok := s.Data[user]
	if !ok {
		t.Fatalf("Secret %s has no key %q", s.Name, user)
	}
	return string(v)
}

// apply creates the group. Its UnitSet is the documentation's own, word for word,
// where the documentation is at hand; only the version becomes that of the image
// at hand, and what a test changes.
func (e *environment) apply(t *testing.T, g group, changes ...func(set *unstructured.Unstructured)) {
	t.Helper()
	version := e.versions[g.kind]
	if version == "" {
		t.Skipf("no image of %s on this cluster", g.kind)
	}
	raw, err := os.ReadFile(filepath.Join("testdata", g.kind+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var docs [][]byte
	for _, doc := range bytes.Split(raw, []byte("\n---\n")) {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(doc, o); err != nil {
			t.Fatal(err)
		}
		if o.GetKind() == "UnitSet" {
			if documented := documentedSet(t, g); documented != nil {
				o = documented
			}
			if err := unstructured.SetNestedField(o.Object, version, "spec", "version"); err != nil {
				t.Fatal(err)
			}
			for _, change := range changes {
				change(o)
			}
		}
		out, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, out)
	}
	cmd := e.kubectlCommand(t.Context(), "apply", "-f", "-")
	cmd.Stdin = bytes.NewReader(bytes.Join(docs, []byte("\n---\n")))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
}

// documentedSet is the last whole UnitSet of that name in the API's documentation, nil
// where the documentation is not beside this repository.
func documentedSet(t *testing.T, g group) *unstructured.Unstructured {
	t.Helper()
	path := filepath.Join(root, "..", "shared", "api-documentation.md")
	if _, err := os.Stat(path); err != nil {
		t.Logf("%s is absent: the set is ours", path)
		return nil
	}
	examples, err := apidoc.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var found *unstructured.Unstructured
	for _, x := range examples {
		for _, o := range x.Objects {
			if !x.Fragment && o.GetKind() == "UnitSet" && o.GetName() == g.set {
				found = o.DeepCopy()
			}
		}
	}
	if found == nil {
		t.Fatalf("%s shows no UnitSet %s", path, g.set)
	}
	unstructured.RemoveNestedField(found.Object, "status")
	return found
}

// ready waits for the whole set.
func (e *environment) ready(t *testing.T, g group) {
	t.Helper()
	start := time.Now()
	eventually(t, 5*time.Minute, "every unit of "+g.set+" to be ready", func(ctx context.Context) error { return e.setReady(ctx, ns, g.set) })
	t.Logf("%s: %d units ready after %.1fs", g.set, g.units, time.Since(start).Seconds())
}

// remove deletes the group and its claims and waits until they are gone.
func (e *environment) remove(t *testing.T, g group) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	for _, args := range [][]string{
		{"delete", "unitset", g.set, "-n", ns, "--ignore-not-found", patiently},
		{"wait", "--for=delete", "pod", "-l", "unit-operator.io/unitset=" + g.set, "-n", ns, patiently},
		{"delete", "pvc", "-l", "unit-operator.io/unitset=" + g.set, "-n", ns, patiently},
		{"delete", "secret/" + g.set + "-secret", "secret/" + g.set + "-backup-key", "configmap/" + g.set + "-config", "-n", ns, "--ignore-not-found"},
	} {
		if out, err := e.kubectlCommand(ctx, args...).CombinedOutput(); err != nil {
			t.Errorf("kubectl %v: %v\n%s", args, err, out)
		}
	}
}
