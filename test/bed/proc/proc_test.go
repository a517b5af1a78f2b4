// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestStatOfAProcessWhoseNameLooksLikeFields(t *testing.T) {
	line := "42 (a b) S (c)) Z 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1"
	got, err := parseStat(line)
	if err != nil {
		t.Fatal(err)
	}
	if want := (stat{state: 'Z', startTime: 12345}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.running() {
		t.Error("a zombie is said to run")
	}
	for _, bad := range []string{"", "42 (a", "42 (a) S 1 2"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q was read without an error", bad)
		}
	}
}

func TestADaemonIsStartedOnceAndIsNotTakenForAnotherProcessOfItsID(t *testing.T) {
	d := Daemon{Name: "sleeper", Dir: t.TempDir(), Argv: []string{"sleep", "600"}}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Kill(context.Background()) })
	pid := d.PID()
	if pid == 0 {
		t.Fatal("it does not run")
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	if again := d.PID(); again != pid {
		t.Errorf("started a second time: process %d, then %d", pid, again)
	}
	recorded, err := os.ReadFile(d.PIDFile())
	if err != nil {
		t.Fatal(err)
	}
	// As if the id had been given to another process since.
	if err := os.WriteFile(d.PIDFile(), []byte(strings.Fields(string(recorded))[0]+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d.Running() {
		t.Error("a process with another start time is taken for the daemon")
	}
	if err := os.WriteFile(d.PIDFile(), recorded, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Stop(t.Context(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if d.Running() {
		t.Error("it runs after Stop")
	}
}

func TestFindTakesProgramsByNameAndDirectoryTogether(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tail", "-f", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	program := executable(t, cmd.Process.Pid)
	for _, c := range []struct {
		name, dir, program string
		found              bool
	}{
		{"its program and its directory", dir, program, true},
		{"another program", dir, "kubelet", false},
		{"a directory whose name begins the same", dir[:len(dir)-1], program, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pids, err := Find(c.dir, c.program)
			if err != nil {
				t.Fatal(err)
			}
			if found := len(pids) == 1 && pids[0] == cmd.Process.Pid; found != c.found {
				t.Errorf("found %v, the process is %d", pids, cmd.Process.Pid)
			}
		})
	}
}

// executable waits until the process runs its program and returns that program's file name.
func executable(t *testing.T, pid int) string {
	t.Helper()
	var name string
	err := Poll(t.Context(), 10*time.Second, time.Millisecond, func(context.Context) (bool, error) {
		arguments, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err != nil || !strings.HasPrefix(string(arguments), "tail\x00") {
			return false, err
		}
		exe, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
		name = filepath.Base(exe)
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}
