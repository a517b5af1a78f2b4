// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// hostProcess finds a process of a unit on this machine by its command line. The
// nodes of the test bed are namespaces of this machine, so its processes are ours
// to see and to kill, as a kernel would.
//
// A process that was forked a moment ago has its parent's command line and environment: a
// PostgreSQL's backend until its client has said who it is, a child of the agent until it
// executes its program. It is its parent that is meant.
func hostProcess(unit string, match func(argv []string) bool) (int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	matches := func(dir string) bool {
		cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !match(strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")) {
			return false
		}
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		return err == nil && bytes.Contains(append([]byte{0}, environ...), []byte("\x00UNIT_NAME="+unit+"\x00"))
	}
	for _, dir := range dirs {
		if !matches(dir) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return 0, err
		}
		if parent := parentOf(pid); parent > 0 && matches(filepath.Join("/proc", strconv.Itoa(parent))) {
			pid = parent
		}
		return pid, nil
	}
	return 0, fmt.Errorf("no such process of %s on this machine", unit)
}

// processStat is what /proc/PID/stat has of a process; zero if it has ended meanwhile.
type processStat struct {
	state  string
	parent int
	// started tells it from another process that had its number, or will.
	started string
}

func statOf(pid int) (p processStat) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p
	}
	// The name, in parentheses, may hold anything; the state and the parent follow it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return p
	}
	p.state, p.started = fields[0], fields[19]
	p.parent, _ = strconv.Atoi(fields[1])
	return p
}

// parentOf a process; 0 if it has ended meanwhile.
func parentOf(pid int) int { return statOf(pid).parent }

// childrenOf a process that live.
func childrenOf(parent int) (pids []int, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, atoiErr := strconv.Atoi(filepath.Base(dir))
		if p := statOf(pid); atoiErr == nil && p.parent == parent && p.state != "Z" {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

func agentProcess(argv []string) bool {
	return len(argv) > 1 && filepath.Base(argv[0]) == "unit-agent" && argv[1] == "serve"
}

func superviseProcess(argv []string) bool {
	return filepath.Base(argv[0]) == "unit-agent" && slices.Contains(argv, "supervise")
}

func serverProcess(kind string) func([]string) bool {
	name := map[string]string{"mysql": "mysqld", "postgresql": "postgres", "proxysql": "proxysql"}[kind]
	return func(argv []string) bool { return filepath.Base(argv[0]) == name }
}

// kill sends SIGKILL to a process of a unit.
func kill(t *testing.T, unit string, match func([]string) bool) {
	t.Helper()
	pid, err := hostProcess(unit, match)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
