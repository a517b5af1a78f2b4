// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"io"
	"os"
	"regexp"
	"slices"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

const reasonChain = backup.ReasonChain

// base is the backup that an incremental one continues: the newest of this server at
// the destination.
func (t *taking) base(ctx context.Context) (*backup.Manifest, error) {
	all, _, err := backup.List(ctx, t.store, t.location)
	if err != nil {
		return nil, withReason(err)
	}
	scope := t.scope(backup.Physical)
	for _, m := range all {
		if m.Scope != scope || m.SystemID != t.observed.SystemID || continued(all, m) {
			continue
		}
		if m.Properties[propertyLineage] != t.lineage {
			return nil, operations.Failed(reasonChain, "the server was restored or cloned since the newest backup at the destination, or that is one of another copy of it: take a full backup")
		}
		if _, err := backup.Chain(ctx, t.store, m); err != nil {
			return nil, operations.Failed(reasonChain, "%w: take a full backup", err)
		}
		return m, nil
	}
	return nil, operations.Failed(reasonChain, "there is no backup of this server at the destination to continue: take a full backup")
}

// continued tells whether a backup that began in the same second continues m: the
// order of the list does not say which of the two is the newer.
func continued(all []*backup.Manifest, m *backup.Manifest) bool {
	return slices.ContainsFunc(all, func(next *backup.Manifest) bool {
		return next.Base != nil && next.Base.ID == m.ID && next.Created.Equal(m.Created)
	})
}

// changes takes the pages that have changed since the base, of which the server has
// kept account.
func (t *taking) changes(ctx context.Context) (map[string]string, error) {
	var summaries string
	if err := t.conn.QueryRow(ctx, "SELECT current_setting('summarize_wal')").Scan(&summaries); err != nil {
		return nil, err
	}
	if summaries != "on" {
		return nil, operations.Failed(reasonChain, "summarize_wal is off, so that the server does not know what has changed since a backup: set it on with set-variable, then take a full backup")
	}
	base, err := t.base(ctx)
	if err != nil {
		return nil, err
	}
	t.d.base = base.AsBase()
	path, err := t.baseManifest(ctx, base)
	if err != nil {
		return nil, err
	}
	if _, err := t.hold(ctx); err != nil {
		return nil, err
	}
	w, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }()
	if err := t.copy(ctx, w, "--incremental="+path); err != nil {
		if ctx.Err() == nil {
			err = brokenChain(err)
		}
		return nil, err
	}
	return t.complete(ctx, w)
}

// baseManifest writes the server's manifest of a backup to a file for pg_basebackup.
func (t *taking) baseManifest(ctx context.Context, m *backup.Manifest) (path string, err error) {
	k, err := backup.KeyFrom(t.op.Secrets())
	if err != nil {
		return "", withReason(err)
	}
	r, err := m.Open(ctx, t.store, manifestFile, k)
	if err != nil {
		return "", withReason(err)
	}
	defer r.Close()
	path, err = operations.SecretFile(t.Env, t.op, manifestFile, nil)
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, r)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return path, withReason(err)
}

// gap are the server's words for a base that it cannot continue.
var gap = regexp.MustCompile(`WAL summar|timeline \d+ .*(history|manifest)|not in this server's history|system identifier|manifest requires WAL|could not parse backup manifest`)

// brokenChain gives the failure its reason if what is missing is between the base and
// now.
func brokenChain(err error) error {
	if gap.MatchString(err.Error()) {
		return operations.Failed(reasonChain, "the server cannot continue the backup: take a full backup: %w", err)
	}
	return err
}
