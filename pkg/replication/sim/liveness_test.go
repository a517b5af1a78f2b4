// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"testing"
)

// TestSwitchoversUnderWrites asks for another source again and again while clients
// write all the time: each comes, and loses nothing.
func TestSwitchoversUnderWrites(t *testing.T) {
	for _, async := range []bool{false, true} {
		w := newWorld(3, AllRules())
		// A replica is faster than what it has to catch up with.
		w.async, w.speed = async, 2
		defer w.stopOperator(0)
		w.begin(Worker)
		for i := range 6 {
			want := (i + 1) % 3
			w.journal.wanted = want
			rounds := 0
			for ; rounds < 60 && (w.opened != w.members[want].server || w.journal.recorded.Operation != nil); rounds++ {
				for _, m := range w.members {
					w.tryCommit(m.server)
				}
				w.round(Worker)
			}
			if rounds == 60 {
				t.Fatalf("async %v: switchover %d to u%d does not come", async, i, want)
			}
		}
		w.recover(Worker)
		if w.violation != "" || !w.Settled() {
			t.Errorf("async %v: %s, settled %v", async, w.violation, w.Settled())
		}
	}
}
