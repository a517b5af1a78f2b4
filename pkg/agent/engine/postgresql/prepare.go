// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// Prepare implements engine.Engine.
func (e *Engine) Prepare(ctx context.Context, start engine.Start) error {
	files, err := e.files(start)
	if err != nil {
		return err
	}
	if err := place.Files(e.env.ConfigDir, files, 0o640); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	if e.env.HomeDir != "" {
		if err := os.MkdirAll(e.env.HomeDir, 0o700); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(e.env.SocketDir, 0o755); err != nil {
		return err
	}
	err = os.Chmod(e.env.DataDir(), 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Before the role's settings are touched: on a server that still runs they would
	// release commits that wait for a standby.
	if err := e.clearStale(ctx); err != nil {
		return err
	}
	return e.prepareRole(ctx, start)
}

// files of the configuration with the agent's own.
func (e *Engine) files(start engine.Start) (map[string][]byte, error) {
	if _, ok := start.Files[configFile]; !ok {
		return nil, fmt.Errorf("the configuration has no file %s", configFile)
	}
	osUser, err := osUser()
	if err != nil {
		return nil, err
	}
	files := maps.Clone(start.Files)
	files[hbaFile] = hba(start.Files[hbaFile])
	if files[identFile], err = ident(osUser, start.Files[identFile]); err != nil {
		return nil, err
	}
	files[agentFile] = e.agentConfig()
	return files, nil
}

// agentConfig is the server's main file.
func (e *Engine) agentConfig() []byte {
	var b strings.Builder
	b.WriteString("# Written by unit-agent before each start.\n")
	for _, file := range []string{configFile, roleFile} {
		fmt.Fprintf(&b, "include %s\n", configLiteral(e.configPath(file)))
	}
	return []byte(b.String())
}

// configLiteral quotes a value of a configuration file.
func configLiteral(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "''").Replace(s) + "'"
}
