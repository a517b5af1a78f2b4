// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// insideEnv has the setting of the process inside a box, in JSON.
const insideEnv = "UNIT_OPERATOR_BENCH_BACKUP"

// setting is what one engine is measured with.
type setting struct {
	// Type of the engine, and the root filesystem of its server.
	Type, Root string
	// Work is a directory for all that is written.
	Work string
	// Agent, Gateway and Client are programs: unit-agent, the S3 server, its client.
	Agent, Gateway, Client string
	// Size of the data in bytes.
	Size            int64
	Rounds, Threads int
}

// enter measures one engine in a process that has namespaces of its own: when it
// ends, everything in them does.
func enter(ctx context.Context, s setting) (_ []result, err error) {
	if s.Work, err = os.MkdirTemp("", "bench-backup-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(s.Work)
	if err := os.Chmod(s.Work, 0o755); err != nil { // the server is no root
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	inside, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), insideEnv+"="+string(inside))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("in the box: %w", err)
	}
	var results []result
	return results, json.Unmarshal(out.Bytes(), &results)
}

func runInside(ctx context.Context, inside string) error {
	var s setting
	if err := json.Unmarshal([]byte(inside), &s); err != nil {
		return err
	}
	results, err := measure(ctx, s)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}
