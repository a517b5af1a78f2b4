// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// interval between looks at processes: what one grows in its last moment is missed.
const interval = 50 * time.Millisecond

// peaks of resident memory in bytes, by the name of the program.
type peaks map[string]int64

// merge takes the higher ones.
func (p peaks) merge(other peaks) {
	for name, n := range other {
		p[name] = max(p[name], n)
	}
}

// watch looks at processes until stop is called, which returns their peaks. Those of
// the programs that they start are told apart by their names.
func watch(ctx context.Context, proc string, pids ...int) (stop func() peaks) {
	ctx, cancel := context.WithCancel(ctx)
	found := peaks{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			for _, pid := range pids {
				found.look(proc, pid, "")
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(interval):
			}
		}
	})
	return func() peaks {
		cancel()
		wg.Wait()
		return maps.Clone(found)
	}
}

func (p peaks) look(proc string, pid int, parent string) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	name, peak := memory(dir)
	// A child is its parent until it has become another program.
	if name != "" && name != parent {
		p[name] = max(p[name], peak)
	}
	lists, _ := filepath.Glob(filepath.Join(dir, "task", "*", "children"))
	for _, list := range lists {
		content, _ := os.ReadFile(list) // a thread that ended has none
		for child := range strings.FieldsSeq(string(content)) {
			if n, err := strconv.Atoi(child); err == nil {
				p.look(proc, n, name)
			}
		}
	}
}

// memory is a process's name and its peak; none of one that has ended.
func memory(dir string) (name string, peak int64) {
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return "", 0
	}
	for line := range bytes.Lines(status) {
		if after, ok := bytes.CutPrefix(line, []byte("Name:")); ok {
			name = string(bytes.TrimSpace(after))
		}
		if after, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			_, _ = fmt.Sscanf(string(after), "%d", &peak)
		}
	}
	return name, peak << 10
}

// forget the peak that a process has had.
func forget(proc string, pid int) error {
	return os.WriteFile(filepath.Join(proc, strconv.Itoa(pid), "clear_refs"), []byte("5"), 0)
}

// tick is the unit of CPU time in proc, on every machine that Go runs on.
const tick = 10 * time.Millisecond

// cpu time of a process and of the children it has waited for.
func cpu(proc string, pid int) (time.Duration, error) {
	stat, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	// The name before may have spaces in it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const user = 11 // utime, stime, cutime, cstime
	if len(fields) < user+4 {
		return 0, fmt.Errorf("%s of process %d is short", proc, pid)
	}
	var ticks int64
	for _, field := range fields[user : user+4] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}
