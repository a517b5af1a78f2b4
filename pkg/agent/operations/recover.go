// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Open reads the journal and takes care of what an earlier agent left. Operations end
// with ctx. It comes before anybody can ask for a start of the server: what an
// interrupted operation keeps down stays down, in a new pod too.
func (m *Manager) Open(ctx context.Context) {
	m.mu.Lock()
	m.spawn = func(do func(context.Context)) { m.workers.Go(func() { do(ctx) }) }
	m.ended = ctx.Err
	m.mu.Unlock()
	if err := m.load(ctx); err != nil {
		klog.FromContext(ctx).Error(err, "Operations cannot be served yet")
	}
}

// Run does what is due until ctx ends and all that works has come to rest.
func (m *Manager) Run(ctx context.Context) {
	defer m.workers.Wait()
	for {
		timer := m.clock.NewTimer(m.tend(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-m.kick:
			timer.Stop()
		case <-timer.C():
		}
	}
}

// Ready reads the journal if that has not been done.
func (m *Manager) Ready(ctx context.Context) error { return m.load(ctx) }

// loadedAlready says whether there is nothing to load.
func (m *Manager) loadedAlready() (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.ended == nil:
		return false, errors.New("the agent has just started")
	case m.ended() != nil:
		return false, errors.New("the agent ends")
	}
	return m.journalID != "", nil
}

// load reads the journal, once.
func (m *Manager) load(ctx context.Context) error {
	if loaded, err := m.loadedAlready(); loaded || err != nil {
		return err
	}
	m.loading.Lock()
	defer m.loading.Unlock()
	if loaded, err := m.loadedAlready(); loaded || err != nil {
		return err
	}
	agentDir := m.opts.Env.AgentDir()
	if err := journal.Ensure(m.opts.Files, agentDir); err != nil {
		return err
	}
	id, err := journal.ID(agentDir)
	if err != nil {
		return err
	}
	records, damaged, err := journal.List(agentDir)
	if err != nil {
		return err
	}
	for id, d := range damaged {
		klog.FromContext(ctx).Error(d.Err, "The record of an operation is lost", "operation", id)
	}
	if err := m.restoreHolds(ctx, records); err != nil {
		return err
	}
	if err := removeAllSecretFiles(m.opts.Env); err != nil {
		return err
	}
	if err := journal.Ballast(m.opts.Files, agentDir); err != nil {
		klog.FromContext(ctx).Error(err, "No room can be kept for records")
	}
	ops := make(map[string]*run, len(records))
	for _, rec := range records {
		r := &run{m: m, record: rec}
		if err := r.settle(ctx); err != nil {
			return err
		}
		ops[rec.ID] = r
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.journalID, m.ops, m.damaged = id, ops, damaged
	for _, r := range ops {
		m.takeUp(r)
	}
	m.tick()
	return nil
}

// restoreHolds makes the holds of operations those of operations that are not over.
func (m *Manager) restoreHolds(ctx context.Context, records []journal.Record) error {
	wanted := map[string]bool{}
	for _, r := range records {
		if r.Held && !r.Released && !r.State.Final() {
			wanted[state.HoldOperationPrefix+r.ID] = true
		}
	}
	return m.opts.Desired.ChangeDesired(ctx, func(d *state.Desired) {
		for _, hold := range d.Holds {
			if strings.HasPrefix(hold, state.HoldOperationPrefix) && !wanted[hold] {
				*d = d.SetHold(hold, false)
			}
		}
		for _, hold := range slices.Sorted(maps.Keys(wanted)) {
			*d = d.SetHold(hold, true)
		}
	})
}

// settle finds what the end of an earlier agent has made of r. What it makes of the
// record it would make of it again, so a full volume does not matter.
func (r *run) settle(ctx context.Context) error {
	rec := r.record
	if rec.State.Final() {
		if rec.Held {
			// Its hold has just been cleared.
			r.try(ctx, func(rec *journal.Record) { rec.Held, rec.Released = false, false })
		}
		return nil
	}
	if err := killProcesses(rec.ID); err != nil {
		return err
	}
	r.action = r.m.opts.Actions[rec.Action]
	if r.action != nil {
		var err error
		if r.params, err = operation.DecodeCanonical(rec.Action, rec.Parameters); err != nil {
			r.action = nil
		}
	}
	if r.recovery() == RecoverWithSecrets && rec.State == journal.Running {
		r.try(ctx, func(rec *journal.Record) {
			rec.State, rec.InterruptedAt = journal.Interrupted, r.m.clock.Now().UTC()
		})
	}
	return nil
}

// try changes the record on disk if that can be, in memory in any case.
func (r *run) try(ctx context.Context, change func(*journal.Record)) {
	if err := r.write(change); err != nil {
		klog.FromContext(ctx).Error(err, "A record lags behind", "operation", r.record.ID)
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		change(&r.record)
	}
}

// recovery of a run that was interrupted.
func (r *run) recovery() Recovery {
	if r.forwardOnly() {
		return RecoverAtOnce
	}
	if a, ok := r.action.(Recoverer); ok && !r.record.CancelRequested && r.record.State != journal.Cancelling {
		switch recovery := a.Recover(r.record.Phase); recovery {
		case RecoverWithSecrets, RecoverAtOnce:
			return recovery
		}
	}
	return RecoverByAbandon
}

// takeUp begins with what needs nobody's secrets. The caller has m.mu.
func (m *Manager) takeUp(r *run) {
	switch {
	case r.record.State.Final():
	case r.action == nil:
		m.work(r, func(ctx context.Context) {
			r.finish(ctx, outcome{
				state: journal.Failed, reason: ReasonUnsupported,
				message: "the agent ended while the operation ran, and this agent does not know such an operation: nothing was cleaned up",
			})
		})
	case r.record.State == journal.Interrupted:
	case r.recovery() == RecoverAtOnce:
		m.work(r, r.run)
	default:
		m.work(r, r.abandon)
	}
}

// tend does what is due and returns when to look again.
func (m *Manager) tend(ctx context.Context) time.Duration {
	if err := m.load(ctx); err != nil {
		return retryInterval
	}
	m.starting.Lock()
	defer m.starting.Unlock()
	now, next := m.clock.Now(), keepUnacknowledged
	due := func(at time.Time) bool {
		if left := at.Sub(now); left > 0 {
			next = min(next, left)
			return false
		}
		return true
	}
	var expired []string
	m.mu.Lock()
	for id, r := range m.ops {
		switch {
		case r.working:
		case r.record.State == journal.Interrupted:
			if due(r.record.InterruptedAt.Add(ResumeTimeout)) {
				m.work(r, r.abandon)
			}
		case r.over() && due(expiry(r.record)):
			expired = append(expired, id)
		}
	}
	for id, d := range m.damaged {
		if due(d.Changed.Add(keepUnacknowledged)) {
			expired = append(expired, id)
		}
	}
	m.mu.Unlock()
	for _, id := range expired {
		if err := journal.Remove(m.opts.Files, m.opts.Env.AgentDir(), id); err != nil {
			klog.FromContext(ctx).Error(err, "An old record cannot be removed", "operation", id)
			next = min(next, time.Hour)
			continue
		}
		m.mu.Lock()
		delete(m.ops, id)
		delete(m.damaged, id)
		m.mu.Unlock()
	}
	return next
}

// expiry of a record that is final.
func expiry(r journal.Record) time.Time {
	if !r.Acknowledged.IsZero() {
		return r.Acknowledged.Add(keepAcknowledged)
	}
	return r.Finished.Add(keepUnacknowledged)
}
