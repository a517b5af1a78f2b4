// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// waitInterval between two tries. The log repeats what a long wait is for after
// sayAgain, and says that it is for something else after sayOther.
const (
	waitInterval = time.Second
	sayAgain     = time.Minute
	sayOther     = 3 * time.Second
)

// readiness is what /readyz says: whether this process does its part (working, or
// ready to take over), and in a sentence what it does or waits for.
type readiness struct {
	mu    sync.Mutex
	ready bool
	what  string
	// final: it is ending, and nothing makes it ready again.
	final bool
}

func newReadiness() *readiness { return &readiness{what: "starting"} }

func (r *readiness) set(ready bool, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.final {
		r.ready, r.what = ready, what
	}
}

// end makes it not ready, for good.
func (r *readiness) end(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready, r.what, r.final = false, what, true
}

func (r *readiness) get() (ready bool, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ready, r.what
}

// ServeHTTP answers 200 if ready, else 503, and says what is going on.
func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	ready, what := r.get()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintln(w, what)
}

// until tries until it works or ctx ends. Meanwhile this process is not ready, and
// /readyz and the log say why. It returns false if ctx ended.
func (r *readiness) until(ctx context.Context, interval time.Duration, try func(context.Context) error) bool {
	logger := klog.FromContext(ctx)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var said string
	var saidAt time.Time
	for {
		err := try(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			return true
		}
		what := "waiting: " + err.Error()
		r.set(false, what)
		if age := time.Since(saidAt); age >= sayAgain || what != said && age >= sayOther {
			logger.Info("Waiting", "for", err.Error())
			said, saidAt = what, time.Now()
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}
