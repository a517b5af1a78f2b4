// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

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
// operating-system identity. What the server allows clients, of time and of writing, is
// not meant for it.
func (u unit) local(ctx context.Context, database string) ([]string, error) {
	major, err := u.server().Major(ctx)
	if err != nil {
		return nil, err
	}
	options := "-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c temp_file_limit=-1"
	if major >= 14 {
		options += " -c idle_session_timeout=0"
	}
	if major >= 17 {
		options += " -c transaction_timeout=0"
	}
	return []string{
		"PGHOST=" + u.Env.SocketDir, "PGPORT=" + strconv.Itoa(u.Env.SQLPort), "PGUSER=" + engine.AgentUser,
		"PGDATABASE=" + database, "PGOPTIONS=" + options,
	}, nil
}

// localTool is a tool that works on this unit's server.
func (u unit) localTool(ctx context.Context, op operations.Op, database, name string, args ...string) (*exec.Cmd, error) {
	env, err := u.local(ctx, database)
	if err != nil {
		return nil, err
	}
	return u.tool(ctx, op, env, name, args...)
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
