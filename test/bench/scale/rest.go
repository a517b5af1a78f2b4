// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// restTime in which a healthy fleet is watched.
	restTime  = time.Minute
	syncs     = "unit_operator_sync_duration_seconds"
	ofUnits   = "controller=\"unit\""
	ofSets    = "controller=\"unitset\""
	ofAny     = ""
	agentCall = "unit_operator_agent_call_duration_seconds_count"
)

// rest makes N healthy sets, without a limit on requests to have them sooner, and
// measures an operator with its default flags beside them.
func (b *bench) rest(ctx context.Context) error {
	p, err := b.newPlane(ctx, true)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := p.namespace(ctx, "unitsets"); err != nil {
		return err
	}
	o, err := b.startOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer func() { o.stop() }()
	n := b.sets * unitsPerSet
	begun := time.Now()
	if err := each(ctx, b.sets, func(ctx context.Context, i int) error { return p.makeSet(ctx, "unitsets", setName(i)) }); err != nil {
		return err
	}
	took, err := p.unitsReady(ctx, "unitsets", n, begun)
	if err != nil {
		return err
	}
	// A moment after a unit is Ready its configuration is kept: no write at rest.
	if err := p.configurationsKept(ctx, "unitsets", n); err != nil {
		return err
	}
	if err := b.idle(ctx); err != nil {
		return err
	}
	m, err := readMetrics(ctx)
	if err != nil {
		return err
	}
	if err := b.keepHeap(ctx, p, "made"); err != nil {
		return err
	}
	fmt.Printf("\n%d healthy units\n  made unthrottled in %.0f s; the operator: %v\n", n, took.Seconds(), o.memory())
	showSyncs("while they were made", m, metrics{})

	o.stop()
	begun = time.Now()
	if o, err = b.startOperator(ctx, p, false); err != nil {
		return err
	}
	ready := time.Since(begun)
	known, err := b.allKnown(ctx, n, begun)
	if err != nil {
		return err
	}
	if m, err = readMetrics(ctx); err != nil {
		return err
	}
	fmt.Printf("  restarted: caches synced after %.1f s, all known after %.1f s, %.0f calls of agents; %v\n",
		ready.Seconds(), known.Seconds(), m.sum(agentCall, ofAny), o.memory())
	showSyncs("after the restart", m, metrics{})

	if err := b.idle(ctx); err != nil {
		return err
	}
	quiet(ctx)
	before, err := p.readCalls(operatorUser)
	if err != nil {
		return err
	}
	early, err := readMetrics(ctx)
	if err != nil {
		return err
	}
	select {
	case <-time.After(restTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	// The log of the API server is written behind.
	quiet(ctx)
	after, err := p.readCalls(operatorUser)
	if err != nil {
		return err
	}
	late, err := readMetrics(ctx)
	if err != nil {
		return err
	}
	if err := b.keepHeap(ctx, p, "rest"); err != nil {
		return err
	}
	atRest := after.since(before)
	fmt.Printf("  at rest for %v: %d writes, %d calls of the API, %.0f of agents; %v\n",
		restTime, atRest.writes(), atRest.total(), late.sum(agentCall, ofAny)-early.sum(agentCall, ofAny), o.memory())

	// Every set and unit is touched: what a change of all costs.
	if early, err = readMetrics(ctx); err != nil {
		return err
	}
	if err := each(ctx, b.sets, func(ctx context.Context, i int) error { return p.label(ctx, "unitsets", setName(i)) }); err != nil {
		return err
	}
	if err := b.idle(ctx); err != nil {
		return err
	}
	if late, err = readMetrics(ctx); err != nil {
		return err
	}
	showSyncs("while all sets got a label", late, early)
	return nil
}

// showSyncs of both controllers.
func showSyncs(when string, late, early metrics) {
	for name, label := range map[string]string{"units": ofUnits, "sets": ofSets} {
		h := late.histogram(syncs, label).since(early.histogram(syncs, label))
		fmt.Printf("  %s: %.0f syncs of %s, p50 %s, p99 %s\n", when, h.count, name, h.quantile(0.5), h.quantile(0.99))
	}
}

// allKnown returns when an operator that was just started has looked at every unit.
func (b *bench) allKnown(ctx context.Context, units int, begun time.Time) (time.Duration, error) {
	err := poll(ctx, patience, func() error {
		m, err := readMetrics(ctx)
		if err != nil {
			return err
		}
		if done := m.sum(syncs+"_count", ofUnits); done < float64(units) || m.sum("workqueue_depth", ofAny) > 0 {
			return fmt.Errorf("%.0f of %d units were looked at", done, units)
		}
		return nil
	})
	return time.Since(begun), err
}

// idle returns when nothing has been done for a moment.
func (b *bench) idle(ctx context.Context) error {
	last, since := -1.0, time.Now()
	return poll(ctx, patience, func() error {
		m, err := readMetrics(ctx)
		if err != nil {
			return err
		}
		if done := m.sum(syncs+"_count", ofAny); done != last || m.sum("workqueue_depth", ofAny) > 0 {
			last, since = done, time.Now()
		}
		if time.Since(since) < 3*time.Second {
			return fmt.Errorf("it works")
		}
		return nil
	})
}
