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
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/upmio/unit-operator/pkg/agent/engine"
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

// spring remembers why what a process reads has ended: the process only knows that it
// has.
type spring struct {
	from io.Reader
	end  error
}

func (s *spring) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil {
		s.end = err
	}
	return n, err
}

// runPipe runs a program of the operation between in and out, either of which may be
// nil. It returns nil only if the program ended with status 0, all it wrote was taken,
// and in came to its end, which is where a backup's sums are compared.
func runPipe(ctx context.Context, cmd *exec.Cmd, in io.Reader, out io.Writer, secrets ...string) error {
	var messages tail
	cmd.Stderr = &messages
	var from *spring
	if in != nil {
		from = &spring{from: in}
		cmd.Stdin = from
	}
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
	case from != nil && from.end != nil && !errors.Is(from.end, io.EOF):
		return from.end
	case err == nil:
		if from != nil && from.end == nil {
			// The program has read all it needs; the rest may be damaged.
			_, err = io.Copy(io.Discard, from)
		}
		return err
	}
	name := filepath.Base(cmd.Path)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return operations.Failed("ToolFailed", "%s ended with %s: %s", name, exit.ProcessState, child.Redact(messages.String(), secrets...))
	}
	return fmt.Errorf("%s: %w: %s", name, err, child.Redact(messages.String(), secrets...))
}

// tool is a program of the image as a process of the operation. env is appended to
// its environment; the container's own variables for libpq are for people.
func (u unit) tool(ctx context.Context, op operations.Op, env []string, name string, args ...string) (*exec.Cmd, error) {
	path, err := u.server().Program(name)
	if err != nil {
		return nil, operations.Failed("ToolMissing", "%w", err)
	}
	cmd := operations.Command(ctx, op, path, args...)
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "PG") })
	cmd.Env = append(cmd.Env, "PGCLIENTENCODING=UTF8", "PGAPPNAME=unit-agent", "LC_ALL=C")
	cmd.Env = append(cmd.Env, env...)
	return cmd, nil
}

// local is the environment by which a client logs in to this unit's server: by
// operating-system identity. A managed server is read-only for who does not insist.
func (u unit) local(database string) []string {
	return []string{
		"PGHOST=" + u.Env.SocketDir, "PGPORT=" + strconv.Itoa(u.Env.SQLPort), "PGUSER=" + engine.AgentUser,
		"PGDATABASE=" + database, "PGOPTIONS=-c default_transaction_read_only=off",
	}
}

// version of a tool, as it says itself.
func (u unit) version(ctx context.Context, op operations.Op, name string) string {
	cmd, err := u.tool(ctx, op, nil, name, "--version")
	if err != nil {
		return name
	}
	out, err := cmd.Output()
	if err != nil {
		return name
	}
	return strings.TrimSpace(string(out))
}
