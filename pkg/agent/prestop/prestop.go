// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package prestop delays the end of a source until its Replication has moved the
// role away. It is the database container's preStop hook.
package prestop

import (
	"context"
	"errors"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// MaxWait bounds the delay: a Replication that does not react must not use up
// the time the server needs to stop.
const MaxWait = 60 * time.Second

// Run returns as soon as the recorded role is not source, at the latest when ctx
// ends or maxWait has passed. It fails only if the role cannot be read; the
// kubelet then goes on with the stop, which is right.
func Run(ctx context.Context, store *state.Store, maxWait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	changed := state.Watch(ctx, store.Dir(), state.DesiredFile)
	waiting := false
	for {
		desired, err := store.Desired()
		if err != nil {
			return err
		}
		// A held source's server is down already: there is nothing to wait for.
		if desired == nil || desired.Role != engine.RoleSource || len(desired.Holds) > 0 {
			return nil
		}
		if !waiting {
			waiting = true
			klog.FromContext(ctx).Info("This is the source, waiting for the Replication to move the role", "atMost", maxWait)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				klog.FromContext(ctx).Info("The role has not moved, the server stops as the source", "waited", maxWait)
			}
			return nil
		case <-changed:
		}
	}
}
