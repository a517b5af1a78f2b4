// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// gone measures a new set alone, and beside units whose agents accept connections and
// say nothing: none of them was ever told what it needs, so each is tried again and
// again.
func (b *bench) gone(ctx context.Context) error {
	p, err := b.newPlane(ctx, true)
	if err != nil {
		return err
	}
	defer p.stop()
	for _, ns := range []string{"new", "gone"} {
		if err := p.namespace(ctx, ns); err != nil {
			return err
		}
	}
	o, err := b.startOperator(ctx, p, false)
	if err != nil {
		return err
	}
	defer func() { o.stop() }()
	const rounds = 5
	measure := func(prefix string) (time.Duration, error) {
		var all []time.Duration
		for i := range rounds {
			took, err := p.oneSet(ctx, "new", fmt.Sprintf("%s-%d", prefix, i))
			if err != nil {
				return 0, err
			}
			all = append(all, took)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
		say("a new set %s: %v", prefix, all)
		return median(all), nil
	}
	alone, err := measure("alone")
	if err != nil {
		return err
	}
	p.fleet.Silence(func(namespace, _ string) bool { return namespace == "gone" })
	sets := (b.silent + unitsPerSet - 1) / unitsPerSet
	// Without a limit on requests to have them sooner.
	o.stop()
	if o, err = b.startOperator(ctx, p, true); err != nil {
		return err
	}
	if err := each(ctx, sets, func(ctx context.Context, i int) error { return p.makeSet(ctx, "gone", setName(i)) }); err != nil {
		return err
	}
	if err := p.podsRun(ctx, "gone", sets*unitsPerSet); err != nil {
		return err
	}
	say("%d units whose agents are silent", sets*unitsPerSet)
	o.stop()
	if o, err = b.startOperator(ctx, p, false); err != nil {
		return err
	}
	begun := time.Now()
	if _, err := b.allKnown(ctx, sets*unitsPerSet, begun); err != nil {
		return err
	}
	first, err := p.oneSet(ctx, "new", "first")
	if err != nil {
		return err
	}
	select {
	case <-time.After(30 * time.Second):
	case <-ctx.Done():
	}
	beside, err := measure("beside")
	if err != nil {
		return err
	}
	fmt.Printf("\na new set beside %d units whose agents are gone\n", sets*unitsPerSet)
	fmt.Printf("  alone %.2f s; beside them %.2f s, %+.2f s; right after a restart of the operator %.2f s; the operator: %v\n",
		alone.Seconds(), beside.Seconds(), (beside - alone).Seconds(), first.Seconds(), o.memory())
	return nil
}

// podsRun returns when n pods of a namespace run, whether they are Ready or not.
func (p *plane) podsRun(ctx context.Context, namespace string, n int) error {
	return poll(ctx, patience, func() error {
		list, err := p.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Running", ResourceVersion: "0"})
		if err == nil && len(list.Items) < n {
			err = fmt.Errorf("%d of %d pods run", len(list.Items), n)
		}
		return err
	})
}

// label a set, as kubectl label does.
func (p *plane) label(ctx context.Context, namespace, set string) error {
	_, err := p.upm.UpmV1alpha2().UnitSets(namespace).Patch(ctx, set, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"bench":"yes"}}}`), metav1.PatchOptions{})
	return err
}
