// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestInstallCopiesLinksAndMayRunAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bin")
	self, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(self, dir); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, Name)
	info, err := os.Stat(program)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Fatalf("%v, %v", info, err)
	}
	for _, tool := range []string{"nslookup", "curl", "netstat"} {
		resolved, err := filepath.EvalSymlinks(filepath.Join(dir, "tools", tool))
		if err != nil || resolved != program {
			t.Errorf("%s leads to %s, %v", tool, resolved, err)
		}
	}

	// Again, while the first copy is being executed.
	running := exec.Command(program, "60")
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = running.Process.Signal(syscall.SIGKILL)
		_ = running.Wait()
	}()
	if err := Run(self, dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".tmp-") {
			t.Errorf("left %s", e.Name())
		}
	}
}

func TestInstallLeavesNoHalfProgram(t *testing.T) {
	dir := t.TempDir()
	if err := Run(filepath.Join(dir, "does-not-exist"), dir); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Lstat(filepath.Join(dir, Name)); !os.IsNotExist(err) {
		t.Errorf("there is a program: %v", err)
	}
}
