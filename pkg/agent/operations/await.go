// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"fmt"
	"time"

	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

const (
	// lookInterval is how often the server is looked at where no file tells: whether it
	// answers, whether supervise has gone.
	lookInterval = 500 * time.Millisecond
	// beginPatience is how long an operation that begins waits for a server that starts, or
	// that has crashed and is started again.
	beginPatience = time.Minute
	// answerTimeout bounds one question to it.
	answerTimeout = 5 * time.Second
)

// AwaitServer makes what an operation waits for before its action begins: that the server
// answers. Who asks for something just after a crash means the server that is back two
// seconds later. Nothing is waited for if the server is down by somebody's will, or lacks
// its data, nor for longer than a minute: what that means to it an action knows.
func AwaitServer(env engine.Env, eng engine.Engine, store *state.Store, c clock.Clock) func(context.Context, Op) {
	s := &server{env: env, engine: eng, store: store, clock: c}
	return func(ctx context.Context, op Op) {
		begun := c.Now()
		// An action meets what keeps the server from being seen, too.
		_ = s.await(ctx, func(ctx context.Context) (bool, error) {
			done, err := s.answers(ctx, op)
			return done || c.Since(begun) >= beginPatience, err
		})
	}
}

// answers says whether the server answers, or is not about to.
func (s *server) answers(ctx context.Context, op Op) (bool, error) {
	observed, err := s.observed()
	if err != nil || observed == nil {
		return true, err
	}
	switch observed.State {
	case state.StateWaiting, state.StateHeld, state.StateDataMissing:
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	err = s.engine.Check(ctx)
	if err != nil {
		op.Progress(fmt.Sprintf("waiting for the server to answer: it is %s, %s", observed.State, observed.Message), 0, 0)
	}
	return err == nil, nil
}

// await looks until it is so, whenever supervise says something and in between.
func (s *server) await(ctx context.Context, look func(context.Context) (bool, error)) error {
	watchContext, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := state.Watch(watchContext, s.env.StateDir, state.ObservedFile)
	for {
		if done, err := look(ctx); done || err != nil {
			return err
		}
		timer := s.clock.NewTimer(lookInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-changed:
		case <-timer.C():
		}
		timer.Stop()
	}
}
