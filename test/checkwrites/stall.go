// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"sync"
	"time"
)

// nap is how long the measurement sleeps: what it sleeps longer is a stall.
const nap = 10 * time.Millisecond

// Stalls of the machine, as a goroutine of this process sees them that asks to be woken
// every 10 ms. A gap that was measured while the machine stood still says nothing about
// the databases.
type Stalls struct {
	mu    sync.Mutex
	found []stall
}

type stall struct {
	at   time.Time
	late time.Duration
}

// Measure until the context ends.
func (s *Stalls) Measure(ctx context.Context) {
	for {
		begun := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-time.After(nap):
		}
		s.add(time.Now(), time.Since(begun)-nap)
	}
}

func (s *Stalls) add(at time.Time, late time.Duration) {
	// Shorter ones are what any scheduler does.
	if late < nap {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = append(s.found, stall{at, late})
}

// Worst of those that reach into the window.
func (s *Stalls) Worst(from, to time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	worst := time.Duration(0)
	for _, f := range s.found {
		if f.at.After(from) && f.at.Add(-f.late).Before(to) {
			worst = max(worst, f.late)
		}
	}
	return worst
}
