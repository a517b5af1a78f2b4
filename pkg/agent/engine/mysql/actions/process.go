// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/operations"
)

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

// restPause is between two looks at whether a process is at rest, which nothing announces.
const restPause = 2 * time.Millisecond

// awaitRest waits until no thread of a process runs or is about to, for a while: it has
// done then what it was asked for.
func awaitRest(pid int, atMost time.Duration) {
	tick := time.NewTicker(restPause)
	defer tick.Stop()
	for end := time.Now().Add(atMost); !atRest(pid) && time.Now().Before(end); {
		<-tick.C
	}
}

// atRest says whether no thread of a process runs, waits for a processor or for a disk.
func atRest(pid int) bool {
	// The pattern is well-formed, which is the only error there is.
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return !slices.ContainsFunc(threads, func(path string) bool {
		// A thread that has ended meanwhile has no file.
		stat, _ := os.ReadFile(path)
		// The state follows the name, which is in parentheses and may have others in it.
		state := bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])
		return bytes.HasPrefix(state, []byte("R")) || bytes.HasPrefix(state, []byte("D"))
	})
}
