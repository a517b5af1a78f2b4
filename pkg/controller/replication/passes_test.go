// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

func TestSilentAgentsOfManyReplicationsDelayNoOther(t *testing.T) {
	w := settled(t)
	w.controller.passes = w.controller.newPasses(Config{Clock: w.clock}, nil)
	silent, answered := make(chan struct{}, 1000), make(chan struct{}, 1000)
	w.controller.run = func(ctx context.Context, _ *Controller, j *journal, _ worker.Agents, _ *topology.Memory) (worker.Outcome, error) {
		if j.name == "orders" {
			answered <- struct{}{}
			return worker.Outcome{}, nil
		}
		silent <- struct{}{}
		<-ctx.Done()
		return worker.Outcome{}, ctx.Err()
	}
	const many = 3 * passWorkers
	for i := range many {
		r := newReplication(fmt.Sprintf("silent-%d", i))
		r.Status.Accepted = w.replication().Status.Accepted
		w.Given(r)
		w.controller.passes.Enqueue(cache.NewObjectName(r.Namespace, r.Name))
	}
	w.refresh()
	w.controller.passes.Enqueue(w.key)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.controller.passes.Run(ctx, passWorkers) }()
	waits := 0
	for limit := time.After(2 * time.Minute); ; {
		select {
		case <-answered:
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			return
		case <-silent:
			if waits++; waits%passWorkers == 0 {
				w.clock.Step(slowPass)
			}
		case <-limit:
			cancel()
			t.Fatalf("the one that answers waits for %d that do not", waits)
		}
	}
}

func TestAPassThatPanicsEndsNothingAndIsMadeAgain(t *testing.T) {
	w := settled(t)
	w.controller.run = func(context.Context, *Controller, *journal, worker.Agents, *topology.Memory) (worker.Outcome, error) {
		worker.AtOnce(2, func(int) { panic("an answer that nobody expected") })
		return worker.Outcome{}, nil
	}
	w.refresh()
	w.controller.passes.Enqueue(w.key)
	w.controller.passes.ProcessNext(t.Context())
	made := 0
	w.controller.run = func(context.Context, *Controller, *journal, worker.Agents, *topology.Memory) (worker.Outcome, error) {
		made++
		return worker.Outcome{}, nil
	}
	w.edit(func(r *v1alpha1.MysqlReplication) { r.Spec.Service = nil })
	w.settle()
	if r := w.replication(); r.Status.ObservedGeneration != r.Generation {
		t.Errorf("it is not synced any more: generation %d of %d", r.Status.ObservedGeneration, r.Generation)
	}
	w.pass()
	if made != 1 {
		t.Errorf("%d passes are made after it", made)
	}
}
