// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/sidedata"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// restore brings back a backup of either kind. Its phases are those of exchanging
// databases or of package sidedata.
type restore struct{ unit }

var (
	_ operations.Abandoner = restore{}
	_ operations.Recoverer = restore{}
)

// Run implements operations.Action.
func (a restore) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	if phase, _ := op.Phase(); phase != "" {
		return a.conclude(ctx, op)
	}
	p, err := params[*operation.Restore](op)
	if err != nil {
		return nil, err
	}
	if err := a.noStandby(ctx); err != nil {
		return nil, err
	}
	from, err := a.find(ctx, op, p)
	if err != nil {
		return nil, err
	}
	if from.manifest.Kind == backup.Logical {
		return a.logical(ctx, op, p, from)
	}
	return a.physical(ctx, op, p, from)
}

// find a backup that this unit can read.
func (u unit) find(ctx context.Context, op operations.Op, p *operation.Restore) (source, error) {
	store, location, err := open(ctx, op, p.Source)
	if err != nil {
		return source{}, err
	}
	m, err := backup.Find(ctx, store, location, u.scope(""))
	if err != nil {
		return source{}, withReason(err)
	}
	if m.Engine != operation.PostgreSQL {
		return source{}, operations.Failed("WrongEngine", "the backup %s is one of %s", m.Location(), m.Engine)
	}
	k, err := backup.KeyFrom(op.Secrets())
	if err == nil {
		err = errors.Join(m.CheckEncrypted(p.Encrypted), m.CheckKey(k))
	}
	return source{store: store, manifest: m, key: k, encrypted: p.Encrypted}, withReason(err)
}

// source is a backup to read.
type source struct {
	store    backup.Store
	manifest *backup.Manifest
	key      []byte
	// encrypted: no backup without encryption is read.
	encrypted bool
}

// noStandby fails on a server that follows another: what is restored there is not
// what the other has.
func (u unit) noStandby(ctx context.Context) error {
	_, err := os.Stat(filepath.Join(u.Env.DataDir(), standbySignal))
	switch {
	case err == nil:
		return operations.Failed("Standby", "this server is a standby: the operation is one for the primary")
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	return ctx.Err()
}

// conclude continues from a phase that an agent has left.
func (a restore) conclude(ctx context.Context, op operations.Op) (map[string]string, error) {
	if phase, _ := op.Phase(); phase != phaseDrop {
		return a.side().Resume(ctx, op)
	}
	result, err := a.dropReplaced(ctx, op)
	if err == nil {
		result["message"] = "complete: what was left to do when the agent ended was to remove the old" + result["message"]
	}
	return result, err
}

// Recover implements operations.Recoverer.
func (a restore) Recover(phase string) operations.Recovery { return recovery(phase) }

func recovery(phase string) operations.Recovery {
	if phase == phaseDrop {
		return operations.RecoverAtOnce
	}
	return sidedata.Recovery(phase)
}

// Abandon implements operations.Abandoner.
func (a restore) Abandon(ctx context.Context, op operations.Op) error { return a.abandon(ctx, op) }

func (u unit) abandon(ctx context.Context, op operations.Op) error {
	switch phase, _ := op.Phase(); phase {
	case phaseLoad, phaseExchange:
		return u.giveUpDatabases(ctx, op)
	case phaseDrop:
		if _, err := u.dropReplaced(ctx, op); err != nil {
			return err
		}
		return operations.Failed(operation.ReasonTooLate, "what was restored is in its place already, and stays")
	}
	return u.side().Abandon(ctx, op)
}
