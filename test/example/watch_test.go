// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package example

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	clientset "github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/cluster"
)

const root = "../.."

func TestWatchUnitSets(t *testing.T) {
	program := buildExample(t, "watch-unitsets")

	t.Run("explains itself", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), program, "--help").CombinedOutput()
		if err != nil {
			t.Fatalf("--help: %v\n%s", err, out)
		}
		for _, want := range []string{"creates a UnitSet and waits", "-kubeconfig", "-units", "-timeout"} {
			if !bytes.Contains(out, []byte(want)) {
				t.Errorf("--help does not mention %q:\n%s", want, out)
			}
		}
	})
	t.Run("refuses what it does not know", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), program, "orders").CombinedOutput()
		if code := exitCode(err); code != 2 || !bytes.Contains(out, []byte(`unknown argument "orders"`)) {
			t.Errorf("ended with %d: %s", code, out)
		}
	})

	c := startCluster(t)
	t.Run("creates a set and ends when all its units are ready", func(t *testing.T) {
		namespace := c.namespace(t)
		p := c.start(t, program, "--namespace", namespace, "--name", "orders", "--type", "postgresql", "--version", "17.5", "--units", "2", "--size", "3Gi")
		p.expect("%s/orders created", namespace)
		p.expect("0 of 2 units ready")

		set, err := c.upm.UpmV1alpha2().UnitSets(namespace).Get(t.Context(), "orders", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := v1alpha2.UnitSetSpec{
			Type: v1alpha2.UnitTypePostgreSQL, Version: "17.5", Units: new(int32(2)),
			Storages: []v1alpha2.StorageSpec{{Name: "data", MountPath: "/DATA_MOUNT", Size: "3Gi"}},
		}
		if diff := cmp.Diff(want, set.Spec); diff != "" {
			t.Errorf("spec of the created set (-want +got):\n%s", diff)
		}

		c.status(t, namespace, v1alpha2.UnitSetStatus{Units: 2, ReadyUnits: 1, ObservedGeneration: 1, Conditions: []metav1.Condition{{
			Type: "Ready", Status: metav1.ConditionFalse, Reason: "UnitsNotReady", Message: "orders-1 starts", LastTransitionTime: metav1.Now(),
		}}})
		p.expect("1 of 2 units ready (UnitsNotReady: orders-1 starts)")
		c.status(t, namespace, v1alpha2.UnitSetStatus{Units: 2, ReadyUnits: 2, ObservedGeneration: 1})
		p.expect("2 of 2 units ready")
		p.end(0, "")

		again := c.start(t, program, "--namespace", namespace, "--name", "orders")
		again.expect("%s/orders exists", namespace)
		again.expect("2 of 2 units ready")
		again.end(0, "")
	})
	t.Run("does not take a status of an older spec for ready", func(t *testing.T) {
		namespace := c.namespace(t)
		p := c.start(t, program, "--namespace", namespace, "--name", "orders")
		p.expect("%s/orders created", namespace)
		p.expect("0 of 1 units ready")
		c.status(t, namespace, v1alpha2.UnitSetStatus{Units: 1, ReadyUnits: 1})
		p.expect("1 of 1 units ready")
		// The program's line came from this status, so only ready() can have kept it.
		c.status(t, namespace, v1alpha2.UnitSetStatus{Units: 1})
		p.expect("0 of 1 units ready")
		c.status(t, namespace, v1alpha2.UnitSetStatus{Units: 1, ReadyUnits: 1, ObservedGeneration: 1})
		p.expect("1 of 1 units ready")
		p.end(0, "")
	})
	t.Run("fails when the set is deleted", func(t *testing.T) {
		namespace := c.namespace(t)
		p := c.start(t, program, "--namespace", namespace, "--name", "orders")
		p.expect("%s/orders created", namespace)
		p.expect("0 of 1 units ready")
		if err := c.upm.UpmV1alpha2().UnitSets(namespace).Delete(t.Context(), "orders", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		p.end(1, "the set was deleted")
	})
	t.Run("fails when the time is over", func(t *testing.T) {
		p := c.start(t, program, "--namespace", c.namespace(t), "--timeout", "1s")
		p.end(1, "not ready within 1s")
	})
	t.Run("shows what the API server has against a set", func(t *testing.T) {
		p := c.start(t, program, "--namespace", c.namespace(t), "--version", "latest")
		p.end(1, "version must be one to three numbers")
	})
}

// buildExample compiles an example in its own module.
func buildExample(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	cmd.Dir = filepath.Join(root, "examples", name)
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build in %s: %v\n%s\nif a dependency changed: cd examples/%s && go mod tidy", cmd.Dir, err, out, name)
	}
	return program
}

type testCluster struct {
	light *cluster.Light
	kube  kubernetes.Interface
	upm   clientset.Interface
}

func startCluster(t *testing.T) *testCluster {
	t.Helper()
	if os.Getenv("UNIT_OPERATOR_REQUIRE_CLUSTER") == "" && !build.Built("kube") {
		t.Skip("no API server here: run `make test`, which builds one, or set UNIT_OPERATOR_REQUIRE_CLUSTER=1")
	}
	light, err := cluster.StartLight(t.Context(), cluster.LightOptions{WithoutControllerManager: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = light.Stop() })
	c := &testCluster{light: light}
	if c.kube, err = kubernetes.NewForConfig(light.Config); err != nil {
		t.Fatal(err)
	}
	if c.upm, err = clientset.NewForConfig(light.Config); err != nil {
		t.Fatal(err)
	}
	crds := filepath.Join(root, "artifacts", "crds")
	c.kubectl(t, "apply", "-f", crds)
	c.kubectl(t, "wait", "--for=condition=Established", "--timeout=30s", "-f", crds)
	return c
}

func (c *testCluster) kubectl(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.light.Kubectl, append([]string{"--kubeconfig", c.light.Kubeconfig}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+filepath.Join(c.light.Dir, "home"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (c *testCluster) namespace(t *testing.T) string {
	t.Helper()
	created, err := c.kube.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "example-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created.Name
}

// status writes what the operator would have seen of the set orders.
func (c *testCluster) status(t *testing.T, namespace string, status v1alpha2.UnitSetStatus) {
	t.Helper()
	sets := c.upm.UpmV1alpha2().UnitSets(namespace)
	set, err := sets.Get(t.Context(), "orders", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set.Status = status
	if _, err := sets.UpdateStatus(t.Context(), set, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// process is a running example.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *bufio.Scanner
	stderr bytes.Buffer
}

func (c *testCluster) start(t *testing.T, program string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{t: t, cmd: exec.CommandContext(ctx, program, append([]string{"--kubeconfig", c.light.Kubeconfig, "--timeout", "60s"}, args...)...)}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Wait()
		}
	})
	return p
}

// expect reads the next line. The program's own timeout bounds the wait.
func (p *process) expect(format string, args ...any) {
	p.t.Helper()
	want := fmt.Sprintf(format, args...)
	if !p.out.Scan() {
		err := p.cmd.Wait()
		p.t.Fatalf("it ended (%v) instead of printing %q: %s", err, want, p.stderr.String())
	}
	if got := p.out.Text(); got != want {
		p.t.Fatalf("it printed %q, want %q", got, want)
	}
}

// end waits until the program ends with a status and a text on standard error.
func (p *process) end(status int, text string) {
	p.t.Helper()
	var rest []string
	for p.out.Scan() {
		rest = append(rest, p.out.Text())
	}
	err := p.cmd.Wait()
	if code := exitCode(err); code != status || !strings.Contains(p.stderr.String(), text) {
		p.t.Errorf("ended with %d, want %d and %q: %s %q", code, status, text, p.stderr.String(), rest)
	}
}

func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}
