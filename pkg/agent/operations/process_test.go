// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/journal"
)

// family is a shell with children: two in its process group, one that left it.
const family = `sleep 300 & echo $!; sleep 300 & echo $!; setsid sleep 300 & echo $!; echo $$; wait`

// readFamily reads the pids that the shell tells.
func readFamily(t *testing.T, cmd *exec.Cmd) []int {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return nil
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return nil
	}
	var pids []int
	scanner := bufio.NewScanner(out)
	for len(pids) < 4 && scanner.Scan() {
		pid, err := strconv.Atoi(scanner.Text())
		if err != nil {
			t.Error(err)
			return nil
		}
		pids = append(pids, pid)
	}
	return pids
}

// alive says whether a process is there and no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func noneAlive(t *testing.T, pids []int) {
	t.Helper()
	if len(pids) != 4 {
		t.Fatalf("pids %v", pids)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d lives on", pid)
		}
	}
}

func TestCancelKillsAllProcessesWhereverTheyWent(t *testing.T) {
	families := make(chan []int, 1)
	var cleaned []int
	b := newBench(t, &script{
		run: func(ctx context.Context, op Op) (map[string]string, error) {
			cmd := Command(ctx, op, "/bin/sh", "-c", family)
			pids := readFamily(t, cmd)
			families <- pids
			return nil, cmd.Wait()
		},
		abandon: func(context.Context, Op) error {
			pids := <-families
			families <- pids
			for _, pid := range pids {
				if !alive(pid) {
					cleaned = append(cleaned, pid)
				}
			}
			return nil
		},
	})
	b.mustStart("op-1")
	pids := <-families
	for _, pid := range pids {
		if !alive(pid) {
			t.Errorf("process %d does not live", pid)
		}
	}
	families <- pids
	if _, err := b.m.Cancel(t.Context(), "op-1", b.journalID()); err != nil {
		t.Fatal(err)
	}
	b.await("op-1", journal.Cancelled)
	noneAlive(t, pids)
	if len(cleaned) != 4 {
		t.Errorf("cleaned up while some lived: %v were gone", cleaned)
	}
	v, err := b.m.Cancel(t.Context(), "op-1", b.journalID())
	if err != nil || v.State != journal.Cancelled {
		t.Errorf("cancelled again: %+v, %v", v, err)
	}
}

func TestProcessesEndWithTheirOperationAndWithTheAgent(t *testing.T) {
	for _, restart := range []bool{false, true} {
		families := make(chan []int, 1)
		b := newBench(t, &script{run: func(ctx context.Context, op Op) (map[string]string, error) {
			// A process that nobody waits for.
			pids := readFamily(t, Command(context.WithoutCancel(ctx), op, "/bin/sh", "-c", family))
			families <- pids
			if restart {
				<-ctx.Done()
			}
			return nil, ctx.Err()
		}})
		b.mustStart("op-1")
		pids := <-families
		if restart {
			b.end()
		} else {
			b.await("op-1", journal.Succeeded)
		}
		noneAlive(t, pids)
	}
}

func TestProcessesThatOutlivedAKilledAgentAreEnded(t *testing.T) {
	started := make(chan Op, 1)
	b := newBench(t, &script{run: endless(started)})
	b.mustStart("op-1")
	op := <-started
	b.end()
	cmd := Command(context.Background(), op, "/bin/sh", "-c", family)
	pids := readFamily(t, cmd)
	b.start()
	b.await("op-1", journal.Failed)
	_ = cmd.Wait()
	noneAlive(t, pids)
}

func TestAnotherOperationsProcessesLive(t *testing.T) {
	started := make(chan Op, 1)
	b := newBench(t, &script{run: endless(started)})
	b.mustStart("op-1")
	op := <-started
	cmd := Command(t.Context(), op, "/bin/sh", "-c", "exec sleep 300")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := killProcesses("op-11"); err != nil {
		t.Fatal(err)
	}
	if err := killProcesses("op"); err != nil {
		t.Fatal(err)
	}
	if !alive(cmd.Process.Pid) {
		t.Error("it was killed")
	}
	if err := killProcesses("op-1"); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if alive(cmd.Process.Pid) {
		t.Error("it lives on")
	}
}

func TestSecretFilesAreTheAgentsAloneAndGoWithTheRun(t *testing.T) {
	var paths []string
	var b *bench
	b = newBench(t, &script{run: func(_ context.Context, op Op) (map[string]string, error) {
		for range 2 {
			path, err := SecretFile(b.unit.Env, op, "my.cnf", []byte("password=swordfish"))
			if err != nil {
				return nil, err
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 || !strings.HasPrefix(path, b.unit.Env.TmpDir) {
				t.Errorf("%s: %v, %v", path, info, err)
			}
			paths = append(paths, path)
		}
		return nil, nil
	}})
	b.mustStart("op-1")
	b.await("op-1", journal.Succeeded)
	if len(paths) != 2 {
		t.Fatalf("paths %q", paths)
	}
	if _, err := os.Stat(filepath.Dir(paths[0])); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}

	left := filepath.Join(b.unit.Env.TmpDir, secretDirPrefix+"op-0")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	b.restart()
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed agent left is still there: %v", err)
	}
}
