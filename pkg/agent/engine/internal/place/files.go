// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package place

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/state"
)

// Files writes each file into dir, by rename, if it is not there already. Names
// are base names.
func Files(dir string, files map[string][]byte, perm os.FileMode) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name == "." || name == ".." || filepath.Base(name) != name {
			return fmt.Errorf("configuration file name %q is not a base name", name)
		}
		if err := File(filepath.Join(dir, name), files[name], perm); err != nil {
			return err
		}
	}
	return nil
}

// File replaces path by content, durably, if it holds or permits something else.
func File(path string, content []byte, perm os.FileMode) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm() == perm {
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
			return nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return state.Files{}.WriteFile(path, content, perm)
}

// ClearSocket removes the unix socket at path and its lock file, which name a
// process of a former container whose number another process may have now. It
// refuses unless nothing listens there: a server whose queue is full does.
func ClearSocket(ctx context.Context, path, lock string) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("a server listens on %s", path)
	case !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("asking whether a server listens on %s: %w", path, err)
	}
	for _, p := range []string{path, lock} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
