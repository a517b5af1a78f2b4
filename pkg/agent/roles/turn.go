// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"sync"
)

// turn lets one at a time change the server. Who is urgent cancels the holder that is
// not, and takes the turn when that one has let go.
type turn struct {
	// slot has room for the holder.
	slot chan struct{}

	mu sync.Mutex
	// urgent counts those that wait for the turn urgently.
	urgent int
	// cancel ends what the holder does; nil while there is none, or an urgent one.
	cancel context.CancelFunc
}

func newTurn() *turn { return &turn{slot: make(chan struct{}, 1)} }

// take waits for the turn until ctx ends. The context returned ends when somebody
// urgent wants the turn, unless the holder is urgent itself.
func (t *turn) take(ctx context.Context, urgent bool) (context.Context, func(), error) {
	if urgent {
		t.demand(1)
		defer t.demand(-1)
	}
	select {
	case t.slot <- struct{}{}:
		held, release := t.hold(ctx, urgent)
		return held, release, nil
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

// try takes the turn only if nobody has it.
func (t *turn) try(ctx context.Context) (context.Context, func(), bool) {
	select {
	case t.slot <- struct{}{}:
		held, release := t.hold(ctx, false)
		return held, release, true
	default:
		return nil, nil, false
	}
}

func (t *turn) hold(ctx context.Context, urgent bool) (context.Context, func()) {
	held, cancel := context.WithCancelCause(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !urgent {
		t.cancel = func() { cancel(errInterrupted) }
		if t.urgent > 0 {
			t.cancel()
		}
	}
	return held, func() {
		t.mu.Lock()
		t.cancel = nil
		t.mu.Unlock()
		cancel(context.Canceled)
		<-t.slot
	}
}

// demand counts who waits urgently, and cancels the holder for them.
func (t *turn) demand(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.urgent += n
	if n > 0 && t.cancel != nil {
		t.cancel()
	}
}
