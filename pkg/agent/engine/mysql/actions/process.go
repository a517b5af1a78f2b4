// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := bytes.TrimSpace(t.b)
	if len(b) > tailSize {
		b = b[len(b)-tailSize:]
	}
	return string(b)
}

// sink remembers why what a process wrote could not be taken: the process only knows
// that nobody reads any more.
type sink struct {
	to  io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// runPipe runs a program of the operation whose output goes to out. It returns nil
// only if the program ended with status 0 and all it wrote was taken.
func runPipe(ctx context.Context, cmd *exec.Cmd, in io.Reader, out io.Writer, secrets ...string) error {
	var messages tail
	cmd.Stdin, cmd.Stderr = in, &messages
	var to *sink
	if out != nil {
		to = &sink{to: out}
		cmd.Stdout = to
	}
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case to != nil && to.err != nil:
		return to.err
	case err == nil:
		return nil
	}
	name := filepath.Base(cmd.Path)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return operations.Failed("ToolFailed", "%s ended with %s: %s", name, exit.ProcessState, child.Redact(messages.String(), secrets...))
	}
	return fmt.Errorf("%s: %w: %s", name, err, child.Redact(messages.String(), secrets...))
}

// local are the arguments by which a client logs in to this unit's server: by
// operating-system identity, whatever option files there are.
func (u unit) local() []string {
	return []string{"--no-defaults", "--user=" + agentUser, "--socket=" + u.server().Socket()}
}

// tool is a program of the image, as a process of the operation.
func (u unit) tool(ctx context.Context, op operations.Op, name string, args ...string) (*exec.Cmd, error) {
	path, err := u.Env.Program(name)
	if err != nil {
		return nil, operations.Failed("ToolMissing", "%w", err)
	}
	return operations.Command(ctx, op, path, args...), nil
}

// version of a tool, as it says itself.
func (u unit) version(ctx context.Context, op operations.Op, name string) string {
	cmd, err := u.tool(ctx, op, name, "--no-defaults", "--version")
	if err != nil {
		return name
	}
	out, err := cmd.Output()
	if err != nil {
		return name
	}
	_, version, _ := strings.Cut(strings.TrimSpace(string(out)), "  ")
	return strings.TrimSpace(name + " " + strings.TrimSpace(version))
}
