// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// young processes are looked at each time: a fork becomes what it executes.
	young = time.Second
	// turns between two looks at a process that is older: servers change their titles.
	turns = 50
)

// Processes samples the command lines of all processes of this machine, those in
// containers included.
type Processes struct {
	// Record of what is seen.
	Record *Record
	// Parent says of whose children the environment is recorded too.
	Parent func(argv []string) bool

	known map[int]*process
}

type process struct {
	since time.Time
	argv  string
	// environ is true once the environment is recorded, or need not be.
	environ bool
}

// Run samples until the context ends. What lives shorter than every may be missed.
func (p *Processes) Run(ctx context.Context, every time.Duration) {
	p.known = map[int]*process{}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		p.sample(turn)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *Processes) sample(turn int) {
	running := pids()
	now := time.Now()
	for pid := range p.known {
		if !running[pid] {
			delete(p.known, pid)
		}
	}
	for pid := range running {
		k := p.known[pid]
		if k == nil {
			// The command line of a kernel thread, of a zombie and of a process that the
			// kernel is still making is empty, and may stay so.
			k = &process{since: now, environ: p.Parent == nil}
			p.known[pid] = k
		} else if now.Sub(k.since) > young && (turn+pid)%turns != 0 {
			continue
		}
		raw, err := os.ReadFile(proc(pid, "cmdline"))
		if err != nil {
			continue
		}
		if argv := string(raw); argv != k.argv {
			k.argv, k.environ = argv, p.Parent == nil
			p.Record.Add(words(argv))
		}
		if !k.environ {
			k.environ = p.environ(pid, k.argv)
		}
	}
}

// environ records the environment of a process if it is a child of those that are
// asked for, and is false if that is not known yet.
func (p *Processes) environ(pid int, argv string) bool {
	parent := p.known[parent(pid)]
	if parent == nil || parent.argv == "" {
		return false
	}
	if p.Parent(strings.Split(parent.argv, "\x00")) {
		if environ, err := os.ReadFile(proc(pid, "environ")); err == nil {
			p.Record.Add("the environment of " + words(argv) + ": " + words(string(environ)))
		}
	}
	return true
}

func words(nul string) string { return strings.ReplaceAll(nul, "\x00", " ") }

// pids of the processes that there are.
func pids() map[int]bool {
	out := map[int]bool{}
	dir, err := os.Open("/proc")
	if err != nil {
		return out
	}
	defer func() { _ = dir.Close() }()
	// What is listed before an error is there.
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			out[pid] = true
		}
	}
	return out
}

// parent of a process, 0 if it is gone.
func parent(pid int) int {
	raw, err := os.ReadFile(proc(pid, "stat"))
	if err != nil {
		return 0
	}
	// The name before may hold anything, parentheses too.
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return n
}

func proc(pid int, file string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), file)
}
