// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// markerVariable is in the environment of all processes of an operation, so that
// none escapes by leaving its process group. Tests set another one: there is one agent in
// a container, and more than one where tests run.
var markerVariable = "UNIT_AGENT_OPERATION"

// waitDelay is how long output is still read from a process that was killed.
const waitDelay = 5 * time.Second

// Command is a process of the operation, in a process group of its own that is killed
// when ctx ends. Append to its Env, never replace it. Secrets are not in args: they go
// by Env, Stdin or a SecretFile.
func Command(ctx context.Context, op Op, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), markerVariable+"="+op.ID())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	cmd.WaitDelay = waitDelay
	return cmd
}

// SecretFile writes a file that only the agent's user can read, outside the data
// directory: an option file, a passfile, a CA. All of them are removed when the
// operation's run is over.
func SecretFile(env engine.Env, op Op, name string, content []byte) (string, error) {
	dir := secretDir(env, op.ID())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, filepath.Base(name))
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", fmt.Errorf("writing a file for a process: %w", err)
	}
	return path, nil
}

const secretDirPrefix = "unit-operation-"

func secretDir(env engine.Env, id string) string {
	return filepath.Join(env.TmpDir, secretDirPrefix+id)
}
