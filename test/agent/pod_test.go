// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// patience is how long a test waits for what must come: real servers on a machine that
// does other things too. It is no claim about speed.
const patience = 3 * time.Minute

// pod is one unit's pod: two containers that share directories.
type pod struct {
	// t is the running subtest, whole the test that owns the processes.
	t, whole *testing.T
	env      engine.Env
	files    map[string]string
	store    *state.Store
	client   agentv1.UnitServiceClient
	// operations of the unit.
	operations agentv1.OperationServiceClient

	// calls that change something have a place among those of their writer.
	calls int64

	serve, supervise *container
}

func newPod(t *testing.T, box *enginetest.Box, files map[string]string) *pod {
	t.Helper()
	box.Vars[engine.EnvTLSDir] = filepath.Join(box.Vars["HOME"], "..", "tls")
	p := &pod{t: t, whole: t, env: box.Env(t), files: files}
	p.store = state.NewStore(p.env.StateDir, state.Files{})
	ca := agenttest.NewCA(t)
	ca.WriteAgent(p.env)
	conn, err := grpc.NewClient("127.0.0.1:2214", grpc.WithTransportCredentials(credentials.NewTLS(ca.Client(ca.Operator()))),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p.client = agentv1.NewUnitServiceClient(conn)
	p.operations = agentv1.NewOperationServiceClient(conn)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the pod's log:\n%s", p.logText())
		}
	})
	return p
}

// container is a process that is unit-agent.
type container struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
}

func (p *pod) start(name string) *container {
	p.t.Helper()
	c := &container{t: p.whole, name: name, cmd: exec.Command("/proc/self/exe", name), exited: make(chan struct{})}
	c.cmd.Env = append([]string{agentVariable + "=1"}, p.env.Environ...)
	// Files, not pipes: what a killed container leaves running must not be held up.
	out, err := os.OpenFile(filepath.Join(p.env.StateDir, "..", "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	c.cmd.Stdout, c.cmd.Stderr = out, out
	if err := c.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.exited)
	}()
	p.whole.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.exited
	})
	return c
}

// wait returns the exit status.
func (c *container) wait() int {
	c.t.Helper()
	select {
	case <-c.exited:
	case <-time.After(patience):
		c.t.Fatalf("%s does not end", c.name)
	}
	if ws := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return c.cmd.ProcessState.ExitCode()
}

func (c *container) signal(sig syscall.Signal) { _ = c.cmd.Process.Signal(sig) }

func (p *pod) applyRequest(change ...func(*agentv1.ApplyRequest)) *agentv1.ApplyRequest {
	p.calls++
	r := &agentv1.ApplyRequest{
		Fence:         &agentv1.Fence{PodUid: p.env.PodUID, UnitUid: p.env.UID, UnitGeneration: 1, Term: 1, Seq: p.calls},
		Configuration: &agentv1.Configuration{Hash: "h1"},
		ClaimUids:     map[string]string{"data": "claim-1"},
	}
	for name, content := range p.files {
		r.Configuration.Files = append(r.Configuration.Files, &agentv1.ConfigurationFile{Name: name, Content: []byte(content)})
	}
	for _, c := range change {
		c(r)
	}
	return r
}

// call runs a call as the operator does: again while the agent is away.
func call[T any](p *pod, f func(ctx context.Context) (T, error)) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		result, err := f(ctx)
		if err == nil {
			return result
		}
		select {
		case <-ctx.Done():
			p.t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *pod) apply(change ...func(*agentv1.ApplyRequest)) *agentv1.GetStatusResponse {
	p.t.Helper()
	return call(p, func(ctx context.Context) (*agentv1.ApplyResponse, error) {
		return p.client.Apply(ctx, p.applyRequest(change...))
	}).GetStatus()
}

func (p *pod) hold(name string, held bool) {
	p.t.Helper()
	p.calls++
	call(p, func(ctx context.Context) (*agentv1.SetHoldResponse, error) {
		return p.client.SetHold(ctx, &agentv1.SetHoldRequest{
			Fence: &agentv1.Fence{PodUid: p.env.PodUID, UnitUid: p.env.UID, Epoch: 1, UnitGeneration: 1, Term: 1, Seq: p.calls}, Name: name, Held: held,
		})
	})
}

func (p *pod) status() *agentv1.GetStatusResponse {
	p.t.Helper()
	return call(p, func(ctx context.Context) (*agentv1.GetStatusResponse, error) {
		return p.client.GetStatus(ctx, &agentv1.GetStatusRequest{})
	})
}

// waitState waits until GetStatus tells the state.
func (p *pod) waitState(want agentv1.ServerState) *agentv1.GetStatusResponse {
	p.t.Helper()
	var s *agentv1.GetStatusResponse
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if s = p.status(); s.GetServer().GetState() == want {
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.t.Fatalf("state %s does not come, the last was %v\n%s", want, s.GetServer(), p.logText())
	return nil
}

// waitReady waits for supervise's readiness probe, as the kubelet does.
func (p *pod) waitReady() {
	p.t.Helper()
	agenttest.Eventually(p.t, "readiness", func() bool {
		code, _ := p.get("http://127.0.0.1:2215/readyz")
		return code == 200
	}, func() any { return p.logText() })
}

func (p *pod) get(url string) (int, string) {
	var out, errOut bytes.Buffer
	// The stand-in curl, as people use it.
	cmd := exec.Command("/proc/self/exe", "-s", "-i", "-m", "5", url)
	cmd.Args[0] = "curl"
	cmd.Env = []string{agentVariable + "=1"}
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return 0, errOut.String()
	}
	head, body, _ := strings.Cut(out.String(), "\r\n\r\n")
	fields := strings.Fields(head)
	if len(fields) < 2 {
		return 0, out.String()
	}
	code, _ := strconv.Atoi(fields[1])
	return code, body
}

func (p *pod) logText() string {
	content, err := os.ReadFile(filepath.Join(p.env.StateDir, "..", "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	return string(content)
}

// serverPID is the running server's.
func (p *pod) serverPID() int {
	p.t.Helper()
	o, err := p.store.Observed()
	if err != nil || o == nil || o.PID == 0 {
		p.t.Fatalf("no server: %+v, %v", o, err)
	}
	return o.PID
}

// commandLines are those of all processes in the box.
func commandLines(t *testing.T) map[int]string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if content, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")); err == nil && len(content) > 0 {
			lines[pid] = string(bytes.ReplaceAll(content, []byte{0}, []byte{' '}))
		}
	}
	return lines
}
