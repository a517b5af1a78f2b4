// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// initializeEnv names the file that holds the engine.Start of a process that
// does nothing but initialise.
const initializeEnv = "UNIT_AGENT_ENGINETEST_INITIALIZE"

// initialize is what that process does.
func initialize(newEngine func(engine.Env) engine.Engine, startFile string) error {
	content, err := os.ReadFile(startFile)
	if err != nil {
		return err
	}
	var start engine.Start
	if err := json.Unmarshal(content, &start); err != nil {
		return err
	}
	env, err := engine.EnvFromOS()
	if err != nil {
		return err
	}
	accounts, err := engine.LoadAccounts(env)
	if err != nil {
		return err
	}
	e := newEngine(env)
	if err := e.Prepare(context.Background(), start); err != nil {
		return err
	}
	return e.Initialize(context.Background(), start, accounts)
}

// spawnInitialize starts a process that initialises.
func (b *Box) spawnInitialize(t *testing.T, start engine.Start) *exec.Cmd {
	t.Helper()
	content, err := json.Marshal(start)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(BoxDir, "start.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{initializeEnv + "=" + file}
	for name, value := range b.Vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// CrashInitialize kills the agent and all it started at random moments of
// Initialize, rounds times and until one was hit, and leaves a complete database that was
// made after the last crash. After every crash there is nothing or a whole database.
func (b *Box) CrashInitialize(t *testing.T, e engine.Engine, start engine.Start, rounds int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	env := b.Env(t)

	begun := time.Now()
	if err := b.spawnInitialize(t, start).Wait(); err != nil {
		t.Fatal(err)
	}
	takes := time.Since(begun)

	crashed := 0
	for round := 0; round < rounds || crashed == 0; round++ {
		if err := os.RemoveAll(env.DataDir()); err != nil {
			t.Fatal(err)
		}
		agent := b.spawnInitialize(t, start)
		begun, ended := time.Now(), make(chan error, 1)
		go func() { ended <- agent.Wait() }()
		delay := time.Duration(random.Int64N(int64(takes)))
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("initialising without a crash: %v", err)
			}
			// The machine is less busy than when it was measured: the next crash comes earlier.
			takes = time.Since(begun)
			t.Logf("complete after %v, before a crash at %v", takes, delay)
			continue
		case <-time.After(delay):
		}
		Crash(t)
		if <-ended != nil {
			crashed++
		} else {
			// It was quicker than the one that was measured.
			takes = delay
		}
		data, err := e.Inspect(t.Context())
		if err != nil || (data.State != engine.DataNone && data.State != engine.DataComplete) {
			t.Fatalf("killed after %v of %v: %+v, %v", delay, takes, data, err)
		}
		t.Logf("killed after %v of %v: data %s", delay, takes, data.State)
		if data.State == engine.DataComplete {
			continue
		}
		if err := b.spawnInitialize(t, start).Wait(); err != nil {
			t.Fatalf("initialising after a crash: %v", err)
		}
	}
	if data, err := e.Inspect(t.Context()); err != nil || data.State != engine.DataComplete {
		t.Fatalf("in the end: %+v, %v", data, err)
	}
}

// Crash kills every process in the box but the test, as the end of a pod does, and waits
// until they are gone: nothing of a pod that has ended runs beside the next one.
func Crash(t *testing.T) {
	t.Helper()
	if os.Getpid() != 1 {
		t.Fatal("a crash needs a process namespace of its own")
	}
	killed := processes(t)
	if err := syscall.Kill(-1, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		left := processes(t)
		maps.DeleteFunc(left, func(pid int, _ []byte) bool {
			// The box's keeper is another user's, and stays.
			return killed[pid] == nil || errors.Is(syscall.Kill(pid, 0), syscall.EPERM)
		})
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("killed and not gone: %q", slices.Collect(maps.Values(left)))
		}
	}
}

// BesideData lists what is in the agent's directory on the data volume, except
// the names given.
func BesideData(t *testing.T, env engine.Env, except ...string) []string {
	t.Helper()
	entries, err := os.ReadDir(env.AgentDir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if !slices.Contains(except, entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// runInitialize ends the process if it is one that initialises.
func runInitialize(newEngine func(engine.Env) engine.Engine) {
	startFile := os.Getenv(initializeEnv)
	if startFile == "" {
		return
	}
	if err := initialize(newEngine, startFile); err != nil {
		fmt.Fprintln(os.Stderr, "initialising:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
