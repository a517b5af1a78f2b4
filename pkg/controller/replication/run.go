// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"time"

	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// runner makes a whole pass: it loads, asks, decides and acts until nothing is left to do
// that need not wait. memory is kept from one pass to the next.
type runner func(ctx context.Context, c *Controller, j *journal, agents worker.Agents, memory *topology.Memory) (worker.Outcome, error)

// runPass is the one that decides.
func runPass(ctx context.Context, c *Controller, j *journal, agents worker.Agents, memory *topology.Memory) (worker.Outcome, error) {
	w := &worker.Worker{Engine: c.kind.engine, Agents: agents, Journal: j, Clock: passClock{c.clock, c.sleep}, Each: worker.AtOnce, Endpoints: j}
	return w.Run(ctx, memory)
}

// passClock is the worker's Clock.
type passClock struct {
	clock clock.Clock
	sleep func(ctx context.Context, d time.Duration) error
}

// Now implements worker.Clock.
func (c passClock) Now() time.Time { return c.clock.Now() }

// Sleep implements worker.Clock.
func (c passClock) Sleep(ctx context.Context, d time.Duration) error { return c.sleep(ctx, d) }

// WithTimeout implements worker.Clock.
func (passClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// sleepBy a clock.
func sleepBy(c clock.Clock) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		timer := c.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
