// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/upmio/unit-operator/pkg/agent/operations"
)

const (
	// spoolLook is after how many bytes the room that is left is looked at.
	spoolLook = 8 << 20
	// spoolReserve is what stays free: the server writes to the same file system.
	spoolReserve = 64 << 20
	// spoolWindow and one worker: the agent has little memory.
	spoolWindow = 4 << 20
)

// loadDir is the side directory of statements that are to be loaded.
const loadDir = "load"

func (u unit) spoolFile() string { return filepath.Join(u.Env.SideDir(loadDir), "dump.sql.zst") }

func (u unit) clearSpool() error {
	if err := os.RemoveAll(u.Env.SideDir(loadDir)); err != nil {
		return fmt.Errorf("removing the dump: %w", err)
	}
	return nil
}

// spool lays the statements of the plan beside the data. When it returns nil they are
// whole and durable.
func (l *load) spool(ctx context.Context, op operations.Op) error {
	if err := l.clearSpool(); err != nil {
		return err
	}
	if err := os.MkdirAll(l.Env.SideDir(loadDir), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.spoolFile(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	room := roomFor(l.total, l.Env.DataMount, "a larger data storage, on which the dump lies beside the databases that it replaces, or targetDatabase, which replaces none")
	z, err := zstd.NewWriter(&roomWriter{to: f, room: room}, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(spoolWindow),
		zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return err
	}
	err = l.filter(ctx, op, z, "reading the dump through before anything is replaced")
	if err := errors.Join(err, z.Close()); err != nil {
		return room.filled(err)
	}
	if err := f.Sync(); err != nil {
		return room.filled(err)
	}
	return errors.Join(l.Files.SyncDir(filepath.Dir(l.spoolFile())), l.Files.SyncDir(l.Env.AgentDir()))
}

// roomWriter fails before it has taken the room that the server needs.
type roomWriter struct {
	to      io.Writer
	room    room
	written int64
}

func (w *roomWriter) Write(p []byte) (int, error) {
	before := w.written
	w.written += int64(len(p))
	if before/spoolLook != w.written/spoolLook {
		have, err := free(w.room.dir)
		if err != nil {
			return 0, err
		}
		if have < spoolReserve {
			return 0, operations.Failed(reasonSpace, "only %d bytes were left on the file system of %s when %d bytes of the dump had been laid there: %s",
				have, w.room.dir, before, w.room.instead)
		}
	}
	return w.to.Write(p)
}

// spooled are the statements that lie beside.
func (u unit) spooled(op operations.Op) (io.ReadCloser, error) {
	f, err := os.Open(u.spoolFile())
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	progress := &reporter{op: op, text: "loading", total: info.Size()}
	z, err := zstd.NewReader(progress.reading(f), zstd.WithDecoderMaxWindow(spoolWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return spooledStatements{z.IOReadCloser(), f}, nil
}

type spooledStatements struct {
	io.ReadCloser
	file *os.File
}

func (s spooledStatements) Close() error { return errors.Join(s.ReadCloser.Close(), s.file.Close()) }
