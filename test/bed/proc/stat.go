// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// stat is what tells one process from another that later has the same id.
type stat struct {
	state     byte
	startTime uint64
}

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(data))
}

// parseStat reads /proc/PID/stat. The command name in it may hold spaces and parentheses, so fields
// are counted from the last parenthesis.
func parseStat(s string) (stat, error) {
	i := strings.LastIndexByte(s, ')')
	if i < 0 {
		return stat{}, fmt.Errorf("unexpected process status %q", s)
	}
	fields := strings.Fields(s[i+1:])
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("unexpected process status %q", s)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	return stat{state: fields[0][0], startTime: start}, err
}

// running tells whether the process runs; a zombie has ended, whoever should have reaped it.
func (s stat) running() bool { return s.state != 'Z' && s.state != 'X' }
