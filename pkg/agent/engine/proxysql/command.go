// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
)

// Command implements engine.Engine.
func (e *Engine) Command(ctx context.Context, _ engine.Start) (engine.Command, error) {
	proxysql, err := e.env.Program("proxysql")
	if err != nil {
		return engine.Command{}, err
	}
	help, err := child.Run(ctx, child.Command{Path: proxysql, Args: []string{"--help"}, Env: e.env.Environ})
	if err != nil {
		return engine.Command{}, err
	}
	file, err := os.ReadFile(e.configPath())
	if err != nil {
		return engine.Command{}, err
	}
	hash := sha256.Sum256(file)
	wanted := hex.EncodeToString(hash[:])
	applied, err := os.ReadFile(e.appliedPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return engine.Command{}, err
	}
	e.mu.Lock()
	e.pending = &pendingStart{applied: wanted}
	e.mu.Unlock()
	return engine.Command{
		Path: proxysql,
		Args: e.args(help, string(applied) != wanted),
		Env:  e.env.Environ,
		Dir:  e.env.DataDir(),
	}, nil
}

// args is the server's command line. In the foreground no angel process stands
// between supervise and the server.
func (e *Engine) args(help string, changed bool) []string {
	args := []string{"-f", "-c", e.configPath(), "-D", e.env.DataDir()}
	if strings.Contains(help, "--no-version-check") {
		// Otherwise it asks its makers for news, daily.
		args = append(args, "--no-version-check")
	}
	if changed {
		args = append(args, "--reload")
	}
	return args
}
