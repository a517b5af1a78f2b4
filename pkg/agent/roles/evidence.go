// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/klog/v2"
)

// keepEvidence is how long errant transactions are kept.
const keepEvidence = 30 * 24 * time.Hour

// makeRoom removes the evidence of earlier epochs that is too old, and the oldest until
// the rest is no larger than most. What the epoch of dir has stays.
func makeRoom(ctx context.Context, root, dir string, most int64) error {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	type epoch struct {
		path string
		at   time.Time
		size int64
	}
	var kept []epoch
	var total int64
	for _, entry := range entries {
		e := epoch{path: filepath.Join(root, entry.Name())}
		if e.path == dir {
			continue
		}
		if e.size, e.at, err = sizeAndTime(e.path); err != nil {
			return err
		}
		kept, total = append(kept, e), total+e.size
	}
	slices.SortFunc(kept, func(a, b epoch) int { return a.at.Compare(b.at) })
	for _, e := range kept {
		if total <= most && time.Since(e.at) < keepEvidence {
			break
		}
		klog.FromContext(ctx).Info("Evidence of errant transactions is removed to make room", "path", e.path, "of", e.at.UTC(), "bytes", e.size)
		if err := os.RemoveAll(e.path); err != nil {
			return fmt.Errorf("removing old evidence: %w", err)
		}
		total -= e.size
	}
	return nil
}

// sizeAndTime of what lies below path: all bytes, and the youngest change.
func sizeAndTime(path string) (size int64, at time.Time, err error) {
	err = filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if entry.Type().IsRegular() {
			size += info.Size()
		}
		if info.ModTime().After(at) {
			at = info.ModTime()
		}
		return nil
	})
	return size, at, err
}
