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

// phaseLoad: a logical restore has begun to change the server.
const phaseLoad = "load"

// now is the time of records.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// restore puts a backup back.
type restore struct{ unit }

// source is where backups are read.
type source struct {
	store backup.Store
	key   []byte
}

// Run implements operations.Action.
func (a restore) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.Restore](op)
	if err != nil {
		return nil, err
	}
	if phase, _ := op.Phase(); recoverReplace(phase) == operations.RecoverAtOnce {
		// All that is needed lies on the volume.
		return a.replace(ctx, op, nil)
	}
	store, location, err := open(ctx, op, p.Source)
	if err != nil {
		return nil, err
	}
	from := source{store: store}
	if from.key, err = backup.KeyFrom(op.Secrets()); err != nil {
		return nil, withReason(err)
	}
	m, err := backup.Find(ctx, store, location, a.scope(""))
	if err != nil {
		return nil, withReason(err)
	}
	if m.Engine != operation.MySQL {
		return nil, operations.Failed("WrongEngine", "the backup is of %s", m.Engine)
	}
	if err := m.CheckKey(from.key); err != nil {
		return nil, withReason(err)
	}
	switch {
	case m.Kind == backup.Logical && m.Type == operation.Incremental:
		return a.restoreReplayed(ctx, op, p, m, from)
	case m.Kind == backup.Logical:
		return a.restoreLogical(ctx, op, p, m, from)
	}
	return a.restorePhysical(ctx, op, p, m, from)
}

// Recover implements operations.Recoverer.
func (a restore) Recover(phase string) operations.Recovery { return recoverReplace(phase) }

// Abandon implements operations.Abandoner. A logical restore leaves what it has loaded:
// there is no way back from there.
func (a restore) Abandon(ctx context.Context, op operations.Op) error {
	return a.abandonReplace(ctx, op)
}

// chain of a backup: its full one, what continues it, itself the last. The key opens
// all of them.
func (s source) chain(ctx context.Context, m *backup.Manifest) ([]*backup.Manifest, error) {
	chain, err := backup.Chain(ctx, s.store, m)
	if err != nil {
		return nil, withReason(err)
	}
	for _, link := range chain {
		if err := link.CheckKey(s.key); err != nil {
			return nil, withReason(err)
		}
	}
	return chain, nil
}

func sizeOf(chain []*backup.Manifest) int64 {
	var size int64
	for _, link := range chain {
		size += link.Size()
	}
	return size
}

// open a file of a backup; what is read of it is checked as it comes, the sum at its
// end.
func (s source) open(ctx context.Context, m *backup.Manifest, name string) (io.ReadCloser, error) {
	r, err := m.Open(ctx, s.store, name, s.key)
	return r, withReason(err)
}

// verify reads a file of a backup to its end.
func (s source) verify(ctx context.Context, op operations.Op, m *backup.Manifest, name string) error {
	r, err := s.open(ctx, m, name)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(&reporter{op: op, text: "reading the backup through before anything is replaced", total: fileSize(m, name)}, r)
	return withReason(err)
}
