// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

const (
	// checkTimeout bounds one question to the server.
	checkTimeout = 2 * time.Second
	// checkReuse is how long an answer is given again, so that many askers cost
	// one query.
	checkReuse = 500 * time.Millisecond
)

// readiness asks the server, for many at once.
type readiness struct {
	record *record
	engine engine.Engine

	mu    sync.Mutex
	asked time.Time
	last  error
}

// check returns nil if the server answers queries.
func (r *readiness) check(ctx context.Context) error {
	switch o := r.record.get(); o.State {
	case state.StateStarting, state.StateRunning, state.StateStopping:
	default:
		return fmt.Errorf("%s: %s", o.State, o.Message)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < checkReuse {
		return r.last
	}
	// An asker who gives up ends nothing: the answer is for others, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	r.last = r.engine.Check(ctx)
	r.asked = time.Now()
	return r.last
}

// serveProbes answers on the listener until the function it returns is called.
func serveProbes(ctx context.Context, listener net.Listener, rec *record, eng engine.Engine) (stop func()) {
	ready := &readiness{record: rec, engine: eng}
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) { answer(w, ready.check(r.Context())) })
	mux.HandleFunc("/startupz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			klog.FromContext(ctx).Error(err, "The probes are not answered any more")
		}
	}()
	return func() { _ = server.Close() }
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "ok")
}
