// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/operation"
)

// agentPath is the agent's in the box.
const agentPath = "/unit-agent/unit-agent"

// unit is a pod's two containers in a box.
type unit struct {
	// top is the box's root as this process sees it; proc its processes.
	top, proc string
	environ   []string
	client    *agentclient.Client
	target    agentclient.Target
	// serve is the agent's process.
	serve int
}

// startUnit brings a server up as the operator does.
func startUnit(ctx context.Context, s setting, files map[string][]byte) (*unit, error) {
	top, err := enginetest.MountRoot(s.Work, s.Root)
	if err != nil {
		return nil, err
	}
	u := &unit{top: top, proc: filepath.Join(top, "proc")}
	u.target = agentclient.Target{
		Namespace: "default", Unit: "bench-0", UnitUID: "11111111-1111-1111-1111-111111111111",
		Pod: "bench-0", PodUID: "22222222-2222-2222-2222-222222222222", PodIP: "127.0.0.1",
	}
	box := func(name string) string { return filepath.Join(enginetest.BoxDir, name) }
	u.environ = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + box("home"),
		"GOMEMLIMIT=100MiB", // as the unit controller sets it
		"UNIT_NAME=" + u.target.Unit, "UNIT_NAMESPACE=" + u.target.Namespace, "UNIT_UID=" + string(u.target.UnitUID),
		"UNIT_TYPE=" + s.Type, "POD_UID=" + string(u.target.PodUID), "DATA_DIR_MOUNT=" + box("data"),
		engine.EnvStateDir + "=" + box("state"), engine.EnvTLSDir + "=" + box("tls"),
	}
	operator, err := u.furnish(s.Agent)
	if err != nil {
		return nil, err
	}
	u.client = agentclient.New(agentclient.Options{Operator: operator, Dialer: agentclient.PodIP()})
	if u.serve, err = u.start(ctx, "serve"); err != nil {
		return nil, err
	}
	if _, err := u.start(ctx, "supervise"); err != nil {
		return nil, err
	}
	if err := u.apply(ctx, files); err != nil {
		return nil, fmt.Errorf("%w; the agent's log:\n%s", err, u.log())
	}
	return u, nil
}

// furnish gives the box the agent, its directories and its certificate.
func (u *unit) furnish(agent string) (*agenttls.Operator, error) {
	for _, name := range []string{"home", "data", "state", "tls"} {
		dir := filepath.Join(u.top, enginetest.BoxDir, name)
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, enginetest.UID, enginetest.UID)); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	secret, err := agenttls.NewCA(now)
	if err != nil {
		return nil, err
	}
	ca, err := agenttls.LoadCA(secret)
	if err != nil {
		return nil, err
	}
	leaf, err := ca.Leaf(agenttls.Identity{Namespace: u.target.Namespace, Name: u.target.Unit, UID: u.target.UnitUID}, now)
	if err != nil {
		return nil, err
	}
	for name, content := range leaf {
		if err := os.WriteFile(filepath.Join(u.top, enginetest.BoxDir, "tls", name), content, 0o644); err != nil {
			return nil, err
		}
	}
	program, err := os.ReadFile(agent)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(u.top, agentPath)), 0o755); err != nil {
		return nil, err
	}
	return agenttls.NewOperator(ca, clock.RealClock{}), os.WriteFile(filepath.Join(u.top, agentPath), program, 0o755)
}

// command is a program in the box, as the server's user.
func (u *unit) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir = slices.Clone(u.environ), enginetest.BoxDir
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: u.top, Credential: &syscall.Credential{Uid: enginetest.UID, Gid: enginetest.UID},
	}
	return cmd
}

// program of the box by its name: on its PATH, or where PostgreSQL's are.
func (u *unit) program(name string) (string, error) {
	for _, pattern := range []string{"/usr/bin/", "/usr/lib/postgresql/*/bin/"} {
		found, err := filepath.Glob(filepath.Join(u.top, pattern, name))
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return strings.TrimPrefix(found[0], u.top), nil
		}
	}
	return "", fmt.Errorf("%s has no program %s", u.top, name)
}

// run a program of the box by its name, and return what it says.
func (u *unit) run(ctx context.Context, in io.Reader, name string, args ...string) (string, error) {
	path, err := u.program(name)
	if err != nil {
		return "", err
	}
	var out, messages bytes.Buffer
	cmd := u.command(ctx, path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &messages
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, messages.String())
	}
	return strings.TrimSpace(out.String()), nil
}

func (u *unit) logFile() string { return filepath.Join(u.top, enginetest.BoxDir, "log") }

func (u *unit) log() string {
	content, _ := os.ReadFile(u.logFile()) // what there is of it
	return string(content)
}

// start a subcommand of the agent.
func (u *unit) start(ctx context.Context, subcommand string) (pid int, err error) {
	log, err := os.OpenFile(u.logFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := u.command(ctx, agentPath, subcommand)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("starting %s: %w", subcommand, err)
	}
	return cmd.Process.Pid, nil
}

// apply the configuration and wait for the server.
func (u *unit) apply(ctx context.Context, files map[string][]byte) error {
	return until(ctx, "the server runs", func() (bool, error) {
		status, err := u.client.Apply(ctx, u.target, agentclient.ApplyRequest{
			Generation: 1, ConfigHash: "bench", Files: files, ClaimUIDs: map[string]types.UID{"data": "claim"},
		})
		if agentclient.IsUnavailable(err) {
			return false, nil
		}
		return err == nil && status.State == agentclient.StateRunning, err
	})
}

// operate runs an operation to its end and says how long that took.
func (u *unit) operate(ctx context.Context, id string, params operation.Params, secrets agentclient.Secrets) (time.Duration, error) {
	raw, err := operation.Encode(params)
	if err != nil {
		return 0, err
	}
	info, err := u.client.Info(ctx, u.target)
	if err != nil {
		return 0, err
	}
	ref := agentclient.OperationRef{ID: id, JournalID: info.JournalID, Generation: 1}
	begun := time.Now()
	o, err := u.client.StartOperation(ctx, u.target, agentclient.StartOperation{
		OperationRef: ref, Action: operation.ActionOf(params), Parameters: raw, Secrets: secrets,
	})
	for err == nil && !o.State.Final() {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(interval):
		}
		last := o
		if o, err = u.client.GetOperation(ctx, u.target, ref); agentclient.IsUnavailable(err) {
			o, err = last, nil // busy: it is asked again
		}
	}
	took := time.Since(begun)
	switch {
	case err != nil:
		return 0, err
	case o.State != agentclient.OperationSucceeded:
		return 0, fmt.Errorf("%s: %s: %s; the agent's log:\n%s", o.Action, o.Reason, o.Message, u.log())
	}
	return took, u.client.AcknowledgeOperation(ctx, u.target, ref)
}
