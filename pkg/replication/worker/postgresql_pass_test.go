// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/replication/postgresql"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// convergedPostgreSQL is a world of n members that replicate.
func convergedPostgreSQL(t *testing.T, n int) *postgresqlWorld {
	t.Helper()
	w := newPostgreSQLWorld(t, n)
	if out := w.run(8); out.Plan.State != postgresql.Healthy || out.Recorded.Source != "u0" {
		t.Fatalf("%s: %s\n%s", out.Plan.State, out.Plan.Message, w.trace())
	}
	w.calls = nil
	return w
}

// kinds of calls that were made, and of whom.
func (w *postgresqlWorld) kinds() (kinds []string) {
	for _, call := range w.calls {
		fields := strings.Fields(call)
		kinds = append(kinds, strings.TrimSuffix(strings.Join(fields[:2], " "), ":"))
	}
	return kinds
}

// compare the positions of all members with that of one.
func (w *postgresqlWorld) allHave(name string) {
	w.t.Helper()
	w.stream()
	want := w.clusters[name].wal
	for _, s := range w.servers {
		if relation, at := wal.Compare(w.clusters[s.name].wal, want); relation != wal.Same {
			w.t.Errorf("%s is %s %s, from %s on\n%s", s.name, relation, name, at, w.trace())
		}
	}
}

func TestPostgreSQLIsAdopted(t *testing.T) {
	w := newPostgreSQLWorld(t, 3)
	out := w.run(8)
	if out.Plan.State != postgresql.Healthy {
		t.Errorf("%s: %s", out.Plan.State, out.Plan.Message)
	}
	w.called(
		"save Adopt: u0 is the primary",
		w.calls[1],
		"Provision u1 u0 replace=false", "Provision u2 u0 replace=false",
		"Isolate u1", "Isolate u2",
		"Follow u1 u0 timeline=0", "Follow u2 u0 timeline=0",
		"save Durability: commits wait for 1 of u1, u2",
		"Promote u0 w=1 timeline=0 slots=u1,u2",
		"save Durability: commits wait for 1 of u1, u2",
	)
	if !strings.HasPrefix(w.calls[1], "Promote u0 w=0 ") || !strings.HasSuffix(w.calls[1], " slots=u1,u2") {
		t.Errorf("after the adoption: %s", w.calls[1])
	}
	r := out.Recorded
	if r.Data.SystemID != system || r.Data.Timeline != 1 || len(r.Durability) != 1 || r.Durability[0].W != 1 {
		t.Errorf("data %+v, durability %+v", r.Data, r.Durability)
	}
	w.allHave("u0")
	t.Run("at rest nothing is called or recorded", func(t *testing.T) {
		w.calls = nil
		w.run(5)
		if len(w.calls) != 0 {
			t.Error(w.trace())
		}
	})
}

func TestSwitchoverOfPostgreSQL(t *testing.T) {
	w := convergedPostgreSQL(t, 3)
	w.loaded.Request.Source = "u1"
	out := w.run(1)
	if d := cmp.Diff([]string{
		"save Begin", "Demote u0", "save Commit", "Promote u1", "Follow u0", "Follow u2", "save End",
	}, w.kinds()[:7]); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	commit := w.saved(topology.ChangeCommit).To
	promoted := w.clusters["u1"].wal.History
	begin, _ := promoted.Begin(promoted.Timeline())
	if got := commit.Data; got.Timeline != int64(promoted.Timeline()) || got.BeginLSN != begin.String() || got.Timeline < 2 {
		t.Errorf("recorded was %+v, begun timeline %d at %s", got, promoted.Timeline(), begin)
	}
	if out.Recorded.Source != "u1" || out.Recorded.Operation != nil {
		t.Errorf("got %+v", out.Recorded)
	}
	if out = w.run(4); out.Plan.State != postgresql.Healthy || len(out.Recorded.Durability) != 1 {
		t.Errorf("%s: %s; %+v", out.Plan.State, out.Plan.Message, out.Recorded.Durability)
	}
	w.allHave("u1")
}

// The agent chooses between pg_rewind and a base backup; the worker asks for one or the other
// by the same call, for the database that may be replaced.
func TestAPostgreSQLThatDivergedIsMadeACopy(t *testing.T) {
	w := convergedPostgreSQL(t, 3)
	enableFailover(w.world)
	u0 := w.server("u0")
	u0.away, u0.cut = true, true
	w.member("u0").PodReady = false
	out := w.run(12)
	if out.Recorded.Source != "u1" || out.Recorded.Operation != nil {
		t.Fatalf("source %s, %s: %s\n%s", out.Recorded.Source, out.Plan.State, out.Plan.Message, w.trace())
	}
	// Commits that wait are in its WAL.
	w.clusters["u0"].wal.End += 0x1000
	u0.away, u0.cut, w.calls = false, false, nil
	if out = w.run(8); out.Plan.State != postgresql.Healthy {
		t.Errorf("%s: %s\n%s", out.Plan.State, out.Plan.Message, w.trace())
	}
	if d := cmp.Diff([]string{"Demote u0", "Provision u0 u1 replace=true"}, w.calls[:min(2, len(w.calls))]); d != "" {
		t.Errorf("-want +got\n%s\n%s", d, w.trace())
	}
	w.allHave("u1")
}

func TestACommitOfPostgreSQLWhoseOutcomeIsNotKnown(t *testing.T) {
	// unknown commits: what is recorded of one may be decided by the caller.
	unknown := func(w *postgresqlWorld, recorded bool) {
		w.loaded.Request.Source = "u1"
		w.onSave = func(c topology.Change) error {
			if c.Kind != topology.ChangeCommit {
				return nil
			}
			if recorded {
				w.loaded.Recorded = asTheAPIKeeps(w.t, c.To)
			}
			return context.DeadlineExceeded
		}
	}
	t.Run("it was not recorded: the old primary is promoted again, by calls to agents alone", func(t *testing.T) {
		w := convergedPostgreSQL(t, 3)
		unknown(w, false)
		w.run(1)
		if d := cmp.Diff([]string{"save Begin", "Demote u0", "save Commit", "Promote u0"}, w.kinds()); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
		if w.server("u0").readOnly {
			t.Error("u0 is no primary")
		}
		w.onSave = nil
		if out := w.run(12); out.Plan.State != postgresql.Healthy || out.Recorded.Source != "u1" {
			t.Errorf("%s: %s\n%s", out.Plan.State, out.Plan.Message, w.trace())
		}
		w.allHave("u1")
	})
	t.Run("it was recorded: the fence comes again before the new one is promoted", func(t *testing.T) {
		w := convergedPostgreSQL(t, 3)
		unknown(w, true)
		w.run(1)
		if w.server("u0").readOnly {
			t.Fatalf("u0 is no primary\n%s", w.trace())
		}
		// It has acknowledged that meanwhile.
		w.clusters["u0"].wal.End += 0x100
		acknowledged := w.clusters["u0"].wal
		w.onSave, w.calls = nil, nil
		out := w.run(12)
		if out.Plan.State != postgresql.Healthy {
			t.Errorf("%s: %s\n%s", out.Plan.State, out.Plan.Message, w.trace())
		}
		if d := cmp.Diff([]string{"save Resume", "Demote u0"}, w.kinds()[:2]); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
		if relation, at := wal.Compare(acknowledged, w.clusters[out.Recorded.Source].wal); relation != wal.Behind {
			t.Errorf("of what u0 acknowledged %s has only that up to %s (%s)\n%s", out.Recorded.Source, at, relation, w.trace())
		}
		w.allHave(out.Recorded.Source)
	})
}
