// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"fmt"
	"maps"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/gate"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// next says whether the loop goes on, and if not, with which exit status
// supervise ends.
type next struct {
	end    bool
	status int
}

var again = next{}

func end(status int) next { return next{end: true, status: status} }

// initializePatience is how long an initialisation may take to end when it is
// interrupted.
const initializePatience = 2 * time.Second

// loop looks, decides and acts, once per change, until something ends it.
func (s *supervisor) loop(ctx context.Context) int {
	for ctx.Err() == nil {
		if n := s.step(ctx); n.end {
			return n.status
		}
	}
	s.record.set(ctx, state.StateStopping, "the pod ends")
	return 0
}

func (s *supervisor) step(ctx context.Context) next {
	desired, decision, err := s.decide(ctx)
	if err != nil {
		return s.fail(ctx, err)
	}
	switch decision.Action {
	case gate.Start, gate.Initialize:
		// Said before it is done, and looked at once more after it was said: a hold
		// that was acknowledged while serve still read a server that is down here is
		// seen now, and one that comes later finds it starting.
		if err := s.record.commit(ctx, state.StateStarting, "preparing"); err != nil {
			return s.fail(ctx, fmt.Errorf("recording the start: %w", err))
		}
		if now, err := s.store.Desired(); err != nil || gate.MayRun(s.Env.PodUID, s.Env.UID, now).Action != gate.Start {
			return again
		}
		if decision.Action == gate.Initialize {
			return s.initialize(ctx, desired)
		}
		return s.serverLife(ctx, desired, decision)
	case gate.Wait:
		s.record.set(ctx, state.StateWaiting, decision.Reason)
	case gate.Hold:
		s.record.set(ctx, state.StateHeld, decision.Reason)
	case gate.DataMissing:
		s.record.set(ctx, state.StateDataMissing, decision.Reason)
	default:
		s.record.set(ctx, state.StateFailed, decision.Reason)
	}
	select {
	case <-ctx.Done():
	case <-s.changed:
	}
	return again
}

// decide gathers the facts, data only where the rules ask for it.
func (s *supervisor) decide(ctx context.Context) (*state.Desired, gate.Decision, error) {
	desired, err := s.store.Desired()
	if err != nil {
		return nil, gate.Decision{Action: gate.Refuse, Reason: err.Error()}, nil
	}
	if d := gate.MayRun(s.Env.PodUID, s.Env.UID, desired); d.Action != gate.Start {
		return desired, d, nil
	}
	identity, err := state.ReadIdentity(s.Env.AgentDir())
	if err != nil {
		return desired, gate.Decision{Action: gate.Refuse, Reason: err.Error()}, nil
	}
	var data engine.Data
	s.reaper.pause(func() { data, err = s.Engine.Inspect(ctx) })
	if err != nil {
		return nil, gate.Decision{}, fmt.Errorf("looking at the data directory: %w", err)
	}
	return desired, gate.Decide(gate.Input{
		PodUID:      s.Env.PodUID,
		UnitUID:     s.Env.UID,
		Desired:     desired,
		Data:        data,
		Identity:    identity,
		NeedsRole:   s.Engine.NeedsRole(),
		RanSystemID: s.record.get().SystemID,
	}), nil
}

// fail ends supervise after something that the kubelet's back-off may heal: a
// full disk, a missing program, a server that refuses its configuration.
func (s *supervisor) fail(ctx context.Context, err error) next {
	if ctx.Err() != nil {
		return again
	}
	s.record.set(ctx, state.StateFailed, s.withSpace(err.Error()))
	return end(1)
}

// start is what the engine is told.
func (s *supervisor) start(desired *state.Desired) (engine.Start, error) {
	files, err := s.store.Config(desired.ConfigHash)
	if err != nil {
		return engine.Start{}, fmt.Errorf("reading configuration %s: %w", desired.ConfigHash, err)
	}
	channel, err := s.store.Channel(*desired)
	if err != nil {
		return engine.Start{}, fmt.Errorf("reading the channel's account: %w", err)
	}
	return engine.Start{
		Files:      files,
		ConfigHash: desired.ConfigHash,
		Managed:    desired.ReadOnlyStart(),
		Role:       desired.Role,
		Record:     desired.EffectiveRecord(),
		Channel:    channel,
	}, nil
}

// initialize makes the database; a hold or the pod's end interrupts it, for all
// of it happens in a side directory and is done again.
func (s *supervisor) initialize(ctx context.Context, desired *state.Desired) next {
	start, err := s.start(desired)
	if err != nil {
		return s.retryOrFail(ctx, desired, err)
	}
	accounts, err := engine.LoadAccounts(s.Env)
	if err != nil {
		return s.fail(ctx, fmt.Errorf("initialising the data directory: %w", err))
	}
	if len(accounts.Missing) > 0 {
		klog.FromContext(ctx).Info("The Secret has no key for accounts named in the environment, they are not created", "users", accounts.Missing)
	}
	s.record.set(ctx, state.StateInitializing, "making an empty database")
	if may, err := s.proof.begin(ctx, desired); err != nil {
		return s.fail(ctx, fmt.Errorf("recording the start: %w", err))
	} else if !may {
		return again
	}

	initContext, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go s.reaper.pause(func() {
		if err := s.Engine.Prepare(initContext, start); err != nil {
			done <- fmt.Errorf("preparing: %w", err)
			return
		}
		done <- s.Engine.Initialize(initContext, start, accounts)
	})
	interrupted := false
	var overdue <-chan time.Time
	for waiting := true; waiting; {
		select {
		case <-s.changed:
			if d, err := s.store.Desired(); err == nil && gate.MayRun(s.Env.PodUID, s.Env.UID, d).Action != gate.Start && !interrupted {
				interrupted = true
				cancel()
				overdue = time.After(initializePatience)
			}
		case <-overdue:
			// It hangs with the volume. Its processes must not go on beneath the hold.
			killDescendants()
			s.proof.ended(ctx, state.StopKilled)
		case err = <-done:
			waiting = false
		}
	}
	s.sweep(ctx)
	if err != nil {
		if interrupted {
			return again
		}
		return s.fail(ctx, fmt.Errorf("initialising the data directory: %w", err))
	}
	return s.recordInitialized(ctx, desired)
}

// recordInitialized writes the identity of a database just made. A crash before
// it is harmless: the gate adopts a complete database where nothing is expected.
func (s *supervisor) recordInitialized(ctx context.Context, desired *state.Desired) next {
	var data engine.Data
	var err error
	s.reaper.pause(func() { data, err = s.Engine.Inspect(ctx) })
	if err != nil {
		return s.fail(ctx, fmt.Errorf("looking at the new database: %w", err))
	}
	if data.State != engine.DataComplete {
		return s.fail(ctx, fmt.Errorf("the new data directory is %s: %s", data.State, data.Message))
	}
	identity := state.DataIdentity{SystemID: data.SystemID, ClaimUIDs: maps.Clone(desired.ClaimUIDs), Virgin: true}
	if err := state.WriteIdentity(s.Files, s.Env.AgentDir(), identity); err != nil {
		return s.fail(ctx, err)
	}
	s.record.setSystemID(ctx, data.SystemID)
	klog.FromContext(ctx).Info("Initialised the data directory", "systemID", data.SystemID)
	return again
}

// retryOrFail looks again if another configuration was applied, and the one
// wanted removed, between reading desired.json and reading the configuration.
func (s *supervisor) retryOrFail(ctx context.Context, desired *state.Desired, err error) next {
	if now, readErr := s.store.Desired(); readErr == nil && now != nil && now.ConfigHash != desired.ConfigHash {
		return again
	}
	return s.fail(ctx, err)
}
