// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package install copies unit-agent from its own image into a directory shared
// with the database containers, whose images do not have it.
package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/tools"
)

// Name of the installed program.
const Name = "unit-agent"

// Run copies the program self into dir as unit-agent, mode 0755, and links the
// stand-in tools to it in dir/tools. It may run again over an earlier copy, even
// one that is being executed: the copy is renamed into place.
func Run(self, dir string) error {
	toolDir := filepath.Join(dir, "tools")
	if err := os.MkdirAll(toolDir, 0o755); err != nil {
		return err
	}
	if err := copyProgram(self, filepath.Join(dir, Name)); err != nil {
		return fmt.Errorf("copying %s to %s: %w", self, dir, err)
	}
	for _, tool := range tools.Names() {
		if err := link(filepath.Join("..", Name), filepath.Join(toolDir, tool)); err != nil {
			return err
		}
	}
	return nil
}

func copyProgram(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	temp, err := os.CreateTemp(filepath.Dir(to), ".tmp-"+filepath.Base(to)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if _, err := io.Copy(temp, source); err != nil {
		return err
	}
	if err := temp.Chmod(0o755); err != nil {
		return err
	}
	// A truncated program after a power failure would never be repaired: the
	// init container does not run again in the same pod.
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), to)
}

func link(target, path string) error {
	if now, err := os.Readlink(path); err == nil && now == target {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, path)
}
