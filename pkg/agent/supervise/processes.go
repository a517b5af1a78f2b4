// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// goneInterval is how often it is looked whether killed processes are gone: the kernel
// tells of children only.
const goneInterval = 20 * time.Millisecond

// proc is a process as /proc tells, without what reading could hang on.
type proc struct {
	pid, parent int
	// dead is true for a zombie.
	dead bool
}

// processes of this container.
func processes() []proc {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []proc
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		if p, ok := parseStat(pid, stat); ok {
			found = append(found, p)
		}
	}
	return found
}

// parseStat reads /proc/PID/stat: "PID (name) STATE PPID ...", where the name may hold
// anything.
func parseStat(pid int, stat []byte) (proc, bool) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return proc{}, false
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 2 {
		return proc{}, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return proc{}, false
	}
	return proc{pid: pid, parent: parent, dead: string(fields[0]) == "Z" || string(fields[0]) == "X"}, true
}

// descendants of a process that live. Whatever group or session they have gone to: an
// orphan has supervise as its parent, which reaps in its container.
func descendants(all []proc, of int) []int {
	children := map[int][]proc{}
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p)
	}
	var living []int
	for todo := []int{of}; len(todo) > 0; todo = todo[1:] {
		for _, p := range children[todo[0]] {
			todo = append(todo, p.pid)
			if !p.dead {
				living = append(living, p.pid)
			}
		}
	}
	return living
}

// killDescendants delivers SIGKILL to all that supervise has started and to what that
// has started, and returns to how many. It does not wait for them to be gone: one that
// hangs in the kernel is not soon, and executes nothing of its own any more.
func killDescendants() int {
	killed := map[int]bool{}
	for {
		fresh := false
		for _, pid := range descendants(processes(), os.Getpid()) {
			if killed[pid] {
				continue
			}
			// What was started between the look and this is found by the next look: a process
			// that has SIGKILL pending starts no other.
			_ = syscall.Kill(pid, syscall.SIGKILL)
			killed[pid], fresh = true, true
		}
		if !fresh {
			return len(killed)
		}
	}
}

// waitGone waits until nothing that supervise has started lives, at most so long.
func waitGone(atMost time.Duration) bool {
	for deadline := time.Now().Add(atMost); ; time.Sleep(goneInterval) {
		if len(descendants(processes(), os.Getpid())) == 0 {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
