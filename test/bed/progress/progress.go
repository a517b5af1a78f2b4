// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package progress tells a person at a terminal what a long operation is doing: a line when a step
// turns out to last longer than two seconds, then every fifteen seconds with what it waits for, and
// one when it is done. Short steps stay silent, so the lines that appear are worth reading.
package progress

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	patience = 2 * time.Second  // steps shorter than this print nothing
	interval = 15 * time.Second // between the lines of a step that goes on
)

// Reporter prints the steps of one operation. Its methods may be called by several goroutines; a nil
// Reporter prints nothing.
type Reporter struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

// New returns a Reporter that writes to out; elapsed times count from now.
func New(out io.Writer) *Reporter { return &Reporter{out: out, start: time.Now()} }

// Printf prints one line at once, with the time since New.
func (r *Reporter) Printf(format string, args ...any) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "[%4.0fs] %s\n", time.Since(r.start).Seconds(), fmt.Sprintf(format, args...))
}

type detailKey struct{}

// detail is what a running step says it waits for.
type detail struct {
	mu   sync.Mutex
	text string
}

func (d *detail) get() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text
}

// WaitingFor notes what the step that ctx belongs to waits for; the step's next line shows it.
func WaitingFor(ctx context.Context, format string, args ...any) {
	if d, ok := ctx.Value(detailKey{}).(*detail); ok {
		d.mu.Lock()
		d.text = fmt.Sprintf(format, args...)
		d.mu.Unlock()
	}
}

// Step runs f and reports on it while it lasts. The error is f's own, with the step's title before it.
func (r *Reporter) Step(ctx context.Context, title string, f func(context.Context) error) error {
	d := &detail{}
	begin := time.Now()
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { r.watch(done, begin, title, d) })
	err := f(context.WithValue(ctx, detailKey{}, d))
	close(done)
	watcher.Wait()
	if err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	if took := time.Since(begin); took >= patience {
		r.Printf("%s: done in %.0f s", title, took.Seconds())
	}
	return nil
}

func (r *Reporter) watch(done <-chan struct{}, begin time.Time, title string, d *detail) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-timer.C:
			line := title + " ..."
			if took := time.Since(begin); took > interval {
				line = fmt.Sprintf("%s ... %.0f s so far", title, took.Seconds())
			}
			if text := d.get(); text != "" {
				line += ", waiting for " + text
			}
			r.Printf("%s", line)
			timer.Reset(interval)
		}
	}
}
