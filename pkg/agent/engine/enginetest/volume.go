// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// volumeEnv tells stage that the box has a volume of its own, and the test inside
	// which descriptor leads to its keeper.
	volumeEnv = "UNIT_AGENT_ENGINETEST_VOLUME"
	// keeperEnv makes the test binary the volume's keeper; it names the directory that
	// the volume shows and where it is mounted.
	keeperEnv = "UNIT_AGENT_ENGINETEST_KEEPER"

	// bindfs is the file system: a FUSE server that shows a directory.
	bindfs = "bindfs"
	// mountTimeout bounds how long the mount takes.
	mountTimeout = 30 * time.Second
)

// Volume is a file system of the box that can hang: while it does, who opens, reads,
// writes, syncs or merely looks at a file on it waits, as on network storage that has
// gone away.
type Volume struct {
	// Dir is where it is mounted.
	Dir string

	keeper  *os.File
	answers *bufio.Reader
}

// EachOnVolume is Each for a box that has a Volume too.
func EachOnVolume(t *testing.T, typ string, test func(t *testing.T, box *Box, volume *Volume)) {
	t.Helper()
	if name := os.Getenv(insideEnv); name != "" {
		t.Run(name, func(t *testing.T) {
			volume, err := openVolume()
			if err != nil {
				t.Fatal(err)
			}
			test(t, newBox(t, typ), volume)
		})
		return
	}
	roots, absent := find(t, typ)
	if _, err := exec.LookPath(bindfs); err != nil {
		absent("a volume that can hang needs %s, of Debian's package of that name", bindfs)
	}
	for _, root := range roots {
		t.Run(filepath.Base(root), func(t *testing.T) { enter(t, root, volumeEnv+"=wanted") })
	}
}

// openVolume is the inside's end of what stage has made.
func openVolume() (*Volume, error) {
	fd, err := strconv.Atoi(os.Getenv(volumeEnv))
	if err != nil {
		return nil, fmt.Errorf("the box has no volume: %w", err)
	}
	unix.CloseOnExec(fd)
	keeper := os.NewFile(uintptr(fd), "keeper")
	return &Volume{Dir: volumeDir(""), keeper: keeper, answers: bufio.NewReader(keeper)}, nil
}

func volumeDir(top string) string { return filepath.Join(top, BoxDir, "volume") }

// Hang lets the volume hang until Resume, at the latest until the test ends.
func (v *Volume) Hang(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { v.ask(t, "resume") })
	v.ask(t, "hang")
}

// Resume ends it: what waits goes on.
func (v *Volume) Resume(t *testing.T) {
	t.Helper()
	v.ask(t, "resume")
}

func (v *Volume) ask(t *testing.T, order string) {
	t.Helper()
	if _, err := fmt.Fprintln(v.keeper, order); err != nil {
		t.Fatalf("the volume's keeper: %v", err)
	}
	if answer, err := v.answers.ReadString('\n'); err != nil || answer != order+"\n" {
		t.Fatalf("the volume's keeper was told to %s: %q, %v", order, answer, err)
	}
}

// startVolume mounts the box's volume and returns the inside's end of its keeper, which
// is another root process of the box and ends with it. A volume that hangs keeps no box:
// its server ends too, and then everything on it fails.
func startVolume(work, top string) (int, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	source, point := filepath.Join(work, "volume"), volumeDir(top)
	for _, dir := range []string{source, point} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return 0, err
		}
	}
	if err := os.Chown(source, UID, UID); err != nil {
		return 0, err
	}
	theirs := os.NewFile(uintptr(ends[1]), "box")
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{keeperEnv + "=" + source + ":" + point, "PATH=" + os.Getenv("PATH")}
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	// It is waited for by nobody: it ends with the box.
	var said [len("mounted\n")]byte
	if _, err := unix.Read(ends[0], said[:]); err != nil || string(said[:]) != "mounted\n" {
		return 0, fmt.Errorf("the volume is not mounted: %q, %v", said, err)
	}
	if _, err := unix.FcntlInt(uintptr(ends[0]), unix.F_SETFD, 0); err != nil { // the test inside inherits it
		return 0, err
	}
	return ends[0], nil
}

// keepVolume is the keeper: it starts the volume's server, and stops it and lets it go on
// as it is told. Nobody else can in a box where all but stage is without privileges.
func keepVolume(paths string) error {
	source, point, _ := strings.Cut(paths, ":")
	box := os.NewFile(3, "box")
	defer box.Close()
	server := exec.Command(bindfs, "-f", "--multithreaded", "-o", "suid,dev", source, point)
	server.Stderr = os.Stderr
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		return err
	}
	pid := server.Process.Pid
	if err := mountedAt(point, pid); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(box, "mounted"); err != nil {
		return err
	}
	orders := bufio.NewScanner(box)
	for orders.Scan() {
		signal := unix.SIGCONT
		if orders.Text() == "hang" {
			signal = unix.SIGSTOP
		}
		if err := unix.Kill(pid, signal); err != nil {
			return err
		}
		var status unix.WaitStatus
		for signal == unix.SIGSTOP && !status.Stopped() {
			if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			if status.Exited() || status.Signaled() {
				return errors.New("the volume's server has ended")
			}
		}
		if _, err := fmt.Fprintln(box, orders.Text()); err != nil {
			return err
		}
	}
	return orders.Err()
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
