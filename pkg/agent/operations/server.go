// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// NewServer is the Server of an agent.
func NewServer(env engine.Env, eng engine.Engine, store *state.Store, files state.Files, desired DesiredWriter, c clock.Clock) Server {
	return &server{env: env, engine: eng, store: store, files: files, desired: desired, clock: c}
}

type server struct {
	env     engine.Env
	engine  engine.Engine
	store   *state.Store
	files   state.Files
	desired DesiredWriter
	clock   clock.Clock
}

func (s *server) StopServer(ctx context.Context, op Op) error {
	r, err := mine(op)
	if err != nil {
		return err
	}
	// The record first: whoever finds the hold after a crash finds whose it is.
	if err := r.write(func(rec *journal.Record) { rec.Held, rec.Released = true, false }); err != nil {
		return err
	}
	if err := r.m.setHold(ctx, op.ID(), true); err != nil {
		return err
	}
	return s.await(ctx, s.down)
}

func (s *server) StartServer(ctx context.Context, op Op) error {
	r, err := mine(op)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// From here on clients may write: an agent that finds this keeps the server running.
	if err := r.write(func(rec *journal.Record) { rec.Released = rec.Held }); err != nil {
		return err
	}
	before, err := s.observed()
	if err != nil {
		return err
	}
	var others state.Desired
	if err := s.desired.ChangeDesired(ctx, func(d *state.Desired) {
		// Where others hold the server, the operation's own hold stays: once they let it go
		// it must not run on what the operation is about to take back.
		if others = d.SetHold(state.HoldOperationPrefix+op.ID(), false); len(others.Holds) == 0 {
			*d = others
		}
	}); err != nil {
		return err
	}
	if len(others.Holds) > 0 {
		if err := r.write(func(rec *journal.Record) { rec.Released = false }); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s", ErrHeld, others.HoldList())
	}
	if err := s.await(ctx, func(ctx context.Context) (bool, error) { return s.up(ctx, before) }); err != nil {
		return err
	}
	return r.write(func(rec *journal.Record) { rec.Held, rec.Released = false, false })
}

func (s *server) ReplaceIdentity(ctx context.Context, _ Op, systemID string) error {
	if systemID == "" {
		return errors.New("the new database has no system id")
	}
	identity, err := state.ReadIdentity(s.env.AgentDir())
	if err != nil {
		return err
	}
	next := state.DataIdentity{SystemID: systemID}
	if identity != nil {
		next.ClaimUIDs, next.DataGeneration = identity.ClaimUIDs, identity.DataGeneration
		next.Replaced = append(slices.Clone(identity.Replaced), identity.SystemID)
	}
	desired, err := s.store.Desired()
	if err != nil {
		return err
	}
	if desired != nil && desired.PodUID == s.env.PodUID {
		if desired.Expected != nil {
			next.DataGeneration = max(next.DataGeneration, desired.Expected.DataGeneration)
			next.Replaced = append(next.Replaced, desired.Expected.SystemID)
		}
		if len(desired.ClaimUIDs) > 0 {
			next.ClaimUIDs = desired.ClaimUIDs
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	next.DataGeneration++
	slices.Sort(next.Replaced)
	next.Replaced = slices.Compact(next.Replaced)
	return state.WriteIdentity(s.files, s.env.AgentDir(), next)
}

// mine is op if a manager made it.
func mine(op Op) (*run, error) {
	if r, ok := op.(*run); ok {
		return r, nil
	}
	return nil, fmt.Errorf("operation %s is none of this agent's", op.ID())
}

// down says whether no server runs and none will start. The hold is on disk: supervise
// says that it starts one before it looks at the holds for the last time.
func (s *server) down(context.Context) (bool, error) {
	supervised, err := state.Locked(filepath.Join(s.env.StateDir, state.SuperviseLock))
	if err != nil {
		return false, err
	}
	if !supervised {
		locked, err := state.Locked(filepath.Join(s.env.StateDir, state.ServerLock))
		return !locked, err
	}
	observed, err := s.observed()
	if err != nil || observed == nil {
		return false, err
	}
	switch observed.State {
	case state.StateWaiting, state.StateHeld, state.StateDataMissing, state.StateFailed:
		return true, nil
	}
	return false, nil
}

// up says whether the server answers; it fails if an attempt to start it has failed since
// what was observed before. The node's clock may have been set meanwhile, so times are
// compared for being the same only.
func (s *server) up(ctx context.Context, before *state.Observed) (bool, error) {
	observed, err := s.observed()
	if err != nil || observed == nil {
		return false, err
	}
	switch observed.State {
	case state.StateRunning:
		return s.engine.Check(ctx) == nil, nil
	case state.StateDataMissing, state.StateFailed:
		if before == nil || !observed.Since.Equal(before.Since) {
			return false, fmt.Errorf("%w: %s", ErrNotStarted, observed.Message)
		}
	}
	return false, nil
}

func (s *server) observed() (*state.Observed, error) {
	observed, err := s.store.Observed()
	if err != nil || observed == nil || observed.PodUID != s.env.PodUID {
		return nil, err
	}
	return observed, nil
}
