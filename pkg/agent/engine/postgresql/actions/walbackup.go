// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// walFile is the file of an incremental backup that is the WAL since its base, which
// is what there is before the server itself knows what has changed.
const walFile = "wal.tar"

// propertyIncremental in a manifest says what an incremental backup is made of if that
// is not pages: incrementalWAL.
const (
	propertyIncremental = "incremental"
	incrementalWAL      = "wal"
)

// commitWithSlot makes a full backup exist, and the server keep what incremental ones
// that continue it will need.
func (t *taking) commitWithSlot(ctx context.Context, w *backup.Writer, temporary string) (map[string]string, error) {
	slot := slotFor(t.conn, t.store, t.location)
	end, made, err := t.takeSlot(ctx, w, slot, temporary)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	m, result, commitErr := t.commit(ctx, w)
	switch {
	case commitErr != nil:
		if made {
			commitErr = withCleanup(commitErr, slot.drop(context.WithoutCancel(ctx)))
		}
		return nil, commitErr
	case err == nil:
		err = slot.advance(ctx, end)
	}
	if err != nil {
		// It is a good backup.
		result["message"] += "; no incremental one can continue it: " + err.Error()
	}
	return t.finish(ctx, t.op, t.store, m, t.d, result)
}

// takeSlot makes the slot of the destination keep the WAL since the end of the backup.
func (t *taking) takeSlot(ctx context.Context, w *backup.Writer, slot walSlot, temporary string) (end lsn, made bool, err error) {
	if err := slot.bounded(ctx); err != nil {
		return 0, false, err
	}
	if end, err = parseLSN(w.Meta.StopLSN); err != nil {
		return 0, false, err
	}
	made, err = slot.take(ctx, temporary, end)
	return end, made, err
}

// wal takes the write-ahead log since the base.
func (t *taking) wal(ctx context.Context) (map[string]string, error) {
	slot := slotFor(t.conn, t.store, t.location)
	m, result, err := t.walSince(ctx, slot)
	if operations.ReasonOf(err) == reasonChain {
		// Nothing will continue that chain.
		err = withCleanup(err, slot.drop(ctx))
	}
	if err != nil {
		return nil, err
	}
	return t.finish(ctx, t.op, t.store, m, t.d, result)
}

func (t *taking) walSince(ctx context.Context, slot walSlot) (*backup.Manifest, map[string]string, error) {
	if err := slot.bounded(ctx); err != nil {
		return nil, nil, err
	}
	base, err := t.base(ctx)
	if err != nil {
		return nil, nil, err
	}
	t.d.base = base.AsBase()
	since, err := parseLSN(base.StopLSN)
	if err != nil {
		return nil, nil, operations.Failed(reasonChain, "the backup %s does not say where it ends: %w: take a full backup", base.Location(), err)
	}
	if err := t.kept(ctx, slot, since); err != nil {
		return nil, nil, err
	}
	files, err := t.walFiles(ctx, base, since)
	if err != nil {
		return nil, nil, err
	}
	w, err := t.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = w.Abort() }()
	w.Meta.StartLSN, w.Meta.StopLSN, w.Meta.Timeline = base.StopLSN, files.to.String(), files.timeline
	w.Meta.Tool = "write-ahead log"
	w.Meta.Properties[propertyIncremental] = incrementalWAL
	progress := &reporter{op: t.op, text: "storing the write-ahead log", total: int64(files.to - files.from)}
	if err := file(w, walFile, func(to io.Writer) error { return files.archive(ctx, io.MultiWriter(to, progress)) }); err != nil {
		if gap, ok := errors.AsType[errGap](err); ok {
			return nil, nil, operations.Failed(reasonChain, "%w: take a full backup", gap)
		}
		return nil, nil, err
	}
	// Asked again after the files were read: what was removed meanwhile is missing.
	if err := t.kept(ctx, slot, since); err != nil {
		return nil, nil, err
	}
	m, result, err := t.commit(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	result["base"] = base.Name()
	if err := slot.advance(ctx, files.to); err != nil {
		// The slot keeps more than it must, and the next one moves it.
		result["message"] += "; the server could not be given the position up to which it need not keep WAL: " + err.Error()
	}
	return m, result, nil
}

// kept fails unless the server has kept all WAL since the position.
func (t *taking) kept(ctx context.Context, slot walSlot, since lsn) error {
	why, err := slot.lacks(ctx, since)
	if err == nil && why != "" {
		err = operations.Failed(reasonChain, "%s: take a full backup", why)
	}
	return err
}

// walFiles are those from the end of the base to now.
func (t *taking) walFiles(ctx context.Context, base *backup.Manifest, since lsn) (files walFiles, err error) {
	files = walFiles{dir: filepath.Join(t.Env.DataDir(), "pg_wal"), timeline: base.Timeline, from: since}
	if files.system, err = strconv.ParseUint(t.observed.SystemID, 10, 64); err != nil {
		return files, fmt.Errorf("the system identifier %q: %w", t.observed.SystemID, err)
	}
	var fileSize, pageSize int64
	const sizes = "SELECT pg_size_bytes(current_setting('wal_segment_size')), current_setting('wal_block_size')::bigint"
	if err := t.conn.QueryRow(ctx, sizes).Scan(&fileSize, &pageSize); err != nil {
		return files, err
	}
	files.fileSize, files.pageSize = lsn(fileSize), lsn(pageSize)
	if files.to, err = t.end(ctx, files.fileSize); err != nil {
		return files, err
	}
	// Asked after the end is known: up to there it is this timeline's.
	timeline, err := t.server().Timeline(ctx)
	switch {
	case err != nil:
		return files, err
	case timeline != base.Timeline:
		return files, operations.Failed(reasonChain, "the server is on timeline %d and the newest backup at the destination is of timeline %d: take a full backup", timeline, base.Timeline)
	case files.to < files.from:
		return files, operations.Failed("StandbyBehind", "this standby has come to %s and the newest backup at the destination ends at %s: it has to catch up first", files.to, files.from)
	}
	return files, nil
}

// end is up to where the backup goes: all that is committed now. A standby cannot
// close a file; it has what it has replayed.
func (t *taking) end(ctx context.Context, fileSize lsn) (lsn, error) {
	var standby bool
	if err := t.conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
		return 0, err
	}
	query := "SELECT pg_switch_wal()::text"
	if standby {
		query = "SELECT coalesce(pg_last_wal_replay_lsn(), '0/0')::text"
	}
	var text string
	if err := t.conn.QueryRow(ctx, query).Scan(&text); err != nil {
		return 0, err
	}
	at, err := parseLSN(text)
	if err != nil || standby {
		return at, err
	}
	// The rest of the file that the switch has closed is empty.
	return (at + fileSize - 1) / fileSize * fileSize, nil
}
