// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/state"
)

// record is what supervise tells: observed.json for serve, and a copy in memory
// for the probes.
type record struct {
	mu       sync.Mutex
	store    *state.Store // nil until the state directory is ours
	observed state.Observed
	// earlier is what an earlier supervise of this pod told last; nil if there was none.
	earlier *state.Observed
	// failed is the error of the last write; nil if what is on disk is current.
	failed error
}

func newRecord(podUID string) *record {
	return &record{observed: state.Observed{PodUID: podUID, State: state.StateWaiting, Since: time.Now().UTC()}}
}

// open takes up what an earlier supervise of this pod knew of the data. From here
// on changes are written to the store.
func (r *record) open(store *state.Store) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.store = store
	earlier, err := store.Observed()
	if err != nil {
		return err
	}
	if earlier != nil && earlier.PodUID == r.observed.PodUID {
		r.earlier = earlier
		r.observed.SystemID, r.observed.StopProof = earlier.SystemID, earlier.StopProof
	}
	return nil
}

func (r *record) get() state.Observed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.observed
}

func (r *record) set(ctx context.Context, s state.ServerState, message string) {
	r.update(ctx, func(o *state.Observed) { o.State, o.Message = s, message })
}

// setServer tells of a server that was started, or of none.
func (r *record) setServer(ctx context.Context, s state.ServerState, message string, p *process) {
	r.update(ctx, func(o *state.Observed) {
		o.State, o.Message = s, message
		o.PID, o.RunningConfigHash, o.Start, o.StartRecord = 0, "", "", nil
		if p != nil {
			o.PID, o.RunningConfigHash, o.Start = p.cmd.Process.Pid, p.start.ConfigHash, p.name
			o.StartRecord, o.RestartOrder = &p.start.Record, p.order
		}
	})
}

// setProof tells that the server is down, or that it may no longer be. It is on disk if
// it returns nil.
func (r *record) setProof(ctx context.Context, proof *state.StopProof) error {
	r.update(ctx, func(o *state.Observed) { o.StopProof = proof })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *record) setSystemID(ctx context.Context, id string) {
	r.update(ctx, func(o *state.Observed) { o.SystemID = id })
}

// commit is set that must be on disk before what it tells may happen.
func (r *record) commit(ctx context.Context, s state.ServerState, message string) error {
	r.set(ctx, s, message)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// update writes what changed. A write that fails is logged and tried again with
// the next change: the server's life does not depend on it.
func (r *record) update(ctx context.Context, change func(*state.Observed)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.observed
	change(&r.observed)
	if r.observed == before && r.failed == nil {
		return
	}
	if r.observed.State != before.State || r.observed.Message != before.Message {
		r.observed.Since = time.Now().UTC()
		klog.FromContext(ctx).Info("State", "state", r.observed.State, "message", r.observed.Message)
	}
	if r.store == nil {
		return
	}
	if r.failed = r.store.WriteObserved(r.observed); r.failed != nil {
		klog.FromContext(ctx).Error(r.failed, "The state cannot be recorded")
	}
}

func sameIdentity(a, b state.DataIdentity) bool {
	return a.SystemID == b.SystemID && a.DataGeneration == b.DataGeneration && a.Virgin == b.Virgin &&
		a.HighestVersion == b.HighestVersion &&
		maps.Equal(a.ClaimUIDs, b.ClaimUIDs)
}
