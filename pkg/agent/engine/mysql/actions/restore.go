// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/sidedata"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// now is the time of records, as fine as that of manifests: they are compared.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// restore puts a backup back.
type restore struct{ unit }

// source is where backups are read.
type source struct {
	store backup.Store
	key   []byte
	// encrypted: no backup without encryption is read.
	encrypted bool
}

// Run implements operations.Action.
func (a restore) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.Restore](op)
	if err != nil {
		return nil, err
	}
	if phase, _ := op.Phase(); recovery(phase) == operations.RecoverAtOnce {
		return a.takeUp(ctx, op)
	}
	m, from, err := a.find(ctx, op, p)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Kind == backup.Logical && m.Type == operation.Incremental:
		return a.restoreReplayed(ctx, op, p, m, from)
	case m.Kind == backup.Logical:
		return a.restoreLogical(ctx, op, p, m, from)
	}
	return a.restorePhysical(ctx, op, p, m, from)
}

// find a backup that this unit can read.
func (u unit) find(ctx context.Context, op operations.Op, p *operation.Restore) (*backup.Manifest, source, error) {
	store, location, err := open(ctx, op, p.Source)
	if err != nil {
		return nil, source{}, err
	}
	from := source{store: store, encrypted: p.Encrypted}
	if from.key, err = backup.KeyFrom(op.Secrets()); err != nil {
		return nil, from, withReason(err)
	}
	m, err := backup.Find(ctx, store, location, u.scope(""))
	if err != nil {
		return nil, from, withReason(err)
	}
	if m.Engine != operation.MySQL {
		return nil, from, operations.Failed("WrongEngine", "the backup is of %s", m.Engine)
	}
	return m, from, withReason(errors.Join(m.CheckEncrypted(p.Encrypted), m.CheckKey(from.key)))
}

// Recover implements operations.Recoverer.
func (a restore) Recover(phase string) operations.Recovery { return recovery(phase) }

// Abandon implements operations.Abandoner.
func (a restore) Abandon(ctx context.Context, op operations.Op) error { return a.abandon(ctx, op) }

// recovery of actions that replace data.
func recovery(phase string) operations.Recovery {
	if phase == phaseReplace {
		return operations.RecoverAtOnce
	}
	return sidedata.Recovery(phase)
}

// takeUp what is recovered at once: all that it needs lies on the volume.
func (u unit) takeUp(ctx context.Context, op operations.Op) (map[string]string, error) {
	if phase, _ := op.Phase(); phase == phaseReplace {
		// A server that the statements came from is of no more use. If it cannot be
		// removed, the next operation does so.
		_ = u.clearSide()
		return u.replaceDatabases(ctx, op)
	}
	return u.side().Resume(ctx, op)
}

func (u unit) abandon(ctx context.Context, op operations.Op) error {
	switch phase, _ := op.Phase(); phase {
	case phaseLoad, phaseReplace:
		return u.abandonLoad(ctx, op)
	}
	return u.abandonReplace(ctx, op)
}

// chain of a backup: its full one, what continues it, itself the last. The key opens
// all of them.
func (s source) chain(ctx context.Context, m *backup.Manifest) ([]*backup.Manifest, error) {
	chain, err := backup.Chain(ctx, s.store, m)
	if err != nil {
		return nil, withReason(err)
	}
	for _, link := range chain {
		if err := errors.Join(link.CheckEncrypted(s.encrypted), link.CheckKey(s.key)); err != nil {
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
