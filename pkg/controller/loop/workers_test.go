// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2/ktesting"
	clocktesting "k8s.io/utils/clock/testing"
)

// Syncs that wait for somebody keep no others from being made, and leave no more workers
// than there were.
func TestAWorkerThatWaitsLongIsReplaced(t *testing.T) {
	_, ctx := ktesting.NewTestContext(t)
	ctx, cancel := context.WithCancel(ctx)
	const workers, silent = 2, 5
	began, quick := make(chan string), make(chan struct{})
	wait, work := make(chan struct{}), make(chan struct{})
	clock := clocktesting.NewFakeClock(time.Now())
	l := New(Config{Name: "test", Kind: "unit", Clock: clock, StandInAfter: time.Second, Sync: func(_ context.Context, key cache.ObjectName) (time.Duration, error) {
		began <- key.Name
		if strings.HasPrefix(key.Name, "silent") {
			<-wait
			return 0, nil
		}
		<-work
		quick <- struct{}{}
		return 0, nil
	}})
	next := func(want string) {
		t.Helper()
		select {
		case got := <-began:
			if !strings.HasPrefix(got, want) {
				t.Fatalf("%s begins, not %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s waits for those that are silent", want)
		}
	}
	for i := range silent {
		l.Enqueue(cache.NewObjectName("ns", fmt.Sprint("silent-", i)))
	}
	ended := make(chan error)
	go func() { ended <- l.Run(ctx, workers) }()
	for i := range silent {
		next("silent")
		if (i+1)%workers == 0 {
			clock.Step(time.Second)
		}
	}
	clock.Step(time.Second)
	for i := range 3 * workers {
		l.Enqueue(cache.NewObjectName("ns", fmt.Sprint("quick-", i)))
	}
	for range workers {
		next("quick")
	}
	// Those that were replaced do not come back beside those in their places.
	close(wait)
	select {
	case name := <-began:
		t.Errorf("%s begins beside %d others of %d workers", name, workers, workers)
	case <-time.After(100 * time.Millisecond):
	}
	close(work)
	for range 2 * workers {
		<-quick
		next("quick")
	}
	for range workers {
		<-quick
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
