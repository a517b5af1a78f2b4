// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package child runs the short-lived programs of an engine: initdb, a server
// that initialises, a server asked for its version. What it says of them holds no
// secret.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Command is a program to run to its end.
type Command struct {
	Path string
	Args []string
	Env  []string
	Dir  string
	// Stdin is empty if nil.
	Stdin io.Reader
	// Files are the child's descriptors 3, 4...
	Files []*os.File
	// Secrets are taken out of what an error quotes of the output.
	Secrets []string
}

// outputLimit is how much of the end of the output an error quotes.
const outputLimit = 2000

// stdoutLimit is more than any program that is asked here has to say. One that says more is
// broken, and is not to take the memory that the database or its backups need.
const stdoutLimit = 1 << 20

// Run runs the program and returns its standard output. It waits for its end;
// when ctx ends it kills the program and what the program started.
func Run(ctx context.Context, c Command) (string, error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.ExtraFiles = c.Env, c.Dir, c.Stdin, c.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// A grandchild that left the group could keep the pipes open for ever.
	cmd.WaitDelay = 10 * time.Second
	var out output
	cmd.Stdout, cmd.Stderr = stream{&out, true}, stream{&out, false}
	if err := cmd.Run(); err != nil {
		if cmd.Process != nil {
			endGroup(cmd.Process.Pid)
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(c.Path), err, Redact(out.tail(), c.Secrets...))
	}
	if out.stdout.Len() > stdoutLimit {
		return "", fmt.Errorf("%s: more than %d bytes of output", filepath.Base(c.Path), stdoutLimit)
	}
	return out.stdout.String(), nil
}

// endGroup kills what a failed program left of its process group, and waits for
// its end: nobody may write any more into what the caller is about to remove.
func endGroup(pid int) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if syscall.Kill(-pid, syscall.SIGKILL) != nil {
			return
		}
		// As PID 1 this process inherits orphans, and must reap them.
		if _, err := syscall.Wait4(-pid, nil, 0, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			// They are somebody else's children.
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// output keeps the end of both streams in the order they came, and the beginning of
// stdout by itself, with one byte more than is allowed.
type output struct {
	mu     sync.Mutex
	stdout bytes.Buffer
	both   []byte
}

// tail is the end of both streams, from the start of a line.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := bytes.TrimSpace(o.both)
	if len(b) > outputLimit {
		b = b[len(b)-outputLimit:]
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return string(b)
}

type stream struct {
	out    *output
	stdout bool
}

func (s stream) Write(p []byte) (int, error) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	const kept = 2 * outputLimit
	s.out.both = append(s.out.both, p[max(0, len(p)-kept):]...)
	if n := len(s.out.both) - kept; n > 0 {
		s.out.both = append(s.out.both[:0], s.out.both[n:]...)
	}
	if s.stdout {
		s.out.stdout.Write(p[:min(len(p), stdoutLimit+1-s.out.stdout.Len())])
	}
	return len(p), nil
}
