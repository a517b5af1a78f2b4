// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// patience is for how long anything is waited for at least. None of these tests promises
// how soon something happens, and a machine that is busy may be several times slower.
const patience = 4 * time.Minute

// patiently lets kubectl wait as long.
const patiently = "--timeout=4m"

// eventually polls until f returns nil, and says every ten seconds what it waits
// for. The limit is for what takes longer than patience; a shorter one does not count.
func eventually(t *testing.T, limit time.Duration, what string, f func(context.Context) error) {
	t.Helper()
	limit = max(limit, patience)
	start, said := time.Now(), time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		err := f(ctx)
		if err == nil {
			return
		}
		if time.Since(said) > 10*time.Second {
			t.Logf("%3.0fs waiting for %s: %v", time.Since(start).Seconds(), what, err)
			said = time.Now()
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v for %s: %v", limit, what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// exec runs a command in a container, as kubectl exec does.
func (e *environment) exec(ctx context.Context, ns, pod, container, stdin string, command ...string) (string, error) {
	req := e.kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(ns).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: command, Stdin: stdin != "", Stdout: true, Stderr: true}, scheme.ParameterCodec)
	x, err := remotecommand.NewWebSocketExecutor(e.config, "GET", req.URL().String())
	if err != nil {
		return "", err
	}
	var out, errOut bytes.Buffer
	opts := remotecommand.StreamOptions{Stdout: &out, Stderr: &errOut}
	if stdin != "" {
		opts.Stdin = strings.NewReader(stdin)
	}
	if err := x.StreamWithContext(ctx, opts); err != nil {
		return out.String(), fmt.Errorf("%s in %s/%s: %w: %s", command[0], pod, container, err, strings.TrimSpace(errOut.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// run is an outside command that must succeed.
func runCommand(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// kubectlRun is a kubectl command as the documentation gives it; -it is left out,
// for there is no terminal.
func (e *environment) kubectlRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.kubectlCommand(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Errorf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// setReady is nil when the set says that all its units are ready.
func (e *environment) setReady(ctx context.Context, ns, name string) error {
	s, err := e.upm.UpmV1alpha2().UnitSets(ns).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if s.Status.ObservedGeneration != s.Generation || s.Status.ReadyUnits != *s.Spec.Units || s.Status.Units != *s.Spec.Units {
		return fmt.Errorf("%d of %d units ready: %s", s.Status.ReadyUnits, *s.Spec.Units, sentence(s.Status.Conditions))
	}
	return nil
}

// unitPhase is nil when the unit is in the phase.
func (e *environment) unitPhase(ctx context.Context, ns, name string, phase v1alpha2.UnitPhase) error {
	u, err := e.upm.UpmV1alpha2().Units(ns).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if u.Status.Phase != phase {
		return fmt.Errorf("phase %s: %s", u.Status.Phase, sentence(u.Status.Conditions))
	}
	return nil
}

func (e *environment) unitConditionTrue(ctx context.Context, ns, name, condition string) error {
	u, err := e.upm.UpmV1alpha2().Units(ns).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !meta.IsStatusConditionTrue(u.Status.Conditions, condition) {
		return fmt.Errorf("%s is not True: %s", condition, sentence(u.Status.Conditions))
	}
	return nil
}

func sentence(conds []metav1.Condition) string {
	var b strings.Builder
	for _, c := range conds {
		fmt.Fprintf(&b, "%s=%s (%s: %s) ", c.Type, c.Status, c.Reason, c.Message)
	}
	return b.String()
}

func (e *environment) pod(t *testing.T, ns, name string) *corev1.Pod {
	t.Helper()
	p, err := e.kube.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// restarts of a container, sidecars included.
func restarts(p *corev1.Pod, container string) int32 {
	for _, s := range append(append([]corev1.ContainerStatus(nil), p.Status.ContainerStatuses...), p.Status.InitContainerStatuses...) {
		if s.Name == container {
			return s.RestartCount
		}
	}
	return -1
}

// mysql runs SQL in a pod, as user over the network, the password by environment.
func (e *environment) mysql(ctx context.Context, ns, pod, container, host, port, user, password, sql string) (string, error) {
	script := `read -r p; MYSQL_PWD="$p" exec mysql --no-defaults -h "$0" -P "$1" -u "$2" -N -B -e "$3"`
	return e.exec(ctx, ns, pod, container, password+"\n", "sh", "-c", script, host, port, user, sql)
}

// psql runs SQL in a pod, as user over the network.
func (e *environment) psql(ctx context.Context, ns, pod, host, port, user, password, sql string) (string, error) {
	script := `read -r p; PGPASSWORD="$p" exec psql -X -h "$0" -p "$1" -U "$2" -d postgres -At -c "$3"`
	return e.exec(ctx, ns, pod, "postgresql", password+"\n", "sh", "-c", script, host, port, user, sql)
}
