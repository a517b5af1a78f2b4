// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// bench is what was asked for.
type bench struct {
	operator     string
	keep         bool
	sets, silent int
	slow         float64
}

var started = time.Now()

// say prints a line while the benchmark goes on.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%5.0fs  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
}

// race makes N StatefulSets, then N UnitSets, in the same cluster.
func (b *bench) race(ctx context.Context, unthrottled bool) error {
	p, err := b.newPlane(ctx, unthrottled)
	if err != nil {
		return err
	}
	defer p.stop()
	for _, ns := range []string{"model", "statefulsets", "unitsets"} {
		if err := p.namespace(ctx, ns); err != nil {
			return err
		}
	}
	o, err := b.startOperator(ctx, p, unthrottled)
	if err != nil {
		return err
	}
	defer o.stop()
	// One set first: its pods are what the StatefulSets are made of.
	alone, err := p.oneSet(ctx, "model", "model")
	if err != nil {
		return err
	}
	say("one set alone: Ready after %.2f s", alone.Seconds())
	makeStatefulSet, err := p.statefulSetLike(ctx, "model", "model-0", "statefulsets")
	if err != nil {
		return err
	}
	n := b.sets * unitsPerSet

	begun := time.Now()
	if err := each(ctx, b.sets, func(ctx context.Context, i int) error { return makeStatefulSet(ctx, setName(i)) }); err != nil {
		return err
	}
	theirs, err := p.podsReady(ctx, "statefulsets", n, begun)
	if err != nil {
		return err
	}
	say("%d StatefulSets: %d pods Ready after %.1f s", b.sets, n, theirs.Seconds())
	quiet(ctx)
	theirCalls, err := p.readCalls(statefulSetUser)
	if err != nil {
		return err
	}

	before, err := p.readCalls(operatorUser)
	if err != nil {
		return err
	}
	begun = time.Now()
	if err := each(ctx, b.sets, func(ctx context.Context, i int) error { return p.makeSet(ctx, "unitsets", setName(i)) }); err != nil {
		return err
	}
	ours, err := p.unitsReady(ctx, "unitsets", n, begun)
	if err != nil {
		return err
	}
	say("%d UnitSets: %d Units Ready after %.1f s, ratio %.2f", b.sets, n, ours.Seconds(), ours.Seconds()/theirs.Seconds())
	quiet(ctx)
	after, err := p.readCalls(operatorUser)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d sets of %d; requests unthrottled: %v\n", b.sets, unitsPerSet, unthrottled)
	fmt.Printf("  StatefulSets: all pods Ready after %.1f s\n  UnitSets: all Units Ready after %.1f s\n  ratio: %.2f\n",
		theirs.Seconds(), ours.Seconds(), ours.Seconds()/theirs.Seconds())
	fmt.Printf("  the operator: %v\n", o.memory())
	fmt.Println("  calls a pod of the StatefulSet controller:")
	theirCalls.show(os.Stdout, n)
	fmt.Println("  calls a unit of the operator, those for its set included:")
	after.since(before).show(os.Stdout, n)
	return nil
}

// quiet lets what is written behind the rest, such as events and the audit log, arrive.
func quiet(ctx context.Context) {
	select {
	case <-time.After(5 * time.Second):
	case <-ctx.Done():
	}
}

// oneSet makes a set and says how long it takes until its Units are Ready.
func (p *plane) oneSet(ctx context.Context, namespace, name string) (time.Duration, error) {
	begun := time.Now()
	if err := p.makeSet(ctx, namespace, name); err != nil {
		return 0, err
	}
	return p.setReady(ctx, namespace, name, begun)
}

// median of some durations.
func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}
