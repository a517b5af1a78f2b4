// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Environment between the three processes: the test outside, stage (root, in new
// namespaces), the test inside.
const (
	stageEnv  = "UNIT_AGENT_ENGINETEST_STAGE"
	rootEnv   = "UNIT_AGENT_ENGINETEST_ROOT"
	insideEnv = "UNIT_AGENT_ENGINETEST_INSIDE"
)

// UID of the mysql and postgres users of the stock images; what runs in a box runs
// as it.
const UID = 999

// BoxDir is a plain directory of the host inside the box.
const BoxDir = "/box"

// SmallDir is a volume in the box that can be filled: it has SmallSize bytes.
const (
	SmallDir  = BoxDir + "/small"
	SmallSize = 512 << 20
)

// Main is TestMain's body; newEngine is the tested package's New.
func Main(m *testing.M, newEngine func(engine.Env) engine.Engine) {
	runInitialize(newEngine)
	runKeeper()
	if work := os.Getenv(stageEnv); work != "" {
		if err := stage(work, os.Getenv(rootEnv)); err != nil {
			fmt.Fprintln(os.Stderr, "making the box:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// MountRoot makes a box of a server's root filesystem: a writable view of it below
// work, with what a container runtime would add, and a plain directory of the host at
// BoxDir. It returns the root. The caller is in namespaces of its own, for mounts,
// processes and network, where loopback is up afterwards; all of it ends with them.
func MountRoot(work, root string) (string, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("making mounts private: %w", err)
	}
	if err := detachVolumes(work, root); err != nil {
		return "", err
	}
	dirs := map[string]string{}
	for _, name := range []string{"upper", "work", "root", "box"} {
		dirs[name] = filepath.Join(work, name)
		if err := os.Mkdir(dirs[name], 0o755); err != nil {
			return "", err
		}
	}
	top := dirs["root"]
	overlay := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", root, dirs["upper"], dirs["work"])
	if err := unix.Mount("overlay", top, "overlay", 0, overlay); err != nil {
		return "", fmt.Errorf("mounting the overlay: %w", err)
	}
	if err := furnish(top, dirs["box"]); err != nil {
		return "", err
	}
	if err := loopbackUp(); err != nil {
		return "", fmt.Errorf("setting the loopback device up: %w", err)
	}
	return top, nil
}

// stage builds the box and becomes the test inside it. It returns only errors.
func stage(work, root string) error {
	top, err := MountRoot(work, root)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := copyFile(self, filepath.Join(top, "enginetest.test")); err != nil {
		return err
	}
	env := []string{insideEnv + "=" + os.Getenv(insideEnv), "PATH=" + os.Getenv("PATH")}
	if kept := os.Getenv(keptEnv); kept != "" {
		keeper, err := startKeeper(kept, work, top)
		if err != nil {
			return err
		}
		env = append(env, keptEnv+"="+strconv.Itoa(keeper))
	}
	if err := enterRoot(top); err != nil {
		return err
	}
	if err := os.Chdir(BoxDir); err != nil {
		return err
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(UID); err != nil {
		return err
	}
	if err := syscall.Setuid(UID); err != nil {
		return err
	}
	return syscall.Exec("/enginetest.test", os.Args, env)
}

// enterRoot makes top the root of this mount namespace and lets go of the host's: what
// is mounted there would else stay in use until the box ends, though the host unmounts
// it. Nothing of this reaches the host, whose mounts were made private before.
func enterRoot(top string) error {
	if err := os.Chdir(top); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	// The old root lies over the new one now.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("letting go of the host's mounts: %w", err)
	}
	return os.Chdir("/")
}

// furnish adds what a container runtime would.
func furnish(top, box string) error {
	for _, dir := range []string{"proc", "dev", "tmp", "box", "run/mysqld", "run/postgresql", "run/proxysql", "etc/mysql", "etc/postgresql", "etc/proxysql"} {
		path := filepath.Join(top, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if dir != "proc" && dir != "dev" {
			if err := os.Chown(path, UID, UID); err != nil {
				return err
			}
		}
	}
	if err := unix.Mount("proc", filepath.Join(top, "proc"), "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting proc: %w", err)
	}
	dev := filepath.Join(top, "dev")
	if err := unix.Mount("tmpfs", dev, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting dev: %w", err)
	}
	unix.Umask(0)
	defer unix.Umask(0o022)
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		if err := unix.Mknod(filepath.Join(dev, name), unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			return fmt.Errorf("making %s: %w", name, err)
		}
	}
	if err := os.Symlink("/proc/self/fd", filepath.Join(dev, "fd")); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dev, "shm"), 0o777|os.ModeSticky); err != nil {
		return err
	}
	if err := unix.Mount(box, filepath.Join(top, BoxDir), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding the box: %w", err)
	}
	if err := os.Chown(filepath.Join(top, BoxDir), UID, UID); err != nil {
		return err
	}
	small := filepath.Join(top, SmallDir)
	if err := os.MkdirAll(small, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, fmt.Sprintf("mode=755,size=%d,uid=%d,gid=%d", SmallSize, UID, UID)); err != nil {
		return fmt.Errorf("mounting the small volume: %w", err)
	}
	return nameUser(top)
}

// nameUser gives uid 999 a name, as the stock images do, in those that lack it.
func nameUser(top string) error {
	path := filepath.Join(top, "etc/passwd")
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if strings.Contains(string(content), fmt.Sprintf(":x:%d:", UID)) {
		return nil
	}
	line := fmt.Sprintf("database:x:%d:%d::/:/bin/sh\n", UID, UID)
	return os.WriteFile(path, append(content, line...), 0o644)
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
