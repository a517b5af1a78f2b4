// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package place puts things where a server looks for them: a complete data
// directory under its name, configuration and client option files, and clears
// what a dead server left in their way.
package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// initializeDir is the side directory that Build works in.
const initializeDir = "initialize"

// Build makes env.DataDir() out of what build leaves in the directory data, or
// leaves nothing of it. scratch is an empty directory on the same file system for
// anything else.
//
// A crash before the rename leaves a side directory that the next call removes.
// The rename itself refuses to replace anything but an empty directory.
func Build(ctx context.Context, env engine.Env, build func(ctx context.Context, data, scratch string) error) error {
	if err := absent(env.DataDir()); err != nil {
		return err
	}
	if err := os.MkdirAll(env.AgentDir(), 0o700); err != nil {
		return err
	}
	side := env.SideDir(initializeDir)
	if err := os.RemoveAll(side); err != nil {
		return fmt.Errorf("removing what an interrupted initialisation left: %w", err)
	}
	data, scratch := filepath.Join(side, "data"), filepath.Join(side, "tmp")
	for _, dir := range []string{side, data, scratch} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	if err := build(ctx, data, scratch); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := syncFilesystem(data); err != nil {
		return err
	}
	if err := unix.Rename(data, env.DataDir()); err != nil {
		return fmt.Errorf("renaming the new database to %s: %w", env.DataDir(), err)
	}
	if err := (state.Files{}).SyncDir(env.DataMount); err != nil {
		return err
	}
	return os.RemoveAll(side)
}

// absent fails if dir holds anything.
func absent(dir string) error {
	empty, err := Empty(dir)
	if err != nil {
		return err
	}
	if !empty {
		return fmt.Errorf("%s is not empty: it is never initialised over", dir)
	}
	return nil
}

// Empty is true if dir does not exist or has no entries.
func Empty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return len(entries) == 0, err
}

// syncFilesystem makes everything in dir durable: servers do not fsync all they
// write at initialisation, and a rename must not be durable before it.
func syncFilesystem(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("syncing the file system of %s: %w", dir, err)
	}
	return nil
}
