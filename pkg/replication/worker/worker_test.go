// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/replication/mysql"
)

// converged is a world of n members that replicate.
func converged(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t, n)
	if out := w.run(8); out.Plan.State != mysql.Healthy || out.Recorded.Source != "u0" {
		t.Fatalf("%s: %s\n%s", out.Plan.State, out.Plan.Message, w.trace())
	}
	w.calls = nil
	return w
}

// called compares the calls that were made.
func (w *world) called(want ...string) {
	w.t.Helper()
	if d := cmp.Diff(want, w.calls); d != "" {
		w.t.Errorf("calls: -want +got:\n%s", d)
	}
}

func TestConvergence(t *testing.T) {
	t.Run("semi-sync begins when the replicas have caught up", func(t *testing.T) {
		w := newWorld(t, 3)
		w.run(8)
		w.called(
			"save Adopt: u0 is the source",
			"Promote u0 w=0 open=true",
			"Follow u1 u0", "Follow u2 u0",
			"save Durability: commits wait for 1 of u1, u2",
			"Promote u0 w=1 open=true",
			"Follow u1 u0 ack", "Follow u2 u0 ack",
			"save Durability",
		)
		if d := w.loaded.Recorded.Durability; len(d) != 1 || d[0].W != 1 || len(d[0].Members) != 2 {
			t.Errorf("durability %+v", d)
		}
	})
	t.Run("at rest nothing is called or recorded", func(t *testing.T) {
		w := converged(t, 3)
		w.run(5)
		w.called()
	})
	t.Run("one member waits for nobody", func(t *testing.T) {
		w := converged(t, 1)
		if n := w.commit(w.server("u0"), 3); n != 3 {
			t.Errorf("%d of 3 commits were acknowledged", n)
		}
	})
}

func TestSwitchover(t *testing.T) {
	t.Run("from fence to open in one pass with one write", func(t *testing.T) {
		w := converged(t, 3)
		w.loaded.Request.Source = "u1"
		out := w.run(1)
		w.called(
			"save Begin: u1 is to become the source in place of u0 (Requested)",
			"Demote u0",
			"save Commit: u1 is the source now, u0 was before (Requested; its fence: Closed)",
			"Promote u1 w=1 open=true",
			"Follow u0 u1 ack", "Follow u2 u1 ack",
			"save End: "+out.Changes[2].Message,
		)
		if out.Recorded.Source != "u1" || out.Recorded.Operation != nil {
			t.Errorf("got %+v", out.Recorded)
		}
		if out = w.run(4); out.Plan.State != mysql.Healthy || len(out.Recorded.Durability) != 1 {
			t.Errorf("%s: %s; %+v", out.Plan.State, out.Plan.Message, out.Recorded.Durability)
		}
		if !strings.HasPrefix(out.Plan.Message, "u1 is the source") {
			t.Error(out.Plan.Message)
		}
	})
}
