// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sidedata

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// places are the data directory and what is alongside it.
type places struct {
	data, side string
	// rename and exchange are the kernel's.
	rename   func(from, to string) error
	exchange func(one, other string) error
	// sync makes the names in a directory durable, syncAll all that is on its file system.
	sync, syncAll func(dir string) error
}

func (m Machine) at() places {
	if m.places != nil {
		return *m.places
	}
	return places{
		data: m.Env.DataDir(), side: m.Env.SideDir("replace"), rename: os.Rename, sync: m.Files.SyncDir, syncAll: syncFilesystem,
		exchange: func(one, other string) error {
			return unix.Renameat2(unix.AT_FDCWD, one, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE)
		},
	}
}

// newData is where the new data is made, and where the old is after the exchange.
func (p places) newData() string { return filepath.Join(p.side, "data") }

// parked is where one of the two waits on file systems that cannot exchange them.
func (p places) parked() string { return filepath.Join(p.side, "parked") }

// swap the data directory and the one alongside. No server runs.
func (p places) swap() error {
	err := p.exchange(p.data, p.newData())
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = p.swapInSteps()
	}
	if err != nil {
		return fmt.Errorf("exchanging %s and %s: %w", p.data, p.newData(), err)
	}
	return errors.Join(p.sync(filepath.Dir(p.data)), p.sync(p.side))
}

// swapInSteps leaves what swapped understands, wherever it ends.
func (p places) swapInSteps() error {
	for _, r := range [][2]string{{p.data, p.parked()}, {p.newData(), p.data}, {p.parked(), p.newData()}} {
		if err := p.rename(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

// swapped says whether the directory with the inode is the data directory. An exchange in
// steps that was interrupted is undone after its first step, and ended after its second.
func (p places) swapped(newInode uint64) (bool, error) {
	for _, place := range []string{p.data, p.newData()} {
		_, err := os.Lstat(place)
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		// Nothing is parked where the new data was removed already.
		if err := p.rename(p.parked(), place); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		break
	}
	is, err := inode(p.data)
	return is == newInode, err
}

func inode(path string) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return stat.Ino, nil
}

// syncFilesystem makes everything in dir durable: the rename must not be before it.
func syncFilesystem(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
