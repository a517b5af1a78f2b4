// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Names of lock files.
const (
	// SuperviseLock in the state directory is held by a living supervise.
	SuperviseLock = "supervise.lock"
	// ServerLock in the state directory is held by supervise and inherited by its
	// server, like DataLock; asking for it does not touch the data volume.
	ServerLock = "server.lock"
	// DataLock in the agent's directory on the data volume is held by supervise
	// and inherited by its server: it is free only when both are gone.
	DataLock = "lock"
)

// lockRetry is how often Lock tries: a blocking lock call cannot be given up.
const lockRetry = 250 * time.Millisecond

// Lock takes the exclusive lock on the file at path, making the file if needed,
// and waits for it until ctx ends; waiting is called once before a wait. The lock
// belongs to the open file: it is freed when the file and every copy of it that a
// child inherited are closed.
//
// Open-file-description locks are used because others can ask for them without
// taking them (Locked), and because they work between containers.
func Lock(ctx context.Context, path string, waiting func()) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	for first := true; ; first = false {
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(lockRetry):
		}
	}
}

// Locked says whether somebody holds the lock at path. It takes nothing, so a
// reader that dies or hangs never stands in the way of the holder.
func Locked(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false, fmt.Errorf("asking for the lock on %s: %w", path, err)
	}
	return lock.Type != unix.F_UNLCK, nil
}
