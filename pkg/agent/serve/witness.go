// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// timelineDelay is how long after a change of the role the timeline is asked for: a
// promotion has begun a new one by then.
const timelineDelay = 10 * time.Second

// witness writes the role to the data volume whenever it has changed, in a goroutine of
// its own that may hang there: it is in nobody's way.
func witness(ctx context.Context, env engine.Env, eng engine.Engine, store *state.Store, keeper *state.Keeper, files state.Files) {
	changed := state.Watch(ctx, store.Dir(), state.DesiredFile)
	var written state.Witness
	if w, err := state.ReadWitness(env.AgentDir()); err == nil && w != nil {
		written = *w
	}
	var later <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-later:
			later = nil
		}
		d, err := keeper.Desired()
		record := d.EffectiveRecord()
		if err != nil || record.Role == "" {
			continue
		}
		next := state.Witness{Header: written.Header, ReplicationUID: record.ReplicationUID, Epoch: record.Epoch, Role: record.Role, Timeline: timelineOf(ctx, eng)}
		if next == written {
			continue
		}
		if next.Role != written.Role || next.Epoch != written.Epoch {
			later = time.After(timelineDelay)
		}
		if err := state.WriteWitness(files, env.AgentDir(), next); err != nil {
			klog.FromContext(ctx).Error(err, "The role is not noted on the data volume")
			continue
		}
		written = next
	}
}

// timelineOf a PostgreSQL, 0 if it does not tell.
func timelineOf(ctx context.Context, eng engine.Engine) int64 {
	r, ok := eng.(engine.Replicator)
	if !ok {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	observed, err := r.ObserveReplication(ctx)
	switch {
	case err != nil || observed.PostgreSQL == nil:
		return 0
	case observed.PostgreSQL.Timeline != 0:
		return observed.PostgreSQL.Timeline
	case observed.PostgreSQL.Control != nil:
		return observed.PostgreSQL.Control.Timeline
	}
	return 0
}
