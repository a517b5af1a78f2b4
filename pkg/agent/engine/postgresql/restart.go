// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// RestartFor implements engine.Replicator. A primary becomes a standby by a restart
// only, whatever record it started with: one without a role is a primary too. A
// standby becomes a primary by pg_promote, and changes its upstream by a reload
// unless it is a PostgreSQL 12.
func (e *Engine) RestartFor(from, to engine.RoleRecord) bool {
	if !standby(from.Role) {
		return standby(to.Role)
	}
	if !e.upstreamAtStartOnly() {
		return false
	}
	return upstreamSettings(e.roleSettings(from.Role, from)) != upstreamSettings(e.roleSettings(to.Role, to))
}

// upstreamAtStartOnly is true of a version that reads primary_conninfo at its start.
func (e *Engine) upstreamAtStartOnly() bool {
	_, major, err := parseVersion(e.env.Version)
	return err == nil && major < 13
}

func upstreamSettings(settings []setting) (upstream [2]string) {
	for _, s := range settings {
		switch s.name {
		case "primary_conninfo":
			upstream[0] = s.value
		case "primary_slot_name":
			upstream[1] = s.value
		}
	}
	return upstream
}

// stopPlan is how a server is stopped. A fast shutdown (SIGINT) drops the clients,
// sends the rest of the WAL to the standbys and writes a checkpoint; an immediate one
// (SIGQUIT) leaves all that to crash recovery. Either ends the commits that wait for a
// standby with a lost connection and acknowledges none, so no question is asked of
// the server before. synchronous_standby_names is not touched: made shorter, it
// acknowledges them.
func stopPlan(reason engine.StopReason) []engine.StopStep {
	switch reason {
	case engine.StopFence:
		return []engine.StopStep{
			{Signal: syscall.SIGINT, Wait: 3 * time.Second},
			{Signal: syscall.SIGQUIT, Wait: 2 * time.Second},
		}
	case engine.StopRestart:
		// A walsender whose standby has died holds a fast shutdown up for
		// wal_sender_timeout, 30 s in the packages; Close has ended those it saw.
		return []engine.StopStep{
			{Signal: syscall.SIGINT, Wait: 40 * time.Second},
			{Signal: syscall.SIGQUIT, Wait: 5 * time.Second},
		}
	default:
		// With the 60 s of preStop within the pod's grace period of 600 s.
		return []engine.StopStep{
			{Signal: syscall.SIGINT, Wait: 510 * time.Second},
			{Signal: syscall.SIGQUIT, Wait: 20 * time.Second},
		}
	}
}

// StopPlan implements engine.Engine.
func (e *Engine) StopPlan(_ context.Context, reason engine.StopReason, _ engine.Start) []engine.StopStep {
	return stopPlan(reason)
}

// NeedsRole implements engine.Engine: without a role it is unknown whether the server
// would be one primary too many.
func (e *Engine) NeedsRole() bool { return true }
