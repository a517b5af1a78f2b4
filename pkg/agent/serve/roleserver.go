// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"path/filepath"

	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/roles"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// newRoles makes the manager of roles; nil for an engine whose servers have none.
func newRoles(env engine.Env, eng engine.Engine, store *state.Store, keeper *state.Keeper, manager *operations.Manager) *roles.Manager {
	replicator, ok := eng.(engine.Replicator)
	if !ok {
		return nil
	}
	return roles.New(roles.Options{
		Engine: replicator, Keeper: keeper, Channel: store.Channel, Server: roleServer{env: env, store: store},
		Operations: manager, Clock: clock.RealClock{},
	})
}

// roleServer is what supervise says, for roles. Like a fence it reads nothing on the
// data volume.
type roleServer struct {
	env   engine.Env
	store *state.Store
}

// Look implements roles.Server.
func (s roleServer) Look() (roles.Look, error) {
	supervised, err := state.Locked(filepath.Join(s.env.StateDir, state.SuperviseLock))
	if err != nil {
		return roles.Look{}, err
	}
	observed, err := s.store.Observed()
	if err != nil {
		return roles.Look{}, err
	}
	if !supervised || observed == nil || observed.PodUID != s.env.PodUID {
		return roles.Look{Message: "the database container has not started"}, nil
	}
	look := roles.Look{
		Running: observed.State == state.StateRunning, Start: observed.Start, Order: observed.RestartOrder,
		Stopped: observed.StopProof != nil, Message: observed.Message,
	}
	if observed.StartRecord != nil {
		look.Record = *observed.StartRecord
	}
	return look, nil
}

// Changed implements roles.Server.
func (s roleServer) Changed(ctx context.Context) <-chan struct{} {
	return state.Watch(ctx, s.env.StateDir, state.ObservedFile)
}
