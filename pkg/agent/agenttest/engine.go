// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Type of the fake engine's units.
const Type = "fake"

// RestartStatus is what the fake server exits with to be started again.
const RestartStatus = 16

// NewEngine is the fake engine. Its database is one file, id, in the data
// directory.
func NewEngine(env engine.Env) engine.Engine { return fakeEngine{env} }

type fakeEngine struct{ env engine.Env }

func (e fakeEngine) Type() string { return Type }

func (e fakeEngine) Prepare(_ context.Context, start engine.Start) error {
	return os.WriteFile(filepath.Join(e.env.ConfigDir, "fake.conf"), start.Files["fake.conf"], 0o600)
}

func (e fakeEngine) Inspect(context.Context) (engine.Data, error) {
	entries, err := os.ReadDir(e.env.DataDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return engine.Data{}, err
	}
	if len(entries) == 0 {
		return engine.Data{State: engine.DataNone}, nil
	}
	id, err := os.ReadFile(filepath.Join(e.env.DataDir(), "id"))
	if err != nil {
		return engine.Data{State: engine.DataUnknown, Message: "there is no id"}, nil
	}
	return engine.Data{State: engine.DataComplete, SystemID: string(id)}, nil
}

// Initialize takes as long as the file slow-init in the configuration directory
// says.
func (e fakeEngine) Initialize(ctx context.Context, _ engine.Start, _ engine.Accounts) error {
	side := e.env.SideDir("initialize")
	if err := os.RemoveAll(side); err != nil {
		return err
	}
	if err := os.MkdirAll(side, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(side, "half"), nil, 0o600); err != nil {
		return err
	}
	if delay, err := os.ReadFile(filepath.Join(e.env.ConfigDir, "slow-init")); err == nil {
		wait, err := time.ParseDuration(strings.TrimSpace(string(delay)))
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	if err := os.WriteFile(filepath.Join(side, "id"), []byte(rand.Text()), 0o600); err != nil {
		return err
	}
	return os.Rename(side, e.env.DataDir())
}

func (e fakeEngine) Command(context.Context, engine.Start) (engine.Command, error) {
	self, err := os.Executable()
	if err != nil {
		return engine.Command{}, err
	}
	return engine.Command{Path: self, Env: append(e.env.Environ, roleVariable+"=server")}, nil
}

// StopPlan is two signals of a second each. The file plan-REASON in the configuration
// directory makes it another: "kill" an empty one, "hang" none at all, "wait" one that
// waits for a minute.
func (e fakeEngine) StopPlan(ctx context.Context, reason engine.StopReason, _ engine.Start) []engine.StopStep {
	content, _ := os.ReadFile(filepath.Join(e.env.ConfigDir, "plan-"+string(reason)))
	switch string(content) {
	case "kill":
		return nil
	case "hang":
		<-ctx.Done()
		select {}
	case "wait":
		return []engine.StopStep{{Signal: syscall.SIGTERM, Wait: time.Minute}}
	}
	return []engine.StopStep{{Signal: syscall.SIGTERM, Wait: time.Second}, {Signal: syscall.SIGINT, Wait: time.Second}}
}

// NeedsRole as the file needs-role in the configuration directory says.
func (e fakeEngine) NeedsRole() bool {
	_, err := os.Stat(filepath.Join(e.env.ConfigDir, "needs-role"))
	return err == nil
}

func (e fakeEngine) RestartExitStatus() (int, bool) { return RestartStatus, true }

func (e fakeEngine) Check(ctx context.Context) error {
	_, err := Ask(ctx, e.env.SocketDir, "ping")
	return err
}

func (e fakeEngine) Observe(ctx context.Context) (engine.Observation, error) {
	id, err := Ask(ctx, e.env.SocketDir, "id")
	if err != nil {
		return engine.Observation{}, err
	}
	return engine.Observation{Version: "1.2.3", SystemID: id, Writable: true, Virgin: true}, nil
}

func (e fakeEngine) EnsureAccounts(context.Context, engine.Accounts, engine.Reach) error { return nil }

func (e fakeEngine) Metrics(context.Context) ([]engine.Sample, error) {
	return []engine.Sample{
		{Name: "fake_connections", Help: "Connections.", Type: engine.Gauge, Value: 3},
		{Name: "fake_queries_total", Help: "Queries.", Type: engine.Counter, Labels: map[string]string{"kind": "read"}, Value: 7},
		{Name: "not a name", Help: "Spoils nothing but itself.", Type: engine.Gauge},
	}, nil
}

// Ask sends one line to the fake server and returns its answer.
func Ask(ctx context.Context, socketDir, line string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(socketDir, "s"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer), err
}
