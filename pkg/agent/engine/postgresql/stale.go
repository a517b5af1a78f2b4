// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// clearStale removes what a server that was killed left in the way of the next:
// postmaster.pid and the socket's lock file name a process of a former container,
// and where another process of this container has that number now the server
// refuses to start.
//
// Supervise holds the lock on the data volume, which a living server of another
// container would hold; those of this container are looked for.
func (e *Engine) clearStale(ctx context.Context) error {
	if pid, err := processIn(e.env.DataDir()); err != nil {
		return err
	} else if pid != 0 {
		return fmt.Errorf("process %d still works in %s", pid, e.env.DataDir())
	}
	if err := place.ClearSocket(ctx, e.socketPath(), e.socketPath()+".lock"); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(e.env.DataDir(), "postmaster.pid"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// processIn returns a living process whose working directory is dir, as that of
// every PostgreSQL process is its data directory; 0 if there is none.
func processIn(dir string) (int, error) {
	want, err := os.Stat(dir)
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// A process that ended meanwhile, or another user's, is none of ours.
		if got, err := os.Stat(filepath.Join("/proc", entry.Name(), "cwd")); err == nil && os.SameFile(want, got) {
			return pid, nil
		}
	}
	return 0, nil
}
