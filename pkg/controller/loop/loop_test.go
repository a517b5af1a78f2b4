// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2/ktesting"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/controller/consistency"
)

var key = cache.NewObjectName("ns", "a")

func TestWhatASyncReturnsDecidesWhenItIsTriedAgain(t *testing.T) {
	boom := errors.New("boom")
	for name, tc := range map[string]struct {
		sync   func() (time.Duration, error)
		result string
		// again is when the key must be back in the queue; 0 means never.
		again time.Duration
	}{
		"success waits for a change":               {func() (time.Duration, error) { return 0, nil }, "success", 0},
		"a requested delay is kept":                {func() (time.Duration, error) { return time.Minute, nil }, "requeue", time.Minute},
		"a wait is no failure":                     {func() (time.Duration, error) { return 0, RetryAfter(boom, time.Second) }, "requeue", time.Second},
		"a stale cache is tried shortly":           {func() (time.Duration, error) { return 0, &consistency.StaleError{} }, "stale", StaleDelay},
		"an error is tried with the first backoff": {func() (time.Duration, error) { return 0, boom }, "error", baseDelay},
		"a panic is an error of one object":        {func() (time.Duration, error) { panic("oops") }, "panic", baseDelay},
		"a conflict is tried again":                {func() (time.Duration, error) { return 0, apierrors.NewConflict(schema.GroupResource{}, "a", boom) }, "conflict", baseDelay},
	} {
		t.Run(name, func(t *testing.T) {
			_, ctx := ktesting.NewTestContext(t)
			clock := clocktesting.NewFakeClock(time.Now())
			var result string
			l := New(Config{
				Name: "test", Kind: "unit", Clock: clock,
				Sync:    func(context.Context, cache.ObjectName) (time.Duration, error) { return tc.sync() },
				Observe: func(_, r string, _ time.Duration) { result = r },
			})
			defer l.queue.ShutDown()
			l.Enqueue(key)
			l.ProcessNext(ctx)
			if result != tc.result {
				t.Errorf("result %q, want %q", result, tc.result)
			}
			if tc.again == 0 {
				clock.Step(time.Hour)
				time.Sleep(20 * time.Millisecond)
				if l.Len() != 0 {
					t.Error("tried again although nothing changed")
				}
				return
			}
			deadline := time.Now().Add(2 * time.Minute)
			for !clock.HasWaiters() && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond)
			}
			clock.Step(tc.again)
			for l.Len() == 0 {
				if time.Now().After(deadline) {
					t.Fatalf("not tried again after %v", tc.again)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func TestRunReturnsOnlyWhenItsWorkersHaveFinished(t *testing.T) {
	_, ctx := ktesting.NewTestContext(t)
	ctx, cancel := context.WithCancel(ctx)
	started, release := make(chan struct{}), make(chan struct{})
	finished := false
	l := New(Config{Name: "test", Kind: "unit", Sync: func(context.Context, cache.ObjectName) (time.Duration, error) {
		close(started)
		<-release
		finished = true
		return 0, nil
	}})
	l.Enqueue(key)
	done := make(chan error)
	go func() { done <- l.Run(ctx, 2) }()
	<-started
	cancel()
	select {
	case <-done:
		t.Fatal("Run returned while a worker was at work")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !finished {
		t.Error("the worker's sync was cut")
	}
}
