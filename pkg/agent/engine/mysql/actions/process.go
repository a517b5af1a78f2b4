// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"os/exec"
	"strings"

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
