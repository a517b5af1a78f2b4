// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

const (
	// stopWait and closeWait are what the packages' grace period leaves next to the
	// preStop hook: flushing a large buffer pool takes its time.
	stopWait = 524 * time.Second
	// closeWait is for statements that run.
	closeWait = 5 * time.Second
	// fenceCloseWait and fenceStopWait bound a fence: another server may wait to be
	// opened.
	fenceCloseWait = time.Second
	fenceStopWait  = 5 * time.Second
)

// StopPlan implements engine.Engine. A server that shuts down acknowledges every
// commit that waits for an acknowledgement, though nobody else has it: so a managed
// server is closed first, after which none waits. If that fails it is killed, except
// that one without semi-synchronous replication has all the time it needs but in a fence.
func (e *Engine) StopPlan(ctx context.Context, reason engine.StopReason, start engine.Start) []engine.StopStep {
	if !start.Managed {
		return stopSteps(reason, nil)
	}
	wait := closeWait
	if reason == engine.StopFence {
		wait = fenceCloseWait
	}
	closeContext, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := e.Close(closeContext)
	if err != nil && reason != engine.StopFence && e.waitsForNobody(ctx) {
		err = nil
	}
	return stopSteps(reason, err)
}

// waitsForNobody is true of a server whose commits are acknowledged without replicas: a
// shutdown, which ends what holds its close up, takes nothing from them.
func (e *Engine) waitsForNobody(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, fenceCloseWait)
	defer cancel()
	db, err := e.control()
	if err != nil {
		return false
	}
	o, err := observe(ctx, db)
	return err == nil && !o.SemiSync.SourceEnabled && o.SemiSync.WaitingSessions == 0
}

// stopSteps are the signals for a server that was closed, or could not be.
func stopSteps(reason engine.StopReason, closeErr error) []engine.StopStep {
	switch {
	case closeErr != nil:
		// SIGKILL follows.
		return nil
	case reason == engine.StopFence:
		return []engine.StopStep{{Signal: syscall.SIGTERM, Wait: fenceStopWait}}
	}
	return []engine.StopStep{{Signal: syscall.SIGTERM, Wait: stopWait}}
}
