// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/serve"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/operation"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// serveMain is serve as a process of its own, with an action that hangs in the middle.
func serveMain(ctx context.Context, env engine.Env) int {
	config, err := agenttls.ServerConfig(env.TLSDir)
	if err == nil {
		err = serve.Run(ctx, serve.Options{
			Env: env, Engine: agenttest.NewEngine(env), TLS: config,
			GRPC: agenttest.Listen(env, "serve", "grpc"), HTTP: agenttest.Listen(env, "serve", "http"),
			Actions: func(deps operations.Deps) map[string]operations.Action {
				return map[string]operations.Action{operation.ActionRestore: halfway{deps}}
			},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// halfway puts another database in the place of the one that is there, and never comes
// to an end.
type halfway struct{ operations.Deps }

func (h halfway) idFile() string { return filepath.Join(h.Env.DataDir(), "id") }

func (h halfway) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	if err := h.Server.StopServer(ctx, op); err != nil {
		return nil, err
	}
	old, err := os.ReadFile(h.idFile())
	if err != nil {
		return nil, err
	}
	if err := op.SetPhase("exchange", string(old)); err != nil {
		return nil, err
	}
	if err := os.WriteFile(h.idFile(), []byte("half"), 0o600); err != nil {
		return nil, err
	}
	cmd := operations.Command(ctx, op, "/bin/sh", "-c", `echo $$ > "$TMPDIR/child"; sleep 300 & wait`)
	return nil, cmd.Run()
}

func (h halfway) Abandon(ctx context.Context, op operations.Op) error {
	phase, data := op.Phase()
	if phase != "exchange" {
		return fmt.Errorf("phase %q", phase)
	}
	var old string
	if err := json.Unmarshal(data, &old); err != nil {
		return err
	}
	if err := os.WriteFile(h.idFile(), []byte(old), 0o600); err != nil {
		return err
	}
	return h.Server.StartServer(ctx, op)
}

// TestAnAgentThatIsKilledLeavesTheServerHeldAndTheNextOnePutsTheDataBack uses real
// processes: serve, supervise, its server, and a child of the operation.
func TestAnAgentThatIsKilledLeavesTheServerHeldAndTheNextOnePutsTheDataBack(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	ca := agenttest.NewCA(t)
	ca.WriteAgent(u.Env)
	client := func(p *agenttest.Process) agentv1.OperationServiceClient {
		conn, err := grpc.NewClient(p.Address("grpc"), grpc.WithTransportCredentials(credentials.NewTLS(ca.Client(ca.Operator()))))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return agentv1.NewOperationServiceClient(conn)
	}
	u.Desire()
	u.Start("supervise")
	u.WaitState(state.StateRunning)
	old := u.Ask("id")

	first := u.Start("serve")
	c := client(first)
	info, err := c.Info(t.Context(), &agentv1.InfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(t.Context(), &agentv1.StartRequest{
		Fence: &agentv1.Fence{PodUid: u.Env.PodUID, UnitUid: u.Env.UID, UnitGeneration: 1}, Id: "op-1", JournalId: info.GetJournalId(),
		Action: operation.ActionRestore, Parameters: []byte(`{"source":"s3://backups/"}`),
	}); err != nil {
		t.Fatal(err)
	}
	var child int
	agenttest.Eventually(t, "the operation's child runs", func() bool {
		content, err := os.ReadFile(filepath.Join(u.Env.TmpDir, "child"))
		if err != nil {
			return false
		}
		child, err = strconv.Atoi(strings.TrimSpace(string(content)))
		return err == nil
	})
	first.Signal(syscall.SIGKILL)
	first.WaitExit()
	u.WaitState(state.StateHeld)

	removeAddress(t, u)
	c = client(u.Start("serve"))
	var op *agentv1.Operation
	agenttest.Eventually(t, "the operation is over", func() bool {
		r, err := c.Get(t.Context(), &agentv1.GetRequest{Id: "op-1", JournalId: info.GetJournalId()})
		if err != nil {
			t.Fatal(err)
		}
		op = r.GetOperation()
		return op.GetFinished() != nil
	}, func() any { return op })
	if op.GetState() != agentv1.OperationState_OPERATION_STATE_FAILED || op.GetReason() != operations.ReasonInterrupted {
		t.Errorf("outcome %v", op)
	}
	u.WaitState(state.StateRunning)
	if id := u.Ask("id"); id != old {
		t.Errorf("the server runs on %q, want %q", id, old)
	}
	if d, err := u.Store.Desired(); err != nil || len(d.Holds) > 0 {
		t.Errorf("desired %+v, %v", d, err)
	}
	agenttest.Eventually(t, "the operation's child is gone", func() bool {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", child))
		return err != nil || len(environ) == 0
	})
}

// removeAddress makes the next serve's the only one.
func removeAddress(t *testing.T, u *agenttest.Unit) {
	t.Helper()
	if err := os.Remove(filepath.Join(u.Env.TmpDir, "serve-grpc")); err != nil {
		t.Fatal(err)
	}
}
