// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// formatVersion of the files. It is raised only by a change that an older agent
// would misread; unknown fields are ignored.
const formatVersion = 1

// tempPrefix marks files and directories that a crash may leave behind.
const tempPrefix = ".tmp-"

// Files writes files so that a crash at any moment leaves the old content or the
// new one. The zero value is ready to use.
type Files struct {
	// Fault is called before each step with its name; an error makes the step
	// fail. Tests set it to stop between any two steps.
	Fault func(step string) error
}

func (f Files) step(name string, do func() error) error {
	if f.Fault != nil {
		if err := f.Fault(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return do()
}

// WriteFile replaces path by content, durably.
func (f Files) WriteFile(path string, content []byte, perm os.FileMode) (err error) {
	dir := filepath.Dir(path)
	var temp *os.File
	if err := f.step("create", func() (err error) {
		temp, err = os.CreateTemp(dir, tempPrefix+filepath.Base(path)+"-")
		return err
	}); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// Best effort: a leftover is ignored by readers and swept by Sweep.
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if err := f.step("write", func() error { _, err := temp.Write(content); return err }); err != nil {
		return err
	}
	if err := f.step("chmod", func() error { return temp.Chmod(perm) }); err != nil {
		return err
	}
	if err := f.step("sync", temp.Sync); err != nil {
		return err
	}
	if err := f.step("close", temp.Close); err != nil {
		return err
	}
	if err := f.step("rename", func() error { return os.Rename(temp.Name(), path) }); err != nil {
		return err
	}
	return f.SyncDir(dir)
}

// SyncDir makes the names in dir durable.
func (f Files) SyncDir(dir string) error {
	return f.step("syncdir", func() error {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		return d.Sync()
	})
}

// WriteDir makes the directory path with the files given, durably and under its
// name only when complete. It fails with fs.ErrExist if path exists.
func (f Files) WriteDir(path string, files map[string][]byte, perm os.FileMode) (err error) {
	parent := filepath.Dir(path)
	var temp string
	if err := f.step("mkdir", func() (err error) {
		temp, err = os.MkdirTemp(parent, tempPrefix+filepath.Base(path)+"-")
		return err
	}); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(temp)
		}
	}()
	for name, content := range files {
		if err := f.WriteFile(filepath.Join(temp, name), content, perm); err != nil {
			return err
		}
	}
	if err := f.SyncDir(temp); err != nil {
		return err
	}
	if err := f.step("renamedir", func() error {
		// rename(2) replaces an empty directory; ours are never empty.
		if _, err := os.Lstat(path); err == nil {
			return &fs.PathError{Op: "rename", Path: path, Err: fs.ErrExist}
		}
		return os.Rename(temp, path)
	}); err != nil {
		return err
	}
	return f.SyncDir(parent)
}

// Sweep removes what crashed writers of the file name left in dir. Only the
// file's one writer may call it.
func Sweep(dir, name string) error {
	leftovers, err := filepath.Glob(filepath.Join(dir, tempPrefix+name+"-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range leftovers {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// Header is part of every file.
type Header struct {
	// Version of the file's format.
	Version int `json:"version"`
}

func (h *Header) format() *int { return &h.Version }

type file interface{ format() *int }

func (f Files) writeJSON(path string, v file) error {
	*v.format() = formatVersion
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := f.WriteFile(path, append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// readJSON reads path into v; found is false if there is no such file.
func readJSON(path string, v file) (found bool, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(content, v); err != nil {
		return false, fmt.Errorf("reading %s: %w", path, err)
	}
	if got := *v.format(); got < 1 || got > formatVersion {
		return false, fmt.Errorf("reading %s: format version %d, this agent knows 1 to %d", path, got, formatVersion)
	}
	return true, nil
}
