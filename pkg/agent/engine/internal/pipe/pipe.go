// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

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

// source remembers why what a process reads has ended: the process only knows that it
// has.
type source struct {
	from io.Reader
	end  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil {
		s.end = err
	}
	return n, err
}

// ReasonToolFailed is that of a program which has ended with another status than 0.
const ReasonToolFailed = "ToolFailed"

// Run runs a program of the operation between in and out, either of which may be
// nil. It returns nil only if the program ended with status 0, all it wrote was taken,
// and in came to its end, which is where a backup's sums are compared. The program's
// Stderr may be a *Lines; otherwise all of it is messages.
func Run(ctx context.Context, cmd *exec.Cmd, in io.Reader, out io.Writer, secrets ...string) error {
	var messages Tail
	lines, _ := cmd.Stderr.(*Lines)
	if lines != nil {
		lines.rest = &messages
	} else {
		cmd.Stderr = &messages
	}
	var from *source
	if in != nil {
		from = &source{from: in}
		cmd.Stdin = from
	}
	var to *sink
	if out != nil {
		to = &sink{to: out}
		cmd.Stdout = to
	}
	err := cmd.Run()
	if lines != nil {
		lines.end()
	}
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
		return operations.Failed(ReasonToolFailed, "%s ended with %s: %s", name, exit.ProcessState, child.Redact(messages.String(), secrets...))
	}
	return fmt.Errorf("%s: %w: %s", name, err, child.Redact(messages.String(), secrets...))
}
