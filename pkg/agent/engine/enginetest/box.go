// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Box is what a test inside has.
type Box struct {
	// Vars are the container's environment variables. A test may change them
	// before it calls Env.
	Vars map[string]string
	typ  string
}

func newBox(t *testing.T, typ string) *Box {
	t.Helper()
	for _, dir := range []string{"data", "secret", "home", "state"} {
		if err := os.MkdirAll(filepath.Join(BoxDir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &Box{
		typ: typ,
		Vars: map[string]string{
			"PATH":                 os.Getenv("PATH"),
			"HOME":                 filepath.Join(BoxDir, "home"),
			"UNIT_NAME":            "box-0",
			"UNIT_NAMESPACE":       "default",
			"UNIT_UID":             "11111111-1111-1111-1111-111111111111",
			"UNIT_TYPE":            typ,
			"POD_UID":              "22222222-2222-2222-2222-222222222222",
			"DATA_DIR_MOUNT":       filepath.Join(BoxDir, "data"),
			"SECRET_MOUNT":         filepath.Join(BoxDir, "secret"),
			"UNIT_AGENT_STATE_DIR": filepath.Join(BoxDir, "state"),
		},
	}
}

// Env is the agent's environment.
func (b *Box) Env(t *testing.T) engine.Env {
	t.Helper()
	var environ []string
	for name, value := range b.Vars {
		environ = append(environ, name+"="+value)
	}
	env, err := engine.EnvFrom(environ)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// Secret writes a key of the user's Secret.
func (b *Box) Secret(t *testing.T, key, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(BoxDir, "secret", key), []byte(value), 0o440); err != nil {
		t.Fatal(err)
	}
}

// Accounts are those that Vars and Secret name.
func (b *Box) Accounts(t *testing.T) engine.Accounts {
	t.Helper()
	accounts, err := engine.LoadAccounts(b.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	return accounts
}

// Initialize is what supervise does with an empty volume.
func (b *Box) Initialize(t *testing.T, e engine.Engine, start engine.Start) {
	t.Helper()
	if err := e.Prepare(t.Context(), start); err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	if err := e.Initialize(t.Context(), start, b.Accounts(t)); err != nil {
		t.Fatalf("Initialize: %v", err)
	}
	data, err := e.Inspect(t.Context())
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	if data.State != engine.DataComplete {
		t.Fatalf("after Initialize the data directory is %s: %s", data.State, data.Message)
	}
}

// Server is a running server.
type Server struct {
	t      *testing.T
	engine engine.Engine
	cmd    *exec.Cmd
	log    *lockedBuffer
	exited chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Start prepares and starts the server and waits until it answers.
func (b *Box) Start(t *testing.T, e engine.Engine, start engine.Start) *Server {
	t.Helper()
	s, err := b.TryStart(t, e, start)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TryStart is Start for a server that may not come up.
func (b *Box) TryStart(t *testing.T, e engine.Engine, start engine.Start) (*Server, error) {
	t.Helper()
	if err := e.Prepare(t.Context(), start); err != nil {
		return nil, fmt.Errorf("Prepare: %w", err)
	}
	command, err := e.Command(t.Context(), start)
	if err != nil {
		return nil, fmt.Errorf("Command: %w", err)
	}
	s := &Server{t: t, engine: e, log: &lockedBuffer{}, exited: make(chan struct{})}
	s.cmd = exec.Command(command.Path, command.Args...)
	s.cmd.Env, s.cmd.Dir = command.Env, command.Dir
	if _, ok := e.RestartExitStatus(); ok {
		s.cmd.Env = append(slices.Clone(s.cmd.Env), "MYSQLD_PARENT_PID="+strconv.Itoa(os.Getpid()))
	}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		// The error says no more than the state does.
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.exited
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.Log())
		}
	})
	return s, s.waitForAnswer(t.Context())
}

func (s *Server) waitForAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		checkContext, cancelCheck := context.WithTimeout(ctx, time.Second)
		err := s.engine.Check(checkContext)
		cancelCheck()
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("the server ended: %v\n%s", s.cmd.ProcessState, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w\n%s", err, s.Log())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Log is what the server has written so far.
func (s *Server) Log() string { return s.log.String() }

// Args of the server as anybody in its container sees them.
func (s *Server) Args() []string { return s.cmd.Args }

// Pid of the server.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Stop stops the server by the engine's plan. One that needs SIGKILL fails the
// test.
func (s *Server) Stop() {
	s.t.Helper()
	for _, step := range s.engine.StopPlan(context.WithoutCancel(s.t.Context()), engine.StopPodEnd, engine.Start{}) {
		if err := s.cmd.Process.Signal(step.Signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.t.Fatal(err)
		}
		select {
		case <-s.exited:
			return
		case <-time.After(min(step.Wait, time.Minute)):
		}
	}
	s.t.Fatalf("the server does not stop:\n%s", s.Log())
}

// Exit waits for the server's end and returns its status, -1 for a signal.
func (s *Server) Exit() int {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(time.Minute):
		s.t.Fatalf("the server does not end:\n%s", s.Log())
	}
	return s.cmd.ProcessState.ExitCode()
}

// Kill is Crash for one server, whose end it waits for.
func (s *Server) Kill() {
	s.t.Helper()
	Crash(s.t)
	<-s.exited
}

// Run runs a program in the box's environment, as kubectl exec does, and returns
// its output.
func (b *Box) Run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	for k, v := range b.Vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	output, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

// NoProcesses fails if anything but the test runs in the box.
func NoProcesses(t *testing.T) {
	t.Helper()
	for _, stat := range processes(t) {
		t.Errorf("a process was left: %.80s", stat)
	}
}

// processes of the box that live, but for the test, with their /proc/PID/stat.
func processes(t *testing.T) map[int][]byte {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	living := map[int][]byte{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if i := bytes.LastIndexByte(stat, ')'); err == nil && i > 0 && !bytes.HasPrefix(stat[i:], []byte(") Z")) {
			living[pid] = stat
		}
	}
	return living
}
