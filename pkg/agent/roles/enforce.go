// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// closeTimeout is how long a server may take to give its clients' writes up before it
// is killed.
const closeTimeout = time.Second

// askTimeout bounds the question whether the server takes writes.
const askTimeout = 2 * time.Second

// step is the next thing to do for a record.
type step string

const (
	// stepNone: nothing can be or need be done to a server that is proven down.
	stepNone step = "None"
	// stepWait for supervise.
	stepWait step = "Wait"
	// stepRestart: the server must be started again to become what is recorded.
	stepRestart step = "Restart"
	// stepPromote, stepFollow, stepIsolate: make the running server so.
	stepPromote step = "Promote"
	stepFollow  step = "Follow"
	stepIsolate step = "Isolate"
)

// situation is what the next step depends on.
type situation struct {
	desired state.Desired
	look    Look
	// readOnly is what a running server says of itself.
	readOnly bool
}

// next decides from what was recorded and what the server is. It is pure.
func next(s situation, restartFor func(from, to engine.RoleRecord) bool) step {
	if s.look.Stopped && len(s.desired.Holds) > 0 {
		return stepNone
	}
	if !ready(s) {
		return stepWait
	}
	record := s.desired.EffectiveRecord()
	if record.Role == "" {
		return stepNone
	}
	if restartFor(present(s), record) {
		return stepRestart
	}
	switch record.Role {
	case engine.RoleSource:
		return stepPromote
	case engine.RoleReplica:
		return stepFollow
	}
	return stepIsolate
}

// ready says whether the server runs and no restart of it is still to come.
func ready(s situation) bool { return s.look.Running && s.look.Order >= s.desired.RestartOrder }

// present is the record that fits what the server is now: it may have been promoted
// since it was started, and one that was started to be the source may not be it yet.
func present(s situation) engine.RoleRecord {
	r := s.look.Record
	switch {
	case !s.readOnly:
		r.Role = engine.RoleSource
	case r.Role == engine.RoleSource:
		r.Role = engine.RoleIsolated
	}
	return r
}

// enforcing says how.
type enforcing struct {
	// upstreamExecuted is what the upstream had executed, for Follow.
	upstreamExecuted string
	// demote: a server that does not answer is killed.
	demote bool
}

// enforce makes the server what is recorded. The caller has the turn.
func (m *Manager) enforce(ctx context.Context, how enforcing) error {
	watchContext, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := m.server.Changed(watchContext)
	for {
		s, err := m.situation(ctx, how)
		if err != nil {
			return err
		}
		switch next(s, m.engine.RestartFor) {
		case stepNone:
			return heldDown(s.desired)
		case stepWait:
			select {
			case <-changed:
			case <-ctx.Done():
				return fmt.Errorf("%w: waiting for the server: %s", engine.ErrNotYet, s.look.Message)
			}
		case stepRestart:
			if err := m.restart(ctx, s, engine.StopRestart); err != nil {
				return err
			}
		case stepPromote:
			if again, err := m.promoted(ctx, s); !again {
				return m.done(s, err)
			} else if err != nil {
				return err
			}
		case stepFollow:
			if closed, err := m.closed(ctx, s); err != nil {
				return err
			} else if !closed {
				continue
			}
			channel, err := m.channel(s.desired)
			if err != nil {
				return err
			}
			if again, err := m.restarted(ctx, s, m.engine.Follow(ctx, s.desired.EffectiveRecord(), channel, how.upstreamExecuted)); !again {
				return m.done(s, err)
			} else if err != nil {
				return err
			}
		case stepIsolate:
			if closed, err := m.closed(ctx, s); err != nil {
				return err
			} else if !closed {
				continue
			}
			if again, err := m.restarted(ctx, s, m.engine.StopReceiver(ctx)); !again {
				return m.done(s, err)
			} else if err != nil {
				return err
			}
		}
	}
}

// promoted promotes, or has the server started again if it must be before.
func (m *Manager) promoted(ctx context.Context, s situation) (again bool, err error) {
	err = m.promote(ctx, s.desired)
	if errors.Is(err, engine.ErrMustKill) {
		return true, m.restart(ctx, s, engine.StopFence)
	}
	return m.restarted(ctx, s, err)
}

// restarted has the server started again if that is what err asks for.
func (m *Manager) restarted(ctx context.Context, s situation, err error) (again bool, _ error) {
	if !errors.Is(err, engine.ErrMustRestart) {
		return false, err
	}
	klog.FromContext(ctx).Info("The server is started again to become what is recorded", "why", err.Error())
	return true, m.restart(ctx, s, engine.StopRestart)
}

// situation reads what is recorded and asks the server. To one that does not answer
// nothing can be done, except that a demotion kills it.
func (m *Manager) situation(ctx context.Context, how enforcing) (situation, error) {
	var s situation
	var err error
	if s.desired, err = m.keeper.Desired(); err != nil {
		return s, err
	}
	if s.look, err = m.server.Look(); err != nil {
		return s, err
	}
	if !ready(s) || s.look.Stopped {
		return s, nil
	}
	askContext, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	r, err := m.engine.ObserveReplication(askContext)
	switch {
	case err == nil && r.Answered:
		s.readOnly = r.ReadOnly
		return s, nil
	case ctx.Err() != nil:
		return s, fmt.Errorf("%w: %w", engine.ErrNotYet, context.Cause(ctx))
	case how.demote:
		klog.FromContext(ctx).Info("The server that is to be demoted does not answer, it is killed and started again")
		if err := m.restart(ctx, s, engine.StopFence); err != nil {
			return s, err
		}
		s.desired.RestartOrder = s.look.Order + 1
		return s, nil
	}
	return s, fmt.Errorf("%w: the server does not answer: %w", engine.ErrNotYet, err)
}

// heldDown is the outcome for a server that is proven down: it acknowledges and
// receives nothing, so it is isolated; it cannot be a source or a replica yet.
func heldDown(d state.Desired) error {
	switch d.EffectiveRecord().Role {
	case engine.RoleSource, engine.RoleReplica:
		if len(d.Holds) > 0 {
			return fmt.Errorf("%w: the server is held down by %s; it takes up its role when it is started", engine.ErrNotYet, d.HoldList())
		}
	}
	return nil
}

// promote readies the source, and opens it if its record says so.
func (m *Manager) promote(ctx context.Context, d state.Desired) error {
	channel, err := m.channel(d)
	if err != nil {
		return err
	}
	record := d.EffectiveRecord()
	if err := m.engine.Promote(ctx, record, channel); err != nil {
		return err
	}
	if !record.Open {
		return nil
	}
	return m.engine.Open(ctx, record)
}

// closed closes a server that takes writes. One that cannot be closed without
// acknowledging what nobody else has is killed and started again read-only; it is not
// closed then, but will be.
func (m *Manager) closed(ctx context.Context, s situation) (bool, error) {
	if s.readOnly {
		return true, nil
	}
	closeContext, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	err := m.engine.Close(closeContext)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("%w: %w", engine.ErrNotYet, context.Cause(ctx))
	case errors.Is(err, engine.ErrMustKill), closeContext.Err() != nil:
		klog.FromContext(ctx).Info("The server cannot be closed gently, it is killed and started again", "why", err.Error())
		return false, m.restart(ctx, s, engine.StopFence)
	}
	return false, err
}

// restart asks supervise to start the server again, once for each start of it.
func (m *Manager) restart(ctx context.Context, s situation, reason engine.StopReason) error {
	if s.desired.RestartOrder > s.look.Order {
		return nil
	}
	if reason == engine.StopRestart {
		// Receivers that are no members would hold the stop up. It may fail: the stop
		// follows anyhow.
		closeContext, cancel := context.WithTimeout(ctx, closeTimeout)
		defer cancel()
		if err := m.engine.Close(closeContext); err != nil {
			klog.FromContext(ctx).Info("The server was not closed before its stop", "why", err.Error())
		}
	}
	_, err := m.keeper.Change(ctx, func(now *state.Desired) error {
		if now.RestartOrder == s.desired.RestartOrder {
			now.RestartOrder++
			now.RestartReason = reason
		}
		return nil
	})
	return err
}

// done remembers a success.
func (m *Manager) done(s situation, err error) error {
	if err == nil {
		m.setEnforced(enforcement{start: s.look.Start, order: orderOf(s.desired.EffectiveRecord())})
	}
	return err
}
