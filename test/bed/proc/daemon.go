// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// A Daemon is a process that outlives the command which started it. It is known by a pid file, and
// its output goes to a log file that is appended to.
type Daemon struct {
	// Name is unique in Dir.
	Name string
	// Dir holds pid/NAME and log/NAME.log.
	Dir string
	// NetNS is the path of the network namespace to run in; empty means this process's own.
	NetNS string
	// Argv is the program and its arguments; Env is added to the environment.
	Argv []string
	Env  []string
}

// PIDFile and LogFile are where the daemon's id and output are.
func (d Daemon) PIDFile() string { return filepath.Join(d.Dir, "pid", d.Name) }
func (d Daemon) LogFile() string { return filepath.Join(d.Dir, "log", d.Name+".log") }

// Start starts the daemon unless it runs already.
func (d Daemon) Start() error {
	if d.Running() {
		return nil
	}
	for _, path := range []string{d.PIDFile(), d.LogFile()} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(d.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	argv := d.Argv
	if d.NetNS != "" {
		// nsenter, not "ip netns exec": the latter's private mount namespace would hide the kubelet's
		// mounts from containerd.
		argv = append([]string{"nsenter", "--net=" + d.NetNS}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = d.Dir
	cmd.Env = append(os.Environ(), d.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", d.Name, err)
	}
	go cmd.Wait() // reaps it, should it end while this command still runs
	s, err := readStat(cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("%s ended at once, see %s: %w", d.Name, d.LogFile(), err)
	}
	return os.WriteFile(d.PIDFile(), fmt.Appendf(nil, "%d %d\n", cmd.Process.Pid, s.startTime), 0o644)
}

// PID returns the daemon's process id, or 0 if it does not run.
func (d Daemon) PID() int {
	data, err := os.ReadFile(d.PIDFile())
	if err != nil {
		return 0
	}
	var pid int
	var start uint64
	if _, err := fmt.Sscan(string(data), &pid, &start); err != nil {
		return 0
	}
	if s, err := readStat(pid); err != nil || s.startTime != start || !s.running() {
		return 0
	}
	return pid
}

// Since is when the daemon was last started; zero if it never was.
func (d Daemon) Since() time.Time {
	info, err := os.Stat(d.PIDFile())
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Running tells whether the daemon runs.
func (d Daemon) Running() bool { return d.PID() != 0 }

// Ended returns nil while the daemon runs, and an error that shows the end of its log otherwise.
func (d Daemon) Ended() error {
	if d.Running() {
		return nil
	}
	return fmt.Errorf("%s does not run; the end of %s:\n%s", d.Name, d.LogFile(), tailOf(d.LogFile(), 15))
}

// Stop asks the daemon to end, kills it after grace, and returns once it is gone.
func (d Daemon) Stop(ctx context.Context, grace time.Duration) error {
	if err := d.signalAndWait(ctx, syscall.SIGTERM, grace); err != nil {
		if err := d.signalAndWait(ctx, syscall.SIGKILL, 10*time.Second); err != nil {
			return err
		}
	}
	if err := os.Remove(d.PIDFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Kill ends the daemon as a crash would.
func (d Daemon) Kill(ctx context.Context) error {
	return d.signalAndWait(ctx, syscall.SIGKILL, 10*time.Second)
}

func (d Daemon) signalAndWait(ctx context.Context, signal syscall.Signal, timeout time.Duration) error {
	pid := d.PID()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending %s: %w", d.Name, err)
	}
	return Poll(ctx, timeout, 20*time.Millisecond, func(context.Context) (bool, error) {
		if d.Running() {
			return false, fmt.Errorf("%s (process %d) still runs", d.Name, pid)
		}
		return true, nil
	})
}

// Names returns the names of the daemons that have a pid file in dir, running or not.
func Names(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	slices.Sort(names)
	return names, err
}
