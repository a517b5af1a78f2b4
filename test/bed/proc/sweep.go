// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Find returns the running processes whose program has one of the given file names and one of whose
// arguments is, or holds, a path below dir. That finds a bed's daemons and the shims of its containers
// when their pid files are lost, and never an editor or a pager that looks at its logs.
func Find(dir string, programs ...string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, p := range programs {
		wanted[p] = true
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		exe, err := os.Readlink(filepath.Join("/proc", entry.Name(), "exe"))
		if err != nil || !wanted[strings.TrimSuffix(filepath.Base(exe), " (deleted)")] {
			continue
		}
		arguments, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err == nil && strings.Contains(string(arguments), dir+"/") {
			found = append(found, pid)
		}
	}
	return found, nil
}

// KillAll kills what list returns, again and again until it returns nothing: what is being killed may
// have children. It gives up after timeout.
func KillAll(ctx context.Context, timeout time.Duration, list func() ([]int, error)) error {
	return Poll(ctx, timeout, 20*time.Millisecond, func(context.Context) (bool, error) {
		pids, err := list()
		if err != nil {
			return false, err
		}
		var running []int
		for _, pid := range pids {
			s, err := readStat(pid)
			if err != nil || !s.running() {
				continue
			}
			running = append(running, pid)
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return false, fmt.Errorf("killing process %d: %w", pid, err)
			}
		}
		if len(running) > 0 {
			return false, fmt.Errorf("processes %v to end", running)
		}
		return true, nil
	})
}
