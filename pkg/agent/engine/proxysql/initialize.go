// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// Initialize implements engine.Engine: the server makes its database itself; it
// gets a directory with an identity.
func (e *Engine) Initialize(ctx context.Context, _ engine.Start, accounts engine.Accounts) error {
	if err := checkMonitor(accounts); err != nil {
		return err
	}
	return place.Build(ctx, e.env, func(_ context.Context, data, _ string) error {
		return os.WriteFile(filepath.Join(data, identityFile), []byte(randomHex()+"\n"), 0o600)
	})
}

// Inspect implements engine.Engine.
func (e *Engine) Inspect(context.Context) (engine.Data, error) {
	dir := e.env.DataDir()
	empty, err := place.Empty(dir)
	if err != nil {
		return engine.Data{}, err
	}
	if empty {
		return engine.Data{State: engine.DataNone}, nil
	}
	id, err := e.systemID()
	if err != nil {
		return engine.Data{}, err
	}
	if id != "" {
		return engine.Data{State: engine.DataComplete, SystemID: id}, nil
	}
	_, err = os.Stat(filepath.Join(dir, databaseFile))
	if err == nil {
		return engine.Data{State: engine.DataComplete}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return engine.Data{}, err
	}
	return engine.Data{
		State:   engine.DataUnknown,
		Message: fmt.Sprintf("%s is not empty and has neither %s nor %s: not a data directory of ProxySQL", dir, identityFile, databaseFile),
	}, nil
}

// systemID is empty if there is none.
func (e *Engine) systemID() (string, error) {
	content, err := os.ReadFile(e.identityPath())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(content)), err
}
