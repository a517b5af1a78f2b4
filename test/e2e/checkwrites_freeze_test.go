// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"syscall"
	"testing"
)

// freezeProcess stops one process of a unit: its agent, or what starts the others of its server.
func freezeProcess(unit string, match func([]string) bool) (thaw func(*testing.T), err error) {
	pid, err := hostProcess(unit, match)
	if err != nil {
		return nil, err
	}
	f := frozen{}
	return f.thaw, f.freeze(pid)
}

// freezeServer stops all processes of a unit's server, which whoever fences it has to kill.
func freezeServer(unit string, match func([]string) bool) (thaw func(*testing.T), err error) {
	pid, err := hostProcess(unit, match)
	if err != nil {
		return nil, err
	}
	f := frozen{}
	if err := f.freezeAll(pid); err != nil {
		for pid := range f {
			// It may have ended.
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		return nil, err
	}
	return f.thaw, nil
}

// frozen processes, and when each was started.
type frozen map[int]string

func (f frozen) freeze(pid int) error {
	started := statOf(pid).started
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	f[pid] = started
	return nil
}

// freezeAll stops a process and its children. It comes first: stopped, it has no more of them.
func (f frozen) freezeAll(parent int) error {
	if err := f.freeze(parent); err != nil {
		return err
	}
	for more := true; more; {
		children, err := childrenOf(parent)
		if err != nil {
			return err
		}
		more = false
		for _, pid := range children {
			if _, done := f[pid]; done {
				continue
			}
			more = true
			if err := f.freeze(pid); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// thaw continues them, but for those that were killed meanwhile, and who has their numbers now.
func (f frozen) thaw(t *testing.T) {
	for pid, started := range f {
		if statOf(pid).started != started {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
	}
}
