// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Command implements engine.Engine.
func (e *Engine) Command(ctx context.Context, _ engine.Start) (engine.Command, error) {
	postgres, err := e.program("postgres")
	if err != nil {
		return engine.Command{}, err
	}
	standby, err := e.standbyArgs(ctx, postgres)
	if err != nil {
		return engine.Command{}, err
	}
	return engine.Command{Path: postgres, Args: append(e.args(), standby...), Env: e.env.Environ}, nil
}

// args is the server's command line: what the agent owns.
func (e *Engine) args() []string {
	args := []string{"-D", e.env.DataDir()}
	for _, setting := range [][2]string{
		{"config_file", e.configPath(agentFile)},
		{"hba_file", e.configPath(hbaFile)},
		{"ident_file", e.configPath(identFile)},
		{"data_directory", e.env.DataDir()},
		{"unix_socket_directories", e.env.SocketDir},
		{"port", strconv.Itoa(e.env.SQLPort)},
	} {
		args = append(args, "-c", setting[0]+"="+setting[1])
	}
	return args
}
