// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/upmio/unit-operator/test/bed/progress"
)

// CacheEnv names the directory that overrides the place of built binaries and images.
const CacheEnv = "UNIT_OPERATOR_CACHE"

// CacheDir returns the directory that built binaries and images are kept in: $UNIT_OPERATOR_CACHE,
// else unit-operator below the user's cache directory ($XDG_CACHE_HOME or ~/.cache). Everything in it
// can be removed at any time when no bed is coming up; it is then built anew.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory: %w (set %s to a directory)", err, CacheEnv)
	}
	return filepath.Join(base, "unit-operator"), nil
}

// Locked runs f while this process alone holds name in the cache, so that two tests that want the
// same binary build it once. It waits for as long as the other takes, or until ctx ends.
func Locked(ctx context.Context, name string, f func() error) error {
	cache, err := CacheDir()
	if err != nil {
		return err
	}
	path := filepath.Join(cache, "locks", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer file.Close() // which also lets go of the lock
	if err := lock(ctx, file, name); err != nil {
		return err
	}
	return f()
}

func lock(ctx context.Context, file *os.File, name string) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return err
	}
	progress.WaitingFor(ctx, "another process that builds %s", name)
	got := make(chan error, 1)
	go func() { got <- syscall.Flock(int(file.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-got:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
