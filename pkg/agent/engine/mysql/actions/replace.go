// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/sidedata"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// side replaces the data directory by one that is made alongside it.
func (u unit) side() sidedata.Machine {
	return sidedata.Machine{
		Deps:      u.Deps,
		SystemID:  func(dir string) (string, error) { return mysql.ServerUUID(filepath.Join(dir, "auto.cnf")) },
		TakeAlong: u.keepPersisted,
		Record: func(note json.RawMessage) error {
			var r restored
			if err := json.Unmarshal(note, &r); err != nil {
				return err
			}
			r.At = now()
			return u.recordRestored(r)
		},
	}
}

func (u unit) sideData() string { return u.side().Data() }

func (u unit) clearSide() error { return u.side().Clear() }

// built is what a build says of the data it made.
type built struct {
	restored restored
	result   map[string]string
}

// replace puts the data that build makes in the place of the unit's.
func (u unit) replace(ctx context.Context, op operations.Op, r room, build func(ctx context.Context, data string) (built, error)) (map[string]string, error) {
	return u.side().Run(ctx, op, sidedata.Plan{Room: r.Check, Build: func(ctx context.Context) (sidedata.Made, error) {
		b, err := build(ctx, u.sideData())
		return sidedata.Made{Result: b.result, Note: b.restored}, r.Filled(err)
	}})
}

// abandonReplace cleans up after a run that did not come to its end.
func (u unit) abandonReplace(ctx context.Context, op operations.Op) error {
	if err := os.RemoveAll(u.privateDir(op)); err != nil {
		return err
	}
	if phase, _ := op.Phase(); sidedata.Recovery(phase) != operations.RecoverAtOnce {
		// CLONE writes there.
		if err := u.endClones(ctx); err != nil {
			return err
		}
		return errors.Join(u.clearSide(), u.clearLoad())
	}
	return u.side().Abandon(ctx, op)
}

// keepPersisted takes what SET PERSIST recorded along: it is the unit's, not the
// data's.
func (u unit) keepPersisted() error {
	const name = "mysqld-auto.cnf"
	to := filepath.Join(u.sideData(), name)
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(u.Env.DataDir(), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return u.Files.WriteFile(to, content, 0o640)
}
