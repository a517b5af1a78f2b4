// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hierarchy is one mounted control group hierarchy: one for each controller in version 1, one for all
// in version 2, and both kinds beside each other in the hybrid layout.
type hierarchy struct {
	path    string
	version int
}

func hierarchies() ([]hierarchy, error) {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	return parseHierarchies(string(data)), nil
}

func parseHierarchies(mounts string) []hierarchy {
	var all []hierarchy
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		switch fields[2] {
		case "cgroup":
			all = append(all, hierarchy{path: fields[1], version: 1})
		case "cgroup2":
			all = append(all, hierarchy{path: fields[1], version: 2})
		}
	}
	return all
}

// EnsureCgroup makes the control group name at the top of every hierarchy, ready for a kubelet to make
// its own below it.
func EnsureCgroup(name string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		if h.version == 2 {
			if err := h.enableControllers(); err != nil {
				return err
			}
		}
		dir := filepath.Join(h.path, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// A new group of version 1's cpuset may use nothing until told so.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := inherit(h, dir, file); err != nil {
				return err
			}
		}
	}
	return nil
}

func inherit(h hierarchy, dir, file string) error {
	if h.version == 2 {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(h.path, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), data, 0o644)
}

// enableControllers lets groups below the top use every controller there is.
func (h hierarchy) enableControllers() error {
	data, err := os.ReadFile(filepath.Join(h.path, "cgroup.controllers"))
	if err != nil {
		return err
	}
	control := filepath.Join(h.path, "cgroup.subtree_control")
	enabled, err := os.ReadFile(control)
	if err != nil {
		return err
	}
	for controller := range strings.FieldsSeq(string(data)) {
		if slices.Contains(strings.Fields(string(enabled)), controller) {
			continue
		}
		if err := os.WriteFile(control, []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("enabling the %s controller: %w", controller, err)
		}
	}
	return nil
}

// Cgroups returns the directories of control groups at the top of a hierarchy whose names begin with
// prefix.
func Cgroups(prefix string) ([]string, error) {
	all, err := hierarchies()
	var dirs []string
	for _, h := range all {
		for _, name := range namesIn(h.path, prefix) {
			dirs = append(dirs, filepath.Join(h.path, name))
		}
	}
	return dirs, err
}

// CgroupProcesses returns the ids of all processes in control groups whose names begin with prefix, and
// in those below them.
func CgroupProcesses(prefix string) ([]int, error) {
	dirs, err := Cgroups(prefix)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.Name() != "cgroup.procs" {
				return ignoreGone(err)
			}
			data, err := os.ReadFile(path)
			for field := range strings.FieldsSeq(string(data)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 && !slices.Contains(pids, pid) {
					pids = append(pids, pid)
				}
			}
			return ignoreGone(err)
		})
		if err != nil {
			return nil, err
		}
	}
	return pids, nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// RemoveCgroups removes the control groups whose names begin with prefix, deepest first. Their
// processes must have been ended; the kernel may take a moment to let go of them.
func RemoveCgroups(ctx context.Context, prefix string) error {
	dirs, err := Cgroups(prefix)
	if err != nil {
		return err
	}
	var errs []error
	for _, top := range dirs {
		var below []string
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				below = append(below, path)
			}
			return ignoreGone(err)
		})
		errs = append(errs, err)
		for _, dir := range slices.Backward(below) {
			errs = append(errs, removeCgroup(ctx, dir))
		}
	}
	return errors.Join(errs...)
}

func removeCgroup(ctx context.Context, dir string) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := ignoreGone(os.Remove(dir))
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
