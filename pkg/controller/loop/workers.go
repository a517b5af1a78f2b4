// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"sync"
)

// work until the queue is shut down, or another worker has taken the place.
func (l *Loop) work(ctx context.Context) {
	for {
		if more, replaced := l.processNext(ctx); !more || replaced {
			return
		}
	}
}

// standIn hires a worker in the caller's place once its sync takes long. What is returned
// is called when the sync has ended, and says whether that has happened.
func (l *Loop) standIn() (ended func() bool) {
	if l.cfg.StandInAfter <= 0 || l.hire == nil {
		return func() bool { return false }
	}
	timer := l.cfg.Clock.NewTimer(l.cfg.StandInAfter)
	done := make(chan struct{})
	var mu sync.Mutex
	over, hired := false, false
	go func() {
		defer timer.Stop()
		select {
		case <-timer.C():
			mu.Lock()
			defer mu.Unlock()
			if hired = !over; hired {
				l.hire()
			}
		case <-done:
		}
	}()
	return func() bool {
		close(done)
		mu.Lock()
		defer mu.Unlock()
		over = true
		return hired
	}
}
