// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

// reaper waits for processes that nobody else waits for: orphans that the kernel
// gave to PID 1. It must not take the exit status of a process that someone
// waits for, so it knows the server, and it pauses while an engine runs programs
// of its own.
type reaper struct {
	// mu is held while someone else may have children.
	mu sync.Mutex
	// keepMu guards server, the pid that is not to be reaped; 0 if none.
	keepMu sync.Mutex
	server int
	// look asks for a scan.
	look chan struct{}
}

func newReaper() *reaper { return &reaper{look: make(chan struct{}, 1)} }

// pause runs do while nothing is reaped.
func (r *reaper) pause(do func()) {
	r.mu.Lock()
	defer func() {
		r.mu.Unlock()
		select {
		case r.look <- struct{}{}:
		default:
		}
	}()
	do()
}

// keep names the process that has someone who waits for it.
func (r *reaper) keep(pid int) {
	r.keepMu.Lock()
	defer r.keepMu.Unlock()
	r.server = pid
}

func (r *reaper) kept() int {
	r.keepMu.Lock()
	defer r.keepMu.Unlock()
	return r.server
}

// run reaps until ctx ends.
func (r *reaper) run(ctx context.Context) {
	// As PID 1 orphans come by themselves; elsewhere they must be asked for.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		klog.FromContext(ctx).Error(err, "Orphans are not given to supervise")
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	defer signal.Stop(children)
	for {
		select {
		case <-ctx.Done():
			return
		case <-children:
		case <-r.look:
		}
		r.mu.Lock()
		r.reap()
		r.mu.Unlock()
	}
}

// reap waits for every zombie child but the server.
func (r *reaper) reap() {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	self := os.Getpid()
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == self || pid == r.kept() {
			continue
		}
		if zombieChild(pid, self) {
			var status unix.WaitStatus
			_, _ = unix.Wait4(pid, &status, unix.WNOHANG, nil)
		}
	}
}

// zombieChild says whether the process waits to be reaped by the parent.
func zombieChild(pid, parent int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	p, ok := parseStat(pid, stat)
	return ok && p.dead && p.parent == parent
}
