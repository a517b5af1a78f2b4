// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"testing"
	"time"
)

func TestClientsOfAFormerSourceAreSentAwayOnceMore(t *testing.T) {
	begun := time.Now()
	at := func(d time.Duration) time.Time { return begun.Add(d) }
	due := func(l *lingering, d time.Duration, want bool) {
		t.Helper()
		if got := l.isDue(at(d)); got != want {
			t.Errorf("after %v: due %v, want %v", d, got, want)
		}
	}
	t.Run("after it was closed, and after it first followed", func(t *testing.T) {
		var l lingering
		l.closed(at(0))
		due(&l, lingersFor-1, false)
		due(&l, lingersFor, true)
		l.ended(at(lingersFor))
		due(&l, lingersFor, false)
		l.follows(at(5 * time.Second))
		due(&l, 5*time.Second+lingersFor-1, false)
		due(&l, 5*time.Second+lingersFor, true)
		l.ended(at(5*time.Second + lingersFor))
		l.follows(at(20 * time.Second))
		due(&l, time.Hour, false)
	})
	t.Run("not on a replica that follows another", func(t *testing.T) {
		var l lingering
		l.follows(at(0))
		due(&l, time.Hour, false)
	})
	t.Run("not on one that is the source again", func(t *testing.T) {
		var l lingering
		l.closed(at(0))
		l.opened()
		due(&l, time.Hour, false)
		l.follows(at(0))
		due(&l, time.Hour, false)
	})
	t.Run("a time that was set meanwhile stays", func(t *testing.T) {
		var l lingering
		l.closed(at(0))
		l.closed(at(time.Second))
		l.ended(at(lingersFor))
		due(&l, time.Second+lingersFor, true)
	})
}
