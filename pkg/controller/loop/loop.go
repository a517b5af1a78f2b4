// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package loop is the worker loop of every controller, written once. Its contract:
//
//	nil, 0            done until something changes
//	nil, d            done, look again after d
//	RetryAfter(err,d) reported if err is not nil; tried again after d
//	stale cache       tried again shortly, not an error
//	conflict          tried again, not an error
//	namespace ending  forgotten
//	any other error   reported, tried again with a growing delay, never dropped
//
// A panic in a sync is an error of that one object.
package loop

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/controller/consistency"
)

// Delays of the queue.
const (
	// StaleDelay is how soon a sync is tried again that met a stale cache: an
	// informer's lag, not the error backoff.
	StaleDelay = 100 * time.Millisecond
	baseDelay  = 5 * time.Millisecond
	maxDelay   = 5 * time.Minute
)

// SyncFunc brings one object closer to its spec. It never blocks longer than one
// short RPC. See the package's contract for what it returns.
type SyncFunc func(ctx context.Context, key cache.ObjectName) (requeueAfter time.Duration, err error)

// Config of a loop.
type Config struct {
	// Name of the controller: of its queue, in logs and in metrics.
	Name string
	// Kind is the key under which logs name the object, in lower camel case.
	Kind string
	Sync SyncFunc
	// Clock is clock.RealClock outside tests.
	Clock clock.WithTicker
	// Synced must all be true before the first sync.
	Synced []cache.InformerSynced
	// StandInAfter, if set, is when a worker whose sync still runs is replaced: such syncs
	// wait for others, and must not keep the rest from being synced. They are as many as
	// there are keys, at most.
	StandInAfter time.Duration
	// Observe, if set, is told of every sync: how long it took and what came of it
	// (success, requeue, stale, conflict, terminal, error, panic).
	Observe func(controller, result string, took time.Duration)
}

// Loop is a queue and its workers.
type Loop struct {
	cfg   Config
	queue workqueue.TypedRateLimitingInterface[cache.ObjectName]
	// hire another worker.
	hire func()
}

// New makes a loop; Run starts it.
func New(cfg Config) *Loop {
	if cfg.Clock == nil {
		cfg.Clock = clock.RealClock{}
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string, time.Duration) {}
	}
	return &Loop{cfg: cfg, queue: workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](baseDelay, maxDelay),
		workqueue.TypedRateLimitingQueueConfig[cache.ObjectName]{Name: cfg.Name, Clock: cfg.Clock},
	)}
}

// Enqueue asks for a sync of key.
func (l *Loop) Enqueue(key cache.ObjectName) { l.queue.Add(key) }

// Len is how many keys wait.
func (l *Loop) Len() int { return l.queue.Len() }

// Run waits for the caches, works until ctx ends and returns when the last worker
// has finished. It is an error if the caches never synced.
func (l *Loop) Run(ctx context.Context, workers int) error {
	defer utilruntime.HandleCrashWithContext(ctx)
	logger := klog.LoggerWithName(klog.FromContext(ctx), l.cfg.Name)
	ctx = klog.NewContext(ctx, logger)
	logger.Info("Starting controller", "workers", workers)
	defer logger.Info("Stopped controller")

	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.queue.ShutDown()
	if !cache.WaitForNamedCacheSyncWithContext(ctx, l.cfg.Synced...) {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("controller %s: the caches did not sync", l.cfg.Name)
	}
	l.hire = func() { wg.Go(func() { l.work(ctx) }) }
	for range workers {
		l.hire()
	}
	<-ctx.Done()
	return nil
}

// ProcessNext takes one key, syncs it and tells whether there may be another. Tests may
// call it.
func (l *Loop) ProcessNext(ctx context.Context) bool {
	more, _ := l.processNext(ctx)
	return more
}

func (l *Loop) processNext(ctx context.Context) (more, replaced bool) {
	key, quit := l.queue.Get()
	if quit {
		return false, false
	}
	defer l.queue.Done(key)
	ended := l.standIn()
	defer func() { replaced = ended() }()
	start := l.cfg.Clock.Now()
	logger := klog.LoggerWithValues(klog.FromContext(ctx), l.cfg.Kind, key) //nolint:logcheck // A constant of each controller.
	ctx = klog.NewContext(ctx, logger)
	after, err := l.sync(ctx, key)
	took := l.cfg.Clock.Since(start)
	logger.V(4).Info("Synced", "took", took, "requeueAfter", after, "err", err)
	l.cfg.Observe(l.cfg.Name, l.settle(ctx, key, after, err), took)
	return true, false
}

// settle decides when key is looked at again.
func (l *Loop) settle(ctx context.Context, key cache.ObjectName, after time.Duration, err error) string {
	logger := klog.FromContext(ctx)
	if retry, ok := errors.AsType[*retryAfterError](err); ok {
		if retry.err != nil {
			logger.V(2).Info("Waiting", "reason", retry.err.Error(), "retryAfter", retry.after)
		}
		l.queue.Forget(key)
		l.queue.AddAfter(key, retry.after)
		return "requeue"
	}
	_, stale := errors.AsType[*consistency.StaleError](err)
	_, panicked := errors.AsType[*panicError](err)
	switch {
	case err == nil && after <= 0:
		l.queue.Forget(key)
		return "success"
	case err == nil:
		l.queue.Forget(key)
		l.queue.AddAfter(key, after)
		return "requeue"
	case stale:
		logger.V(4).Info("Cache is older than this controller's own writes", "reason", err.Error())
		l.queue.AddAfter(key, StaleDelay)
		return "stale"
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		logger.V(4).Info("The namespace is being terminated", "reason", err.Error())
		l.queue.Forget(key)
		return "terminal"
	case apierrors.IsConflict(err):
		logger.V(4).Info("Conflict, trying again", "reason", err.Error())
		l.queue.AddRateLimited(key)
		return "conflict"
	}
	utilruntime.HandleErrorWithContext(ctx, err, "Sync failed, will try again")
	l.queue.AddRateLimited(key)
	if panicked {
		return "panic"
	}
	return "error"
}

// sync calls the controller and turns a panic into an error.
func (l *Loop) sync(ctx context.Context, key cache.ObjectName) (after time.Duration, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{value: r, stack: debug.Stack()}
		}
	}()
	return l.cfg.Sync(ctx, key)
}

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("try again after %v", e.after)
	}
	return e.err.Error()
}

func (e *retryAfterError) Unwrap() error { return e.err }

// RetryAfter is a wait for something that raises no event: tried again after d, not
// counted as a failure. err says what is waited for and may be nil.
func RetryAfter(err error, d time.Duration) error { return &retryAfterError{err: err, after: d} }

type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }
