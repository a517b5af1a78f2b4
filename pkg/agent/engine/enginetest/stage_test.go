// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// rootEnv makes the test binary a process that makes a box of that root filesystem
// below workEnv, says so, and stays as long as its input does.
const rootEnv, workEnv = "ENGINETEST_TEST_ROOT", "ENGINETEST_TEST_WORK"

func TestMain(m *testing.M) {
	if root := os.Getenv(rootEnv); root != "" {
		if _, err := enginetest.MountRoot(os.Getenv(workEnv), root); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	enginetest.Main(m, func(engine.Env) engine.Engine { return nil })
}

// command of the host; its output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// mounted makes a file system on a loop device and mounts it.
func mounted(t *testing.T) (device, dir string) {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	command(t, "truncate", "--size=16M", image)
	command(t, "mkfs.ext4", "-q", image)
	device = command(t, "losetup", "--find", "--show", image)
	t.Cleanup(func() {
		if err := exec.Command("losetup", "--detach", device).Run(); err != nil {
			t.Errorf("losetup --detach %s: %v", device, err)
		}
	})
	if err := unix.Mount(device, dir, "ext4", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return device, dir
}

// inside says that the box is up and stays until it is told that that is enough.
func inside(t *testing.T, _ *enginetest.Box) {
	if err := os.WriteFile("/box/ready", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat("/box/enough"); err == nil {
			return
		}
	}
	t.Error("nobody has looked at the box")
}

// A volume that is unmounted while a box runs is free: a node of the test bed beside
// can stop.
func TestABoxHoldsNoMountOfTheHostAndTheHostNoneOfTheBox(t *testing.T) {
	if os.Getpid() == 1 {
		enginetest.Each(t, "mysql", inside)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("a box of namespaces, and a loop device, need root")
	}
	device, dir := mounted(t)
	work := t.TempDir()
	t.Setenv("TMPDIR", work)
	over := make(chan struct{})
	go func() {
		defer close(over)
		enginetest.Each(t, "mysql", inside)
	}()
	looked := map[string]bool{}
	for {
		select {
		case <-over:
			if len(looked) == 0 && !t.Skipped() {
				t.Error("there was no box")
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
		boxes, err := filepath.Glob(filepath.Join(work, "*", "box", "ready"))
		if err != nil {
			t.Fatal(err)
		}
		for _, ready := range boxes {
			// Once: who was notified goes, and its directory with it.
			if looked[ready] {
				continue
			}
			if len(looked) == 0 {
				look(t, device, dir, work)
			}
			looked[ready] = true
			if err := os.WriteFile(filepath.Join(filepath.Dir(ready), "enough"), nil, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}

// look at the host while there is a box below work.
func look(t *testing.T, device, dir, work string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Error(err)
	}
	if strings.Contains(string(mounts), work) {
		t.Errorf("the host has mounts of the box:\n%s", mounts)
	}
	mustBeFree(t, device, dir)
}

// mustBeFree unmounts the volume as its node does.
func mustBeFree(t *testing.T, device, dir string) {
	t.Helper()
	if err := unix.Unmount(dir, 0); err != nil {
		t.Error(err)
	}
	// A device that is mounted anywhere cannot be had alone. What begins in namespaces of its
	// own beside this test, such as another box, has a copy of all mounts for a moment.
	fd, err := -1, error(unix.EBUSY)
	for deadline := time.Now().Add(10 * time.Second); errors.Is(err, unix.EBUSY) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		fd, err = unix.Open(device, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		t.Errorf("%s is unmounted and not free: %v", device, err)
		return
	}
	_ = unix.Close(fd)
}

// What makes a box and stays outside, as the benchmarks of backups do, holds no volume
// either.
func TestWhoMakesABoxHoldsNoVolumeOfTheHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces, and a loop device, need root")
	}
	device, dir := mounted(t)
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc", "passwd"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), rootEnv+"="+root, workEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("it makes no box: %q, %v", line, err)
	}
	mustBeFree(t, device, dir)
}
