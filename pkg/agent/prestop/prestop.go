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

// operatorPatience is how long after the operator's last call it still counts on
// coming: a role that nobody moves is not waited for.
const operatorPatience = 30 * time.Second

// Run returns as soon as this is not the source of a Replication that could move the
// role away: it has another role, no owner, a hold that has its server down, or no
// operator has called for a while; at the latest when ctx ends or maxWait has passed. It
// fails only if the role cannot be read; the kubelet then goes on with the stop, which is
// right.
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
		if desired == nil || !movable(*desired) {
			return nil
		}
		called, err := store.LastOperatorCall()
		if err != nil {
			return err
		}
		patience := operatorPatience - time.Since(called)
		if patience <= 0 {
			klog.FromContext(ctx).Info("This is the source, but no operator calls: the server stops as the source", "lastCall", called)
			return nil
		}
		if !waiting {
			waiting = true
			klog.FromContext(ctx).Info("This is the source, waiting for the Replication to move the role", "atMost", maxWait)
		}
		timer := time.NewTimer(patience)
		select {
		case <-ctx.Done():
			timer.Stop()
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				klog.FromContext(ctx).Info("The role has not moved, the server stops as the source", "waited", maxWait)
			}
			return nil
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// movable says whether this is a source whose role somebody may move.
func movable(d state.Desired) bool {
	record := d.EffectiveRecord()
	// A held source's server is down already: there is nothing to wait for.
	return d.Role == engine.RoleSource && d.OwnerUID != "" && !record.Released && len(d.Holds) == 0
}
