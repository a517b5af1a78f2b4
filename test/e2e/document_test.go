// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/test/apidoc"
)

// The GrpcCalls of the API's documentation run here word for word, and what they have
// done is proven by SQL. Where a call stands for a place that no test has, the place is
// replaced: the foreign host of a clone, and for PostgreSQL its port. The parameters
// that the documentation shows without a call run once for each type they fit.

// documentedCall is one GrpcCall of the API's documentation.
type documentedCall struct {
	line int
	// key is the call's name, or the action if the documentation shows parameters only.
	key    string
	object *unstructured.Unstructured
}

// String says where it is written.
func (c documentedCall) String() string {
	if c.line == 0 {
		return c.key
	}
	return fmt.Sprintf("%s of line %d", c.key, c.line)
}

// of another unit: for parameters without a call, which are laid into one.
func (c documentedCall) of(kind v1alpha1.UnitType, unit string) documentedCall {
	c.object = c.object.DeepCopy()
	c.set(string(kind), "spec", "type")
	c.set(unit, "spec", "targetUnit")
	return c
}

// with a parameter replaced.
func (c documentedCall) with(parameter, value string) documentedCall {
	c.object = c.object.DeepCopy()
	c.set(value, "spec", "parameters", parameter)
	return c
}

func (c documentedCall) set(value string, field ...string) {
	if err := unstructured.SetNestedField(c.object.Object, value, field...); err != nil {
		panic(err) // the fields above are objects
	}
}

// unit it is meant for.
func (c documentedCall) unit() string {
	unit, _, _ := unstructured.NestedString(c.object.Object, "spec", "targetUnit")
	return unit
}

// documentedCalls of a type, in the order of the documentation; those without a call
// are of every type.
func documentedCalls(t *testing.T, kind v1alpha1.UnitType) []documentedCall {
	t.Helper()
	path := filepath.Join(root, "..", "shared", "api-documentation.md")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is absent: there are no examples to run", path)
	}
	examples, err := apidoc.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var calls []documentedCall
	for _, x := range examples {
		for _, o := range x.Objects {
			if written, _, _ := unstructured.NestedString(o.Object, "spec", "type"); o.GetKind() == "GrpcCall" && (x.Fragment || written == string(kind)) {
				calls = append(calls, documentedCall{line: x.Line, key: o.GetName(), object: o})
			}
		}
	}
	if len(calls) == 0 {
		t.Fatalf("%s shows no call of %s", path, kind)
	}
	return calls
}

// newCallOf is a call of our own beside those of the documentation.
func newCallOf(kind v1alpha1.UnitType, unit string, action v1alpha1.Action, parameters map[string]any) documentedCall {
	return documentedCall{key: string(action), object: &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "GrpcCall",
		"metadata": map[string]any{"name": "test-" + string(action), "namespace": ns},
		"spec": map[string]any{
			"targetUnit": unit, "type": string(kind), "action": string(action), "ttlSecondsAfterFinished": int64(3600), "parameters": parameters,
		},
	}}}
}

// perform applies a call as a user does, demands Success, and deletes it: names repeat.
func (e *environment) perform(t *testing.T, c documentedCall) v1alpha1.GrpcCallStatus {
	t.Helper()
	raw, err := yaml.Marshal(c.object.Object)
	if err != nil {
		t.Fatal(err)
	}
	cmd := e.kubectlCommand(t.Context(), "apply", "-f", "-")
	cmd.Stdin = bytes.NewReader(raw)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply of %s: %v\n%s", c, err, out)
	}
	start := time.Now()
	var status v1alpha1.GrpcCallStatus
	eventually(t, 4*time.Minute, "the result of "+c.String(), func(ctx context.Context) error {
		call, err := e.upm.UpmV1alpha1().GrpcCalls(ns).Get(ctx, c.object.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if status = call.Status; status.Result == "" {
			return fmt.Errorf("phase %s: %s %s", status.Phase, status.Progress, status.Message)
		}
		return nil
	})
	t.Logf("%s on %s: %s after %.1fs: %s", c, c.unit(), status.Result, time.Since(start).Seconds(), status.Message)
	if status.Result != v1alpha1.ResultSuccess {
		t.Fatalf("%s on %s: %s: %s", c, c.unit(), status.Result, status.Message)
	}
	e.kubectlRun(t, "delete", "grpccall", c.object.GetName(), "-n", ns, patiently)
	return status
}

// documentStore is a store with the bucket of the documentation, and the Secret that
// says where it is by the name that needs no parameter.
func (e *environment) documentStore(t *testing.T) store {
	t.Helper()
	s := e.startStore(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "backup-storage"}, StringData: map[string]string{
		"endpoint": s.endpoint, "region": "us-east-1", "pathStyle": "true", "accessKey": s.accessKey, "secretKey": s.secretKey,
	}}
	remove := func(ctx context.Context) {
		if err := e.kube.CoreV1().Secrets(ns).Delete(ctx, secret.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
	remove(t.Context())
	if _, err := e.kube.CoreV1().Secrets(ns).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(context.Background()) })
	return s
}

// documentTest is what the tests of a type's calls have in common.
type documentTest struct {
	e *environment
	rows
}

// client of a database that reads statements from the standard input: they may hold
// passwords.
func (d documentTest) client(database string) []string {
	if d.kind != v1alpha1.UnitTypePostgreSQL {
		return append([]string{"mysql", "-N", "-B"}, strings.Fields(database)...)
	}
	if database == "" {
		database = "postgres"
	}
	return []string{"psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", database}
}

func (d documentTest) sql(t *testing.T, namespace, unit, database, statements string) string {
	t.Helper()
	out, err := d.e.exec(t.Context(), namespace, unit, string(d.kind), statements+"\n", d.client(database)...)
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	return out
}

// fill makes a database with rows.
func (d documentTest) fill(t *testing.T, namespace, unit, database string) {
	t.Helper()
	d.sql(t, namespace, unit, "", "CREATE DATABASE "+database)
	d.sql(t, namespace, unit, database, d.makeTable)
	d.sql(t, namespace, unit, database, d.more)
}

// sameRows demands that a database has the rows of another.
func (d documentTest) sameRows(t *testing.T, unit, database, want string) {
	t.Helper()
	if got := d.sql(t, ns, unit, database, d.sum); got != want {
		t.Errorf("%s of %s sums up to %q, want %q", database, unit, got, want)
	}
}

// databases that are not the server's own.
func (d documentTest) databases(t *testing.T, unit string) string {
	t.Helper()
	if d.kind == v1alpha1.UnitTypePostgreSQL {
		return d.sql(t, ns, unit, "", "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'")
	}
	return d.sql(t, ns, unit, "", "SELECT GROUP_CONCAT(schema_name ORDER BY schema_name SEPARATOR ' ') FROM information_schema.schemata "+
		"WHERE schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')")
}

// backsUp performs a call that makes a backup, and demands that another unit gets the
// rows of shop by it, which it has not before.
func (d documentTest) backsUp(t *testing.T, call documentedCall, into string, more map[string]any) {
	t.Helper()
	d.sql(t, ns, call.unit(), "shop", d.more)
	want := d.sql(t, ns, call.unit(), "shop", d.sum)
	status := d.e.perform(t, call)
	parameters := map[string]any{"source": status.Outputs["location"]}
	maps.Copy(parameters, more)
	d.e.perform(t, newCallOf(d.kind, into, v1alpha1.ActionRestore, parameters))
	d.sameRows(t, into, "shop", want)
}

// restart stops the server of a unit and starts it again, as a user may.
func (d documentTest) restart(t *testing.T, unit string) {
	t.Helper()
	d.e.stopServer(t, unit)
	d.e.setStartup(t, unit, true)
	eventually(t, 2*time.Minute, "the server to serve again", func(ctx context.Context) error {
		if _, err := d.e.exec(ctx, ns, unit, string(d.kind), "SELECT 1;\n", d.client("")...); err != nil {
			return err
		}
		return d.e.unitPhase(ctx, ns, unit, v1alpha2.UnitReady)
	})
}

// answers demands what the server says to each question.
func (d documentTest) answers(t *testing.T, unit string, want map[string]string) {
	t.Helper()
	for question, answer := range want {
		if got := d.sql(t, ns, unit, "", question); got != answer {
			t.Errorf("%s: %s is %q, want %q", unit, question, got, answer)
		}
	}
}
