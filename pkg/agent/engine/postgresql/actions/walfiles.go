// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Headers of WAL pages, as the server writes them in its own byte order. The first
// page of a file has the long one.
const (
	pageTimeline = 4
	pageAddress  = 8
	pageHeader   = 24
	pageSystem   = 24
)

// walFiles are those with the WAL between two positions, in a server's pg_wal.
type walFiles struct {
	dir      string
	system   uint64
	timeline int
	from, to lsn
	// fileSize and pageSize are the server's wal_segment_size and wal_block_size.
	fileSize, pageSize lsn
}

// errGap is what walFiles.archive fails with if any of the WAL is missing.
type errGap struct{ why string }

func (e errGap) Error() string { return e.why }

// archive writes the files as a tar, each as the server wants it in its pg_wal. Of the
// last one only what lies before the end is taken; zeros stand for the rest.
//
// The server may remove a file, or use it again under another name, while it is read:
// each page says where it belongs.
func (s walFiles) archive(ctx context.Context, to io.Writer) error {
	archive := tar.NewWriter(to)
	for start := s.from - s.from%s.fileSize; start < s.to; start += s.fileSize {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.add(archive, start); err != nil {
			return err
		}
	}
	return archive.Close()
}

// name of the file that begins at start.
func (s walFiles) name(start lsn) string {
	number, perID := start/s.fileSize, (1<<32)/s.fileSize
	return fmt.Sprintf("%08X%08X%08X", s.timeline, uint64(number/perID), uint64(number%perID))
}

func (s walFiles) add(archive *tar.Writer, start lsn) error {
	name := s.name(start)
	f, err := os.Open(filepath.Join(s.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return errGap{"the WAL file " + name + " is gone"}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(s.fileSize)}); err != nil {
		return err
	}
	content, page := bufio.NewReaderSize(f, 256<<10), make([]byte, s.pageSize)
	blank := false
	for at := start; at < start+s.fileSize; at += s.pageSize {
		if at < s.to {
			if _, err := io.ReadFull(content, page); err != nil {
				return fmt.Errorf("reading the WAL file %s: %w", name, err)
			}
			if why := s.foreign(page, at, &blank); why != "" {
				return errGap{fmt.Sprintf("the WAL file %s %s", name, why)}
			}
		}
		clear(page[min(s.pageSize, max(s.to, at)-at):])
		if _, err := archive.Write(page); err != nil {
			return err
		}
	}
	return nil
}

// foreign says why a page is not the one of that position; empty if it is. blank is
// kept from page to page: what follows a switch to the next file are zeros.
func (s walFiles) foreign(page []byte, at lsn, blank *bool) string {
	first := at%s.fileSize == 0
	address := lsn(binary.NativeEndian.Uint64(page[pageAddress:]))
	switch {
	case !first && allZero(page[:pageHeader]):
		*blank = true
	case *blank || address != at:
		return fmt.Sprintf("lacks the page of %s", at)
	case int64(binary.NativeEndian.Uint32(page[pageTimeline:])) > int64(s.timeline):
		return "is of a later timeline"
	case first && binary.NativeEndian.Uint64(page[pageSystem:]) != s.system:
		return "is of another server"
	}
	return ""
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
