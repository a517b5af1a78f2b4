// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"io"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// destination is where a backup goes and what it is.
type destination struct {
	address     string
	compression operation.Compression
	// parallel threads; 0 leaves it to the agent.
	parallel   int
	encryption operation.Encryption
	retention  time.Duration
	kind       backup.Kind
	backupType operation.BackupType
	base       *backup.Base
	// verify is nil if nothing is to be compared.
	verify *summing
}

// withReason gives a failure of the store its reason for status.
func withReason(err error) error {
	if reason := backup.ReasonOf(err); reason != "" {
		return operations.Failed(reason, "%w", err)
	}
	return err
}

// open a location with the credentials of the operation.
func open(ctx context.Context, op operations.Op, address string) (backup.Store, backup.Location, error) {
	location, err := backup.ParseLocation(address)
	if err != nil {
		return nil, location, withReason(err)
	}
	creds, err := backup.CredentialsFrom(op.Secrets())
	if err != nil {
		return nil, location, withReason(err)
	}
	store, err := backup.Open(ctx, location, creds)
	return store, location, withReason(err)
}

// scope of this unit's backups; of any kind if kind is empty.
func (u unit) scope(kind backup.Kind) backup.Scope {
	set := u.Env.Set
	if set == "" {
		set = u.Env.Name
	}
	return backup.Scope{Cluster: u.Env.Lookup("UNIT_CLUSTER_UID"), Namespace: u.Env.Namespace, Set: set, Kind: kind}
}

// key of a backup that is to be encrypted.
func key(op operations.Op) ([]byte, error) {
	k, err := backup.KeyFrom(op.Secrets())
	if err == nil && k == nil {
		return nil, operations.Failed(backup.ReasonKey, "the backup is to be encrypted and there is no key")
	}
	return k, withReason(err)
}

// create begins a backup in the store.
func (u unit) create(ctx context.Context, op operations.Op, store backup.Store, location backup.Location, d destination) (*backup.Writer, error) {
	if location.Bucket == "" && u.Env.Owns("/"+location.Folder+location.Name) {
		return nil, operations.Failed(operation.ReasonUnsafeDestination, "%s is in a directory of the server's or the agent's own: backups go to a storage of their own, or to S3", location)
	}
	var k []byte
	if d.encryption != "" {
		var err error
		if k, err = key(op); err != nil {
			return nil, err
		}
	}
	w, err := backup.Create(ctx, backup.CreateOptions{
		Store: store, Location: location, Compression: d.compression, Parallel: d.parallel, Key: k,
		Meta: backup.Meta{
			Scope: u.scope(d.kind), Unit: u.Env.Name, Type: d.backupType, Base: d.base, Engine: operation.PostgreSQL,
			Properties: map[string]string{},
		},
	})
	return w, withReason(err)
}

// commit makes the backup exist.
func (u unit) commit(ctx context.Context, op operations.Op, w *backup.Writer, d destination) (*backup.Manifest, map[string]string, error) {
	if d.verify != nil {
		if err := d.verify.write(ctx, op, u, w); err != nil {
			return nil, nil, withReason(err)
		}
	}
	m, err := w.Commit(ctx)
	if err != nil {
		return nil, nil, withReason(err)
	}
	result := map[string]string{
		"location": m.Location().String(),
		"message":  "backup " + m.Location().String() + " is complete",
	}
	if what := m.Properties[propertyLeftOut]; what != "" {
		tellLeftOut(result, []string{what})
	}
	return m, result, nil
}

// finish verifies a backup that exists, then prunes what its retention has outlived.
func (u unit) finish(ctx context.Context, op operations.Op, store backup.Store, m *backup.Manifest, d destination, result map[string]string) (map[string]string, error) {
	if d.verify != nil {
		k, err := backup.KeyFrom(op.Secrets())
		if err == nil {
			result["verified"], err = u.verifyBackup(ctx, op, source{store: store, manifest: m, key: k})
		}
		if err != nil {
			return nil, operations.Failed(operations.ReasonOf(withReason(err)), "%s, but was not verified: %w", result["message"], err)
		}
		result["message"] += "; it was verified: " + result["verified"]
	}
	if d.retention > 0 {
		if _, err := backup.Prune(ctx, backup.PruneOptions{
			Store: store, Location: m.Location(), Scope: m.Scope, Unit: u.Env.Name, Retention: d.retention, Now: time.Now(),
		}); err != nil {
			// The backup is there; that older ones are too is no reason to take it
			// again.
			result["message"] += "; backups past their retention were not all removed: " + err.Error()
		}
	}
	return result, nil
}

// file writes one file of a backup by what fill writes; it is in the backup only if
// fill returns nil.
func file(w *backup.Writer, name string, fill func(io.Writer) error) error {
	f, err := w.File(name)
	if err != nil {
		return withReason(err)
	}
	if err := fill(f); err != nil {
		f.Fail(err)
		return withReason(err)
	}
	return withReason(f.Close())
}

// reporter tells how many bytes went through.
type reporter struct {
	op          operations.Op
	text        string
	done, total int64
	reported    time.Time
}

func (r *reporter) Write(p []byte) (int, error) {
	r.done += int64(len(p))
	if now := time.Now(); now.Sub(r.reported) > time.Second/2 {
		r.reported = now
		r.op.Progress(r.text, r.done, r.total)
	}
	return len(p), nil
}
