// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

var (
	// operatorDir outlives the test that compiles first; run removes it.
	operatorDir    string
	operatorOnce   sync.Once
	operatorBinary string
	operatorErr    error
)

// buildOperator compiles cmd/unit-operator once per test run.
func buildOperator(t testing.TB) string {
	t.Helper()
	operatorOnce.Do(func() {
		operatorBinary = filepath.Join(operatorDir, "unit-operator")
		cmd := exec.Command("go", "build", "-o", operatorBinary, "github.com/upmio/unit-operator/cmd/unit-operator")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			operatorErr = fmt.Errorf("building unit-operator: %w\n%s", err, out)
		}
	})
	if operatorErr != nil {
		t.Fatal(operatorErr)
	}
	return operatorBinary
}

// operator is a running unit-operator process.
type operator struct {
	cmd     *exec.Cmd
	http    string
	log     *os.File
	waited  chan struct{}
	waitErr error
}

type operatorOptions struct {
	host      string // what the kubeconfig points at: the proxy
	namespace string // the only one it works in; all if empty
	agent     string
	binary    string // another one than this tree's
	extraArgs []string
}

// startOperator runs the operator's binary and waits until its caches are synced.
func startOperator(t testing.TB, o operatorOptions) *operator {
	t.Helper()
	op := launchOperator(t, o)
	const limit = 2 * time.Minute
	deadline := time.Now().Add(limit)
	for {
		if op.readyz() {
			return op
		}
		select {
		case <-op.waited:
			// The port that was free for it may have been taken before it listened.
			if tail := op.tail(); strings.Contains(tail, "address already in use") && time.Now().Before(deadline) {
				op = launchOperator(t, o)
				continue
			}
			t.Fatalf("the operator ended before it was ready: %v\n%s", op.waitErr, op.tail())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the operator is not ready after %v\n%s", limit, op.tail())
		}
	}
}

// launchOperator starts the process without waiting for anything.
func launchOperator(t testing.TB, o operatorOptions) *operator {
	t.Helper()
	bin := o.binary
	if bin == "" {
		bin = buildOperator(t)
	}
	if o.agent == "" {
		o.agent = "upmio/unit-agent:test"
	}
	kubeconfig := writeKubeconfig(t, o.host)
	addr := freeAddress(t)
	args := append([]string{
		"--kubeconfig", kubeconfig, "--operator-namespace", operatorNamespace,
		"--agent-image", o.agent, "--leader-elect=false", "--http-address", addr, "-v=4",
	}, o.extraArgs...)
	if o.namespace != "" {
		args = append(args, "--namespaces", o.namespace)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "operator.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	op := &operator{cmd: cmd, http: "http://" + addr, log: log, waited: make(chan struct{})}
	go func() {
		op.waitErr = cmd.Wait()
		close(op.waited)
	}()
	t.Cleanup(func() {
		op.kill()
		if t.Failed() {
			t.Logf("end of the operator's log:\n%s", op.tail())
		}
		_ = log.Close()
	})
	return op
}

func (op *operator) readyz() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, op.http+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusOK
}

// kill ends the process as a crash would and waits until it is gone.
func (op *operator) kill() {
	_ = op.cmd.Process.Kill()
	<-op.waited
}

// stop ends the process as an administrator would.
func (op *operator) stop(t testing.TB) {
	t.Helper()
	_ = op.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-op.waited:
	case <-time.After(30 * time.Second): // what a kubelet grants, unless told otherwise
		t.Errorf("the operator did not end within 30s of SIGTERM\n%s", op.tail())
		op.kill()
	}
}

func (op *operator) tail() string {
	b, err := os.ReadFile(op.log.Name())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) > 60 {
		lines = lines[len(lines)-60:]
	}
	return strings.Join(lines, "\n")
}

func writeKubeconfig(t testing.TB, host string) string {
	t.Helper()
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["c"] = &clientcmdapi.Cluster{Server: host}
	cfg.Contexts["x"] = &clientcmdapi.Context{Cluster: "c"}
	cfg.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
