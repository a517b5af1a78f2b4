// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Unit is one more unit in the box, for tests of several servers: it has directories
// of its own, and its server listens on the port. Secrets are shared.
func (b *Box) Unit(t *testing.T, name string, port int) *Box {
	t.Helper()
	unit := &Box{typ: b.typ, Vars: maps.Clone(b.Vars)}
	for variable, dir := range map[string]string{
		"DATA_DIR_MOUNT": "data", engine.EnvSocketDir: "run", engine.EnvConfigDir: "etc", engine.EnvStateDir: "state", "HOME": "home",
	} {
		path := filepath.Join(BoxDir, name, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		unit.Vars[variable] = path
	}
	unit.Vars["UNIT_NAME"] = name
	unit.Vars["UNIT_SQL_PORT"] = strconv.Itoa(port)
	return unit
}

// Signal sends the server a signal.
func (s *Server) Signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatalf("%v: %v", signal, err)
	}
}

// Freeze stops the server and returns when none of its threads runs: until then it may
// answer.
func (s *Server) Freeze() {
	s.t.Helper()
	s.Signal(syscall.SIGSTOP)
	for {
		switch err := unix.Waitid(unix.P_PID, s.Pid(), nil, unix.WSTOPPED|unix.WNOWAIT, nil); err {
		case nil:
			return
		case unix.EINTR:
		default:
			s.t.Fatalf("waiting for the server to stop: %v", err)
		}
	}
}

// KillAlone kills the server, whose end it waits for, and nothing else in the box.
func (s *Server) KillAlone() {
	s.t.Helper()
	s.Signal(syscall.SIGKILL)
	<-s.exited
}
