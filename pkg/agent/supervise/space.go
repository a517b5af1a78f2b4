// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"cmp"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// leastSpace is what a server has to find free to start: a segment of PostgreSQL's
	// write-ahead log, MySQL's temporary tablespace.
	leastSpace = 16 << 20
	// spaceTimeout is how long the file system is asked: it may hang.
	spaceTimeout = time.Second
)

// withSpace adds to why the server does not run that its volume is full, if it is: the
// server says so in its log only, and by its exit status nothing at all.
func (s *supervisor) withSpace(message string) string {
	volume := make(chan *unix.Statfs_t, 1)
	go func() {
		var fs unix.Statfs_t
		if err := s.statfs()(s.Env.DataMount, &fs); err != nil {
			volume <- nil
			return
		}
		volume <- &fs
	}()
	select {
	case fs := <-volume:
		if fs == nil {
			return message
		}
		storage := cmp.Or(s.Env.DataStorage, "data")
		return message + noSpace(fs, storage, s.claimOf(storage))
	case <-time.After(spaceTimeout):
		return message
	}
}

func (s *supervisor) statfs() func(string, *unix.Statfs_t) error {
	if s.Statfs != nil {
		return s.Statfs
	}
	return unix.Statfs
}

// claimOf a storage; empty if it is on a volume without one.
func (s *supervisor) claimOf(storage string) string {
	desired, err := s.store.Desired()
	if err != nil || desired == nil || desired.ClaimUIDs[storage] == "" {
		return ""
	}
	return s.Env.Name + "-" + storage
}

// noSpace is what a volume lacks and what would end it; empty if it lacks nothing.
func noSpace(fs *unix.Statfs_t, storage, claim string) string {
	free, total := int64(fs.Bavail)*fs.Bsize, int64(fs.Blocks)*fs.Bsize //nolint:gosec // file systems are smaller
	var lack string
	switch {
	case total > 0 && free < leastSpace: // some file systems do not say their size
		lack = fmt.Sprintf("%d of %d bytes are free", free, total)
	case fs.Files > 0 && fs.Ffree == 0:
		lack = fmt.Sprintf("all of its %d inodes are used", fs.Files)
	default:
		return ""
	}
	remedy := "a larger volume, or less on it, ends that"
	if claim != "" {
		remedy = "a larger claim " + claim + ", or less on it, ends that"
	}
	return fmt.Sprintf("; no space is left on volume %s, %s: %s", storage, lack, remedy)
}
