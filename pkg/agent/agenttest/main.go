// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/supervise"
)

// roleVariable makes the test binary something else.
const roleVariable = "UNIT_AGENT_TEST_ROLE"

// Role runs as a process of its own in place of the tests.
type Role func(ctx context.Context, env engine.Env) int

// Main runs the tests, or the role this process was started for.
func Main(m *testing.M, roles map[string]Role) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	env, err := engine.EnvFromOS()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	if role == "server" {
		os.Exit(serverMain(env))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if role == "supervise" {
		os.Exit(superviseMain(ctx, env))
	}
	os.Exit(roles[role](ctx, env))
}

func superviseMain(ctx context.Context, env engine.Env) int {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP)
	return supervise.Run(ctx, supervise.Options{
		Env:      env,
		Engine:   NewEngine(env),
		Listener: Listen(env, "supervise", "probe"),
		Signals:  signals,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Statfs:   statfsOf(env),
	})
}

// statfsOf is the data volume's file system. The file full in the configuration directory
// makes it one of 4 GiB with as many bytes free as it says.
func statfsOf(env engine.Env) func(string, *unix.Statfs_t) error {
	return func(path string, fs *unix.Statfs_t) error {
		content, err := os.ReadFile(filepath.Join(env.ConfigDir, "full"))
		if err != nil {
			return unix.Statfs(path, fs)
		}
		free, err := strconv.ParseUint(string(content), 10, 64)
		fs.Bsize, fs.Blocks, fs.Bavail = 1, 4<<30, free
		return err
	}
}

// Listen listens on a free port and tells the test which.
func Listen(env engine.Env, role, name string) net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	path := filepath.Join(env.TmpDir, role+"-"+name)
	if err := os.WriteFile(path+".tmp", []byte(listener.Addr().String()), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		panic(err)
	}
	return listener
}
