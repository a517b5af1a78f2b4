// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	// keptEnv names for stage what the box's keeper keeps, and the test inside which
	// descriptor leads to it.
	keptEnv = "UNIT_AGENT_ENGINETEST_KEPT"
	// keeperEnv makes the test binary a keeper; it says of what.
	keeperEnv = "UNIT_AGENT_ENGINETEST_KEEPER"

	keptVolume, keptNetwork = "volume", "network"
)

// keeper does in a box what needs privileges, of which the test inside has none. It is
// another process of the box, and ends with it.
type keeper struct {
	orders  *os.File
	answers *bufio.Reader
}

// eachKept is Each for a box that has a keeper, which needs the program.
func eachKept(t *testing.T, typ, kept, program string, test func(t *testing.T, box *Box, k *keeper)) {
	t.Helper()
	if name := os.Getenv(insideEnv); name != "" {
		t.Run(name, func(t *testing.T) {
			fd, err := strconv.Atoi(os.Getenv(keptEnv))
			if err != nil {
				t.Fatalf("the box has no keeper: %v", err)
			}
			unix.CloseOnExec(fd)
			orders := os.NewFile(uintptr(fd), "keeper")
			test(t, newBox(t, typ), &keeper{orders: orders, answers: bufio.NewReader(orders)})
		})
		return
	}
	roots, absent := find(t, typ)
	if _, err := exec.LookPath(program); err != nil {
		absent("this needs %s, of Debian's package of that name", program)
	}
	for _, root := range roots {
		t.Run(filepath.Base(root), func(t *testing.T) { enter(t, root, keptEnv+"="+kept) })
	}
}

// ask gives an order and waits until it is carried out.
func (k *keeper) ask(t *testing.T, order string) {
	t.Helper()
	if _, err := fmt.Fprintln(k.orders, order); err != nil {
		t.Fatalf("the box's keeper: %v", err)
	}
	if answer, err := k.answers.ReadString('\n'); err != nil || answer != order+"\n" {
		t.Fatalf("the box's keeper was asked to %s: %q, %v", order, answer, err)
	}
}

// startKeeper in stage, and return the inside's way to it.
func startKeeper(kept, work, top string) (int, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	theirs := os.NewFile(uintptr(ends[1]), "box")
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{keeperEnv + "=" + strings.Join([]string{kept, work, top}, ":"), "PATH=" + os.Getenv("PATH")}
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	if kept == keptNetwork {
		// Its program is the host's: it stays where the host's files are.
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	// It is waited for by nobody: it ends with the box.
	var said [len("ready\n")]byte
	if _, err := unix.Read(ends[0], said[:]); err != nil || string(said[:]) != "ready\n" {
		return 0, fmt.Errorf("the keeper of the box's %s is not ready: %q, %v", kept, said, err)
	}
	_, err = unix.FcntlInt(uintptr(ends[0]), unix.F_SETFD, 0) // the test inside inherits it
	return ends[0], err
}

// runKeeper ends the process if it is a keeper.
func runKeeper() {
	setting := os.Getenv(keeperEnv)
	if setting == "" {
		return
	}
	if err := keep(strings.Split(setting, ":")); err != nil {
		fmt.Fprintln(os.Stderr, "the box's keeper:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func keep(setting []string) error {
	kept, work, top := setting[0], setting[1], setting[2]
	obey := orderNetwork
	if kept == keptVolume {
		var err error
		if obey, err = serveVolume(work, top); err != nil {
			return err
		}
	}
	box := os.NewFile(3, "box")
	defer box.Close()
	if _, err := fmt.Fprintln(box, "ready"); err != nil {
		return err
	}
	orders := bufio.NewScanner(box)
	for orders.Scan() {
		if err := obey(orders.Text()); err != nil {
			return fmt.Errorf("%s: %w", orders.Text(), err)
		}
		if _, err := fmt.Fprintln(box, orders.Text()); err != nil {
			return err
		}
	}
	return orders.Err()
}
