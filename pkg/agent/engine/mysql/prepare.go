// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// Prepare implements engine.Engine.
func (e *Engine) Prepare(ctx context.Context, start engine.Start) error {
	if _, ok := start.Files[configFile]; !ok {
		return fmt.Errorf("the configuration has no file %s", configFile)
	}
	if err := place.Files(e.env.ConfigDir, start.Files, 0o640); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	// The stock image's my.cnf includes it; people look for it.
	if err := os.MkdirAll(filepath.Join(e.env.ConfigDir, "conf.d"), 0o755); err != nil {
		return err
	}
	if err := e.writeClientFiles(); err != nil {
		return fmt.Errorf("writing the client option file: %w", err)
	}
	if err := os.MkdirAll(e.env.SocketDir, 0o755); err != nil {
		return err
	}
	if err := place.ClearSocket(ctx, e.socket(), e.socket()+".lock"); err != nil {
		return err
	}
	if err := place.ClearSocket(ctx, e.xSocket(), e.xSocket()+".lock"); err != nil {
		return err
	}
	if err := e.emptyTmp(); err != nil {
		return fmt.Errorf("emptying the server's temporary directory: %w", err)
	}
	return e.stripPersisted(start)
}

// writeClientFiles makes mysql, mysqldump and others log in as the agent when
// somebody runs them in the container without further options.
func (e *Engine) writeClientFiles() error {
	if e.env.HomeDir == "" {
		return nil
	}
	content := fmt.Sprintf("[client]\nuser=%s\nsocket=%s\n", engine.AgentUser, e.socket())
	return place.Files(e.env.HomeDir, map[string][]byte{".my.cnf": []byte(content)}, 0o600)
}

// emptyTmp readies the server's tmpdir on the data volume, for large sorts and
// ALTER TABLE. What a killed server left there is of no use to the next.
func (e *Engine) emptyTmp() error {
	if err := os.MkdirAll(e.tmpDir(), 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(e.tmpDir())
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(e.tmpDir(), entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// stripPersisted takes the variables that the agent decides out of what SET
// PERSIST recorded, which would win over the command line.
func (e *Engine) stripPersisted(start engine.Start) error {
	path := filepath.Join(e.env.DataDir(), persistedFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	stripped, changed, err := withoutPersisted(content, ownedVariables(start))
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if !changed {
		return nil
	}
	return place.File(path, stripped, 0o640)
}
