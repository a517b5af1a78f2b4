// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// ofWAL is true of an incremental backup that is the WAL since its base.
func ofWAL(m *backup.Manifest) bool { return m.Properties[propertyIncremental] == incrementalWAL }

// endOf is where the recovery of a chain has to come to, 0 if the backup does not say.
// It fails if the WAL of one link does not begin where the one before ends.
func endOf(chain []*backup.Manifest) (lsn, error) {
	for i, link := range chain[1:] {
		before := chain[i]
		switch {
		case ofWAL(link) != ofWAL(chain[len(chain)-1]):
			return 0, operations.Failed(reasonChain, "the chain of %s is made of WAL and of changed pages: no server makes such a chain", link.Location())
		case ofWAL(link) && (link.StartLSN != before.StopLSN || link.Timeline != before.Timeline):
			return 0, operations.Failed(reasonChain, "the backup %s begins at %s of timeline %d, and %s, which it continues, ends at %s of timeline %d",
				link.Location(), link.StartLSN, link.Timeline, before.Name(), before.StopLSN, before.Timeline)
		}
	}
	last := chain[len(chain)-1]
	if last.StopLSN == "" {
		return 0, nil
	}
	end, err := parseLSN(last.StopLSN)
	if err != nil {
		return 0, operations.Failed(backup.ReasonManifest, "the manifest of %s: %w", last.Location(), err)
	}
	return end, nil
}

// unpackWithWAL makes the data directory of a full backup, with the WAL of those that
// continue it where the server looks for it. A later link has more of the file that
// the one before it may have ended in.
func (from source) unpackWithWAL(ctx context.Context, chain []*backup.Manifest, data string, progress io.Writer) error {
	if err := from.unpack(ctx, chain[0], baseFile, data, progress); err != nil {
		return err
	}
	for _, link := range chain[1:] {
		if err := from.unpack(ctx, link, walFile, filepath.Join(data, "pg_wal"), progress); err != nil {
			return fmt.Errorf("the WAL of %s: %w", link.Name(), err)
		}
	}
	return nil
}
