// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	clientset "github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

var (
	root = "../.."
	env  *environment
)

type environment struct {
	config     *rest.Config
	kubeconfig string
	kube       kubernetes.Interface
	upm        clientset.Interface
	// bed is the command that owns the cluster; empty on a cluster of the user's.
	bed      string
	kubectl  string
	versions map[string]string
	operator *process
	witness  *witness
	logs     string
	// ns is the namespace of the shared sets.
	ns string
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	kubeconfig := os.Getenv("KUBECONFIG")
	if os.Getenv("UNIT_OPERATOR_E2E") == "" || kubeconfig == "" {
		fmt.Println("e2e: skipped; `make e2e` brings a cluster up and runs it, UNIT_OPERATOR_E2E=1 with KUBECONFIG runs it on yours")
		return m.Run()
	}
	e, err := newEnvironment(kubeconfig)
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		return 1
	}
	env = e
	defer e.stopOperator()
	if err := e.startWitness(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		return 1
	}
	defer e.witness.close()
	if err := e.startOperator(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		e.describe()
		return 1
	}
	code := m.Run()
	extent, err := e.witness.verdict(context.Background())
	fmt.Printf("e2e: %s\n", extent)
	if err != nil {
		fmt.Printf("--- FAIL: a secret was told\n%v\n", err)
		code = 1
	}
	if code != 0 {
		e.describe()
		return code
	}
	// What was recorded is of use after a failure only.
	if err := os.RemoveAll(e.logs); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
	}
	return code
}

// require skips where there is no cluster.
func require(t *testing.T) *environment {
	t.Helper()
	if env == nil {
		t.Skip("no cluster: see `make e2e`")
	}
	return env
}

// requireBed skips what needs power over nodes and the API server.
func requireBed(t *testing.T) *environment {
	t.Helper()
	e := require(t)
	if e.bed == "" {
		t.Skip("stops nodes or the API server: runs on the test bed only")
	}
	return e
}

func newEnvironment(kubeconfig string) (*environment, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	root = abs
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg.QPS, cfg.Burst = -1, 0
	e := &environment{config: cfg, kubeconfig: kubeconfig, bed: os.Getenv("UNIT_OPERATOR_BED"), kubectl: os.Getenv("KUBECTL"), ns: "shop"}
	if e.kubectl == "" {
		e.kubectl = "kubectl"
	}
	if err := json.Unmarshal([]byte(os.Getenv("UNIT_OPERATOR_VERSIONS")), &e.versions); err != nil {
		return nil, fmt.Errorf("UNIT_OPERATOR_VERSIONS must be JSON of type to version, such as {\"mysql\":\"9.7.4\"}: %w", err)
	}
	if e.kube, err = kubernetes.NewForConfig(cfg); err != nil {
		return nil, err
	}
	if e.upm, err = clientset.NewForConfig(cfg); err != nil {
		return nil, err
	}
	if e.logs, err = os.MkdirTemp("", "unit-operator-e2e-"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, dir := range []string{"crds", "rbac", "packages"} {
		if out, err := e.kubectlCommand(ctx, "apply", "-f", filepath.Join(root, "artifacts", dir)).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("kubectl apply -f artifacts/%s: %w\n%s", dir, err, out)
		}
	}
	_, err = e.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.ns}}, metav1.CreateOptions{})
	if err != nil && !strings.Contains(err.Error(), "already exists") {
		return nil, err
	}
	return e, nil
}

func (e *environment) kubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+e.kubeconfig)
	return cmd
}

// process is a child that dies with the test.
type process struct {
	cmd    *exec.Cmd
	waited chan struct{}
}

func (e *environment) operatorLog() string { return filepath.Join(e.logs, "operator.log") }

// startOperator runs the operator's binary as a user does, out of the cluster, and
// returns when it lives.
func (e *environment) startOperator(args ...string) error {
	log, err := os.OpenFile(e.operatorLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	address, err := freeAddress()
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(root, "bin", "unit-operator"), append([]string{
		"--kubeconfig", e.kubeconfig, "--agent-image", agentImage(), "--leader-elect=false", "--http-address", address, "-v=2",
	}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, waited: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.waited)
	}()
	e.operator = p
	return p.lives("http://" + address + "/healthz")
}

// lives returns when the operator answers, or with an error when it has ended or never
// does.
func (p *process) lives(url string) error {
	client := http.Client{Timeout: time.Second}
	for deadline := time.After(patience); ; {
		if response, err := client.Get(url); err == nil {
			_ = response.Body.Close()
			return nil
		}
		select {
		case <-p.waited:
			return fmt.Errorf("the operator ended at once: %v", p.cmd.ProcessState)
		case <-deadline:
			return fmt.Errorf("the operator does not answer on %s", url)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freeAddress of this machine, so that nothing that runs beside has it.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func agentImage() string {
	if i := os.Getenv("UNIT_OPERATOR_AGENT_IMAGE"); i != "" {
		return i
	}
	return "upmio/unit-agent:dev"
}

// stopOperator kills the operator: nothing may depend on a graceful end.
func (e *environment) stopOperator() {
	if e.operator == nil {
		return
	}
	_ = e.operator.cmd.Process.Kill()
	<-e.operator.waited
	e.operator = nil
}

// restartOperator kills the operator and starts it again.
func (e *environment) restartOperator(t *testing.T, args ...string) {
	t.Helper()
	e.stopOperator()
	if err := e.startOperator(args...); err != nil {
		t.Fatal(err)
	}
}

// describe prints what a person would look at after a failure.
func (e *environment) describe() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, args := range [][]string{
		{"get", "unitsets,units,pods,pvc,svc", "-A", "-o", "wide"},
		{"describe", "unitsets,units", "-n", e.ns},
		{"get", "events", "-n", e.ns, "--sort-by=.lastTimestamp"},
	} {
		out, _ := e.kubectlCommand(ctx, args...).CombinedOutput()
		fmt.Printf("\n$ kubectl %s\n%s", strings.Join(args, " "), out)
	}
	log, _ := os.ReadFile(e.operatorLog())
	lines := strings.Split(string(log), "\n")
	fmt.Printf("\nend of the operator's log (%s):\n%s\n", e.logs, strings.Join(lines[max(0, len(lines)-80):], "\n"))
}
