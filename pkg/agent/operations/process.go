// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// killPatience is how long a killed process may take to vanish: one that hangs in the
// kernel does not listen.
const killPatience = 5 * time.Second

// killProcesses kills all processes of an operation, wherever they went, and returns
// when they are gone.
func killProcesses(id string) error {
	killed := map[int]bool{}
	// In a container the agent is PID 1, and inherits those that lost their parent. Of
	// others it hears nothing here.
	defer func() {
		for pid := range killed {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}()
	for deadline := time.Now().Add(killPatience); ; time.Sleep(10 * time.Millisecond) {
		pids, err := processesOf(id)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of operation %s do not end", pids, id)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("killing process %d of operation %s: %w", pid, id, err)
			}
			killed[pid] = true
		}
	}
}

// processesOf an operation, by the mark in their environment. The dead have none.
func processesOf(id string) ([]int, error) {
	entries, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	mark := []byte(markerVariable + "=" + id)
	var pids []int
	for _, path := range entries {
		environ, err := os.ReadFile(path)
		if err != nil {
			continue // gone, or another user's and so none of ours
		}
		for variable := range bytes.SplitSeq(environ, []byte{0}) {
			if bytes.Equal(variable, mark) {
				if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && pid != os.Getpid() {
					pids = append(pids, pid)
				}
				break
			}
		}
	}
	return pids, nil
}

// victimInterval is how often new processes of an operation are looked for: nothing
// tells of grandchildren.
const victimInterval = time.Second

// offerVictims makes the operation's processes the first to go when the container's
// memory ends, until ctx does: the agent itself is what the pod's readiness hangs on. It
// is best effort, memory that grows within a second is not seen.
func offerVictims(ctx context.Context, id string) {
	ticker := time.NewTicker(victimInterval)
	defer ticker.Stop()
	done := map[int]bool{}
	for {
		pids, _ := processesOf(id)
		for _, pid := range pids {
			if !done[pid] {
				done[pid] = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0) == nil
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// RemoveSecretFiles that SecretFile made for an operation. What runs operations does it.
func RemoveSecretFiles(env engine.Env, id string) error { return os.RemoveAll(secretDir(env, id)) }

// removeAllSecretFiles removes what an agent that was killed has left.
func removeAllSecretFiles(env engine.Env) error {
	dirs, err := filepath.Glob(filepath.Join(env.TmpDir, secretDirPrefix+"*"))
	for _, dir := range dirs {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
