// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
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

// lost says which of n acknowledged transactions of a server the source lacks.
func (w *world) lost(of *host, n int) bool {
	source := w.server(w.loaded.Recorded.Source)
	for i := 1; i <= n; i++ {
		if !source.executed.Contains(gtid.MustParse(fmt.Sprintf("%s:%d", of.uuid, i))) {
			return true
		}
	}
	return false
}

// labels records what becomes of the source's label.
type labels struct{ w *world }

func (l labels) Publish(_ context.Context, source string, _ int64) error {
	l.w.calls = append(l.w.calls, "publish "+source)
	return nil
}

func (l labels) Withdraw(_ context.Context, source string, _ int64) error {
	l.w.calls = append(l.w.calls, "withdraw "+source)
	return errors.New("the API server is slow")
}

func TestTheLabelIsWithdrawnBeforeTheFence(t *testing.T) {
	w := converged(t, 3)
	w.loaded.Request.Source = "u1"
	worker := w.worker()
	worker.Endpoints = labels{w}
	if _, err := worker.Run(t.Context(), &w.memory); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"withdraw u0", "Demote u0"}, w.calls[1:3]); d != "" {
		t.Error(d)
	}
	// The others are asked to follow at the same time.
	if d := cmp.Diff([]string{"Promote u1 w=1 open=true", "Follow u0 u1 ack", "Follow u2 u1 ack", "publish u1"}, w.calls[4:8]); d != "" {
		t.Error(d)
	}
	if n := strings.Count(w.trace(), "publish"); n != 1 {
		t.Errorf("published %d times\n%s", n, w.trace())
	}
}

func TestSwitchoverIsTakenBack(t *testing.T) {
	t.Run("the commit is not confirmed: by calls to agents alone", func(t *testing.T) {
		w := converged(t, 3)
		w.loaded.Request.Source = "u1"
		w.onSave = func(c topology.Change) error {
			if c.Kind == topology.ChangeCommit {
				return context.DeadlineExceeded
			}
			return nil
		}
		w.run(1)
		w.called(
			"save Begin: u1 is to become the source in place of u0 (Requested)",
			"Demote u0",
			"save Commit: u1 is the source now, u0 was before (Requested; its fence: Closed)",
			"Promote u0 w=1 open=true",
		)
		if n := w.commit(w.server("u0"), 2); n != 2 {
			t.Errorf("%d of 2 commits were acknowledged", n)
		}
	})
	t.Run("the commit is not confirmed, but was recorded: the fence comes again", func(t *testing.T) {
		w := converged(t, 3)
		u0 := w.server("u0")
		w.loaded.Request.Source = "u1"
		w.onSave = func(c topology.Change) error {
			if c.Kind != topology.ChangeCommit {
				return nil
			}
			w.loaded.Recorded = c.To.Clone()
			return context.DeadlineExceeded
		}
		w.run(1)
		if n := w.commit(u0, 3); n != 3 {
			t.Errorf("%d of 3 commits were acknowledged", n)
		}
		w.onSave, w.calls = nil, nil
		out := w.run(6)
		if out.Plan.State != mysql.Healthy || out.Recorded.Source != "u1" || w.lost(u0, 3) {
			t.Errorf("%s, source %s\n%s", out.Plan.Message, out.Recorded.Source, w.trace())
		}
		if d := cmp.Diff([]string{w.calls[0], "Demote u0"}, w.calls[:2]); d != "" || !strings.HasPrefix(w.calls[0], "save Resume") {
			t.Errorf("it begins with %s\n%s", w.calls[0], d)
		}
	})
	t.Run("the applier of the target stops during it: writes go on at the old source", func(t *testing.T) {
		w := converged(t, 3)
		w.loaded.Request.Source = "u1"
		u0, u1 := w.server("u0"), w.server("u1")
		w.onCall = func(kind string, s *host) error {
			if kind == "Demote" && !u1.noApply {
				// The last commit arrives, and is not applied.
				u1.noApply = true
				w.commit(u0, 1)
			}
			return nil
		}
		out := w.run(1)
		if out.Recorded.Source != "u0" || out.Recorded.Operation != nil || u0.readOnly {
			t.Errorf("source %s, %+v\n%s", out.Recorded.Source, out.Recorded.Operation, w.trace())
		}
		if n := w.commit(u0, 2); n != 2 {
			t.Errorf("%d of 2 commits were acknowledged", n)
		}
		if out.Plan.State != mysql.SwitchoverDue || !strings.Contains(out.Plan.Message, "applier of u1 is stopped") {
			t.Errorf("%s: %s", out.Plan.State, out.Plan.Message)
		}
	})
	t.Run("somebody else has written: it is read again at once, and the fence comes again", func(t *testing.T) {
		w := converged(t, 3)
		w.loaded.Request.Source = "u1"
		conflicts := 1
		w.onSave = func(c topology.Change) error {
			if c.Kind == topology.ChangeCommit && conflicts > 0 {
				conflicts--
				return ErrConflict
			}
			return nil
		}
		out := w.run(1)
		if out.Recorded.Source != "u1" || out.Recorded.Operation != nil || out.Recorded.Epoch != 3 {
			t.Errorf("source %s, epoch %d\n%s", out.Recorded.Source, out.Recorded.Epoch, w.trace())
		}
	})
	t.Run("the source cannot be closed", func(t *testing.T) {
		w := converged(t, 3)
		w.loaded.Request.Source = "u1"
		w.onCall = func(kind string, _ *host) error {
			if kind == "Demote" {
				return errors.New("no answer")
			}
			return nil
		}
		out := w.run(1)
		if out.Recorded.Source != "u0" || out.Recorded.Operation != nil || w.server("u0").readOnly {
			t.Errorf("source %s, %+v\n%s", out.Recorded.Source, out.Recorded.Operation, w.trace())
		}
	})
}

func TestClientsBeforeASwitchover(t *testing.T) {
	t.Run("a table that is being altered is not interrupted", func(t *testing.T) {
		w := converged(t, 3)
		w.loaded.Request.Source = "u1"
		w.activity.Definitions = []agentclient.Statement{{Kind: "ALTER TABLE", User: "app", Host: "10.0.0.9", Session: 7}}
		out := w.run(1)
		if out.Recorded.Source != "u0" || !strings.Contains(out.Plan.Message, "ALTER TABLE by app@10.0.0.9 (session 7)") {
			t.Errorf("source %s: %s", out.Recorded.Source, out.Plan.Message)
		}
		w.called("save Begin: u1 is to become the source in place of u0 (Requested)", w.calls[1])
	})
	t.Run("a transaction has 30 seconds to finish, while writes flow", func(t *testing.T) {
		w := converged(t, 3)
		w.loaded.Request.Source = "u1"
		w.activity.Transactions = []agentclient.Transaction{{RowsModified: 9, Open: time.Minute}, {Open: time.Hour}}
		begun := w.now
		for w.loaded.Recorded.Source == "u0" && w.now.Sub(begun) < time.Hour {
			if out := w.run(1); out.Plan.State == mysql.InOperation && !strings.Contains(out.Plan.Message, "waiting for 1 transactions") {
				t.Fatal(out.Plan.Message)
			}
		}
		if took := w.now.Sub(begun); took < 30*time.Second || took > 35*time.Second {
			t.Errorf("it took %s\n%s", took, w.trace())
		}
	})
}

func enableFailover(w *world) {
	w.loaded.Request.Failover = topology.Failover{Enabled: true, Delay: 5 * time.Second, MinimumInterval: time.Minute}
}

func TestFailover(t *testing.T) {
	t.Run("a source whose server died is held, and another promoted", func(t *testing.T) {
		w := converged(t, 3)
		enableFailover(w)
		u0 := w.server("u0")
		w.commit(u0, 5)
		u0.down = true
		w.member("u0").PodReady = false
		out := w.run(12)
		if out.Recorded.Source != "u1" || w.server("u1").readOnly || w.lost(u0, 5) {
			t.Fatalf("source %s, %s: %s\n%s", out.Recorded.Source, out.Plan.State, out.Plan.Message, w.trace())
		}
		if how := w.saved(topology.ChangeCommit).To.Operation.Fence.How; how != "Stopped" {
			t.Errorf("the fence was %s", how)
		}
		t.Run("it comes back, is compared and follows", func(t *testing.T) {
			u0.down = false
			out := w.run(8)
			if out.Plan.State != mysql.Healthy || w.upstream(u0) != w.server("u1") || !u0.readOnly {
				t.Errorf("%s: %s\n%s", out.Plan.State, out.Plan.Message, w.trace())
			}
		})
	})
	t.Run("a source that is cut off is fenced by a quorum, and closed when it returns", func(t *testing.T) {
		w := converged(t, 3)
		enableFailover(w)
		u0 := w.server("u0")
		w.commit(u0, 5)
		u0.away, u0.cut = true, true
		w.member("u0").PodReady = false
		out := w.run(12)
		if out.Recorded.Source != "u1" || w.lost(u0, 5) {
			t.Fatalf("source %s, %s: %s\n%s", out.Recorded.Source, out.Plan.State, out.Plan.Message, w.trace())
		}
		if how := w.saved(topology.ChangeCommit).To.Operation.Fence.How; how != "Quorum" {
			t.Errorf("the fence was %s", how)
		}
		// A client of its own network commits, and is never acknowledged.
		if n := w.commit(u0, 1); n != 0 {
			t.Error("a commit of the source that is cut off was acknowledged")
		}
		u0.away, u0.cut = false, false
		out = w.run(8)
		if !u0.readOnly || out.Plan.State != mysql.Degraded || out.Plan.Labels["u0"] != "" {
			t.Errorf("%s: %s, label %q\n%s", out.Plan.State, out.Plan.Message, out.Plan.Labels["u0"], w.trace())
		}
		if e := w.reported("u0").Errant; e == nil || e.GTIDs != u0.uuid+":6" || e.Evidence != "evidence" {
			t.Errorf("errant %+v", e)
		}
	})
	t.Run("with one replica away acknowledged commits may be lost: refused", func(t *testing.T) {
		w := converged(t, 3)
		enableFailover(w)
		w.server("u0").down, w.server("u2").away = true, true
		w.member("u0").PodReady = false
		out := w.run(20)
		if out.Recorded.Source != "u0" || out.Recorded.Operation != nil || out.Recorded.Epoch != 1 {
			t.Errorf("source %s, epoch %d", out.Recorded.Source, out.Recorded.Epoch)
		}
	})
	t.Run("the member that has all is taken, and what is only received is applied", func(t *testing.T) {
		w := converged(t, 3)
		enableFailover(w)
		u0, u2 := w.server("u0"), w.server("u2")
		w.server("u1").cut = true
		w.commit(u0, 3)
		u2.noApply = true
		w.commit(u0, 2)
		w.server("u1").cut, u0.down, u2.noApply = false, true, false
		w.member("u0").PodReady = false
		out := w.run(12)
		if out.Recorded.Source != "u2" || w.lost(u0, 5) {
			t.Errorf("source %s, %s: %s\n%s", out.Recorded.Source, out.Plan.State, out.Plan.Message, w.trace())
		}
	})
	t.Run("the member that is asked for gets what it lacks first", func(t *testing.T) {
		w := converged(t, 3)
		u0 := w.server("u0")
		w.server("u1").cut = true
		w.commit(u0, 3)
		w.server("u1").cut, u0.down, u0.cut = false, true, true
		w.member("u0").PodReady = false
		w.loaded.Request.Source = "u1"
		out := w.run(12)
		if out.Recorded.Source != "u1" || w.lost(u0, 3) {
			t.Errorf("source %s, %s: %s\n%s", out.Recorded.Source, out.Plan.State, out.Plan.Message, w.trace())
		}
	})
	t.Run("a source that answers again before the commit stays", func(t *testing.T) {
		w := converged(t, 3)
		enableFailover(w)
		u0 := w.server("u0")
		u0.away = true
		w.member("u0").PodReady = false
		w.server("u1").cut, w.server("u2").cut = true, true
		w.onCall = func(kind string, _ *host) error {
			if kind == "Isolate" {
				u0.away = false
				return errors.New("no answer")
			}
			return nil
		}
		w.run(8)
		w.onCall = nil
		w.server("u1").cut, w.server("u2").cut = false, false
		out := w.run(6)
		if out.Recorded.Source != "u0" || out.Plan.State != mysql.Healthy {
			t.Errorf("source %s, %s: %s\n%s", out.Recorded.Source, out.Plan.State, out.Plan.Message, w.trace())
		}
	})
}

// saved is the last change of a kind.
func (w *world) saved(kind topology.ChangeKind) topology.Change {
	w.t.Helper()
	for _, c := range slices.Backward(w.saves) {
		if c.Kind == kind {
			return c
		}
	}
	w.t.Fatalf("no %s was recorded\n%s", kind, w.trace())
	return topology.Change{}
}

// reported is what status.topology shows of a member.
func (w *world) reported(name string) *v1alpha1.ReplicationMemberStatus {
	w.t.Helper()
	if m := w.loaded.Recorded.Member(name); m != nil {
		return m
	}
	w.t.Fatalf("nothing is reported of %s", name)
	return nil
}

// The process ends before each call and each write of an operation, and another one goes
// on from what is recorded.
func TestTheOperatorEndsAtEachCall(t *testing.T) {
	for name, begin := range map[string]func(w *world){
		"of a switchover": func(w *world) { w.loaded.Request.Source = "u1" },
		"of a failover": func(w *world) {
			enableFailover(w)
			w.server("u0").down = true
			w.member("u0").PodReady = false
		},
		"of a failover by quorum": func(w *world) {
			enableFailover(w)
			w.server("u0").away, w.server("u0").cut = true, true
			w.member("u0").PodReady = false
		},
	} {
		t.Run(name, func(t *testing.T) {
			for end := 1; ; end++ {
				w := converged(t, 3)
				u0 := w.server("u0")
				acknowledged := w.commit(u0, 5)
				begin(w)
				left, ended := end, false
				stop := func() error {
					if left--; left > 0 {
						return nil
					}
					ended = true
					return errors.New("the process has ended")
				}
				w.onCall = func(kind string, _ *host) error {
					if kind == "Observe" {
						return nil
					}
					return stop()
				}
				w.onSave = func(topology.Change) error { return stop() }
				for range 12 {
					w.run(1)
					if ended {
						break
					}
				}
				w.onCall, w.onSave, w.memory = nil, nil, topology.Memory{}
				acknowledged += w.commit(u0, 2)
				out := w.run(15)
				if out.Recorded.Source != "u1" || out.Recorded.Operation != nil || w.server("u1").readOnly || w.lost(u0, acknowledged) {
					t.Fatalf("after %d calls: source %s, %s: %s\n%s", end, out.Recorded.Source, out.Plan.State, out.Plan.Message, w.trace())
				}
				if !ended {
					t.Logf("%d calls", end-1)
					return
				}
			}
		})
	}
}

// It would end the process otherwise; the caller's is an error of one object.
func TestAPanicOfOneCallIsTheCallersOnceAllHaveEnded(t *testing.T) {
	var ended atomic.Int32
	var crash any
	func() {
		defer func() { crash = recover() }()
		AtOnce(3, func(i int) {
			if i == 1 {
				panic("an answer that nobody expected")
			}
			time.Sleep(10 * time.Millisecond)
			ended.Add(1)
		})
	}()
	if text := fmt.Sprint(crash); !strings.Contains(text, "an answer that nobody expected") || !strings.Contains(text, "worker_test.go") {
		t.Errorf("panic %v", crash)
	}
	if n := ended.Load(); n != 2 {
		t.Errorf("%d of the other 2 calls had ended", n)
	}
}
