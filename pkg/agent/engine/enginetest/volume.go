// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// bindfs is the file system of a Volume: a FUSE server that shows a directory.
	bindfs = "bindfs"
	// mountTimeout bounds how long the mount takes.
	mountTimeout = 30 * time.Second
)

// Volume is a file system of the box that can hang: while it does, who opens, reads,
// writes, syncs or merely looks at a file on it waits, as on network storage that has
// gone away. It keeps no box: its server ends with the box, and then everything on the
// volume fails.
type Volume struct {
	// Dir is where it is mounted.
	Dir    string
	keeper *keeper
}

// EachOnVolume is Each for a box that has a Volume too.
func EachOnVolume(t *testing.T, typ string, test func(t *testing.T, box *Box, volume *Volume)) {
	t.Helper()
	eachKept(t, typ, keptVolume, bindfs, func(t *testing.T, box *Box, k *keeper) {
		test(t, box, &Volume{Dir: volumeDir(""), keeper: k})
	})
}

func volumeDir(top string) string { return filepath.Join(top, BoxDir, "volume") }

// Hang lets the volume hang until Resume, at the latest until the test ends.
func (v *Volume) Hang(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { v.keeper.ask(t, "resume") })
	v.keeper.ask(t, "hang")
}

// Resume ends it: what waits continues.
func (v *Volume) Resume(t *testing.T) {
	t.Helper()
	v.keeper.ask(t, "resume")
}

// serveVolume mounts the volume and returns what stops its server and lets it go on.
func serveVolume(work, top string) (obey func(order string) error, err error) {
	source, point := filepath.Join(work, "volume"), volumeDir(top)
	for _, dir := range []string{source, point} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chown(source, UID, UID); err != nil {
		return nil, err
	}
	server := exec.Command(bindfs, "-f", "--multithreaded", source, point)
	server.Stderr = os.Stderr
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		return nil, err
	}
	pid := server.Process.Pid
	if err := mountedAt(point, pid); err != nil {
		return nil, err
	}
	return func(order string) error {
		if order != "hang" {
			return unix.Kill(pid, unix.SIGCONT)
		}
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			return err
		}
		var status unix.WaitStatus
		for !status.Stopped() {
			if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			if status.Exited() || status.Signaled() {
				return errors.New("the volume's server has ended")
			}
		}
		return nil
	}, nil
}

// mountedAt waits until the server has mounted the volume.
func mountedAt(point string, server int) error {
	for deadline := time.Now().Add(mountTimeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var there unix.Statfs_t
		if err := unix.Statfs(point, &there); err == nil && there.Type == unix.FUSE_SUPER_MAGIC {
			return nil
		}
		if pid, err := unix.Wait4(server, nil, unix.WNOHANG, nil); err != nil || pid == server {
			return fmt.Errorf("%s has ended: %v", bindfs, err)
		}
	}
	return fmt.Errorf("%s does not mount %s", bindfs, point)
}
