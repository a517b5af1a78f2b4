// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

const (
	// tendInterval is how often a server with a role is looked after: it notifies
	// nobody of a receiver that gave up or an acknowledgement that was lost.
	tendInterval = time.Second
	// tendTimeout bounds one look after it, resumeTimeout one attempt to make it what
	// is recorded.
	tendTimeout   = 5 * time.Second
	resumeTimeout = 30 * time.Second
)

// Run keeps the recorded role in force until ctx ends: it resumes it when the server
// has been started, and tends it while it runs.
func (m *Manager) Run(ctx context.Context) {
	changed := m.server.Changed(ctx)
	ticker := m.clock.NewTicker(tendInterval)
	defer ticker.Stop()
	for {
		m.tend(ctx)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-ticker.C():
		}
	}
}

// tend is one round. It never waits for a role call, which enforces by itself.
func (m *Manager) tend(ctx context.Context) {
	held, release, ok := m.turn.try(ctx)
	if !ok {
		return
	}
	defer release()
	desired, err := m.keeper.Desired()
	record := desired.EffectiveRecord()
	if err != nil || record.Role == "" || len(desired.Holds) > 0 {
		m.report(ctx, err)
		return
	}
	look, err := m.server.Look()
	if err != nil || !look.Running {
		m.report(ctx, err)
		return
	}
	if !m.isEnforced(enforcement{start: look.Start, order: orderOf(record)}) {
		resumeContext, cancel := context.WithTimeout(held, resumeTimeout)
		defer cancel()
		err := m.enforce(resumeContext, enforcing{})
		if err == nil {
			klog.FromContext(ctx).Info("The recorded role is in force", "role", record.Role, "epoch", record.Epoch)
		}
		m.report(ctx, err)
		return
	}
	m.report(ctx, m.look(held, desired))
}

func (m *Manager) look(ctx context.Context, d state.Desired) error {
	channel, err := m.channel(d)
	if err != nil {
		return err
	}
	tendContext, cancel := context.WithTimeout(ctx, tendTimeout)
	defer cancel()
	did, err := m.engine.Tend(tendContext, d.EffectiveRecord(), channel)
	m.reportDid(ctx, did)
	if errors.Is(err, engine.ErrMustRestart) {
		// The next round enforces, which restarts it.
		m.setEnforced(enforcement{})
	}
	if err == nil {
		err = m.check(tendContext, d.EffectiveRecord())
	}
	return err
}

// check has a role enforced again that somebody has changed on the server by hand.
func (m *Manager) check(ctx context.Context, record engine.RoleRecord) error {
	r, err := m.engine.ObserveReplication(ctx)
	if err != nil || !r.Answered {
		return err
	}
	closed := record.Role != engine.RoleSource
	if r.ReadOnly != closed && (closed || record.Open) {
		klog.FromContext(ctx).Info("The server was opened or closed by somebody else, its role is enforced again", "role", record.Role)
		m.setEnforced(enforcement{})
	}
	return nil
}

// reportDid logs what was done, when it begins: what has to be done again each second
// is logged once.
func (m *Manager) reportDid(ctx context.Context, did []string) {
	m.mu.Lock()
	before := m.did
	m.did = did
	m.mu.Unlock()
	for _, what := range did {
		if !slices.Contains(before, what) {
			klog.FromContext(ctx).Info("Tended the server's replication", "did", what)
		}
	}
}

// report logs trouble when it begins, changes or ends, not once a second.
func (m *Manager) report(ctx context.Context, err error) {
	trouble := ""
	if err != nil && ctx.Err() == nil {
		trouble = err.Error()
	}
	m.mu.Lock()
	before := m.trouble
	m.trouble = trouble
	m.mu.Unlock()
	switch {
	case trouble == before:
	case trouble != "":
		klog.FromContext(ctx).Info("The recorded role is not in force", "why", trouble)
	default:
		klog.FromContext(ctx).Info("The recorded role is no longer in trouble")
	}
}
