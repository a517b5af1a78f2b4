// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// story is a site in which nothing happens by chance.
type story struct {
	*site
	t    *testing.T
	p, q *process
}

// newStory of a healthy set that is asked for so.
func newStory(t *testing.T, units int, asked func(*topology.Request)) *story {
	t.Helper()
	var s *site
	for seed := uint64(0); s == nil || len(s.nodes) != units; seed++ {
		s = newSite(seed)
	}
	s.request.Sync, s.request.Durability.Preferred, s.mayLose = true, false, false
	asked(&s.request)
	st := &story{site: s, t: t, p: s.processes[0], q: s.processes[1]}
	for rest := 0; rest < 5; {
		if len(s.trace) > 200 {
			t.Fatalf("it does not become healthy:\n%s", strings.Join(s.trace, "\n"))
		}
		st.flow()
		if rest++; st.next(st.p) != "Healthy/Healthy" {
			rest = 0
		}
	}
	s.trace = nil
	return st
}

// flow: servers that may run do, and all WAL arrives where it is received.
func (s *story) flow() {
	for _, m := range s.seats {
		s.start(m)
		for m.upstream != nil && m.upstream.primary && !m.upstream.down && m.wal.End < m.upstream.wal.End {
			s.receive(m.node)
		}
		s.receive(m.node)
		s.reload(m.node)
	}
}

// next is what a process decides, done.
func (s *story) next(p *process) string {
	plan := Decide(s.look(p))
	s.say("%s: %s", line(plan), plan.Message)
	if plan.Change != nil {
		s.view.Recorded = plan.Change.To.Clone()
	}
	p.memory = plan.Memory
	for _, call := range plan.Steps {
		s.calls++
		s.obey(numbered{call, s.calls, s.seat(call.Member).pod})
	}
	return line(plan)
}

// decides checks what a process does, one decision after the other.
func (s *story) decides(p *process, want ...string) {
	s.t.Helper()
	for _, w := range want {
		if got := s.next(p); got != w {
			s.t.Fatalf("got  %s\nwant %s\n%s", got, w, strings.Join(s.trace, "\n"))
		}
	}
}

// commitsUnknown: a commit is recorded, and who has written it does not know that.
func (s *story) commitsUnknown(p *process, want string) {
	s.t.Helper()
	before, memory := s.view.Recorded.Clone(), p.memory
	s.decides(p, want)
	p.memory, p.stale = memory, &before
	p.memory.CommitUnknown = true
}

// ends well: nobody has lost anything, and no two follow each other who have diverged.
func (s *story) endsWell() {
	s.t.Helper()
	if s.rest(); s.violated != "" {
		s.t.Errorf("%s\n%s", s.violated, strings.Join(s.trace, "\n"))
	}
}

// The promotion by which a commit is taken back is recorded nowhere, and who has made it is
// away: the next promotion that is recorded gets another number.
func TestStoryTakenBackWithoutARecord(t *testing.T) {
	s := newStory(t, 3, func(r *topology.Request) { r.Durability.Replicas = 2 })
	s.request.Switchover = "u2"
	s.decides(s.p, "InOperation/Preparing save Begin switchover-2-Requested u0->u2", "InOperation/Preparing Demote(u0)")
	s.commitsUnknown(s.p, "InOperation/Preparing save Commit switchover-2-Requested u0->u2")
	s.decides(s.p, "InOperation/Preparing Promote(u0 w=2 timeline=6 open)")
	s.write(s.node("u0"))
	s.seat("u0").cut = true
	s.decides(s.q,
		"InOperation/Opening save Resume switchover-2-Requested u0->u2",
		"InOperation/Opening Isolate(u1) Isolate(u2)",
		"InOperation/Opening Promote(u2 w=2 timeline=5 open)",
		"InOperation/Opening Follow(u1<-u2)",
		"InOperation/Opening save End",
	)
	s.request.Switchover = ""
	s.stop(s.seat("u2"), false)
	s.decides(s.q,
		"InOperation/Fencing save Begin failover-4-SourceFailed u2->",
		"InOperation/Fencing Isolate(u1) Hold(u2)",
		"InOperation/Fencing save Commit failover-4-SourceFailed u2->u1",
		"InOperation/Opening Demote(u2)",
		"InOperation/Opening Promote(u1 w=1 timeline=7 open)",
	)
	s.endsWell()
}

// The same where a switchover is taken back before its commit: the old primary is promoted
// again, and cut off before anybody has seen that.
func TestStoryTakenBackAndCutOff(t *testing.T) {
	s := newStory(t, 4, func(r *topology.Request) { r.Durability.Replicas = 1 })
	s.request.Switchover = "u2"
	s.decides(s.p, "InOperation/Preparing save Begin switchover-2-Requested u0->u2", "InOperation/Preparing Demote(u0)")
	s.stop(s.seat("u2"), false)
	s.decides(s.p, "InOperation/Preparing Promote(u0 w=1 timeline=6 open)")
	s.write(s.node("u0"))
	s.seat("u0").cut = true
	s.stop(s.seat("u0"), false)
	s.start(s.seat("u2"))
	s.request.Switchover = ""
	s.decides(s.p, "InOperation/Preparing save End", "SourceFailed/SourceFailed")
	s.now = s.now.Add(retryAfter)
	s.decides(s.p,
		"InOperation/Fencing save Begin failover-3-SourceFailed u0->",
		"InOperation/Fencing Isolate(u1) Isolate(u2) Isolate(u3)",
		"InOperation/Fencing save Commit failover-3-SourceFailed u0->u1",
		"InOperation/Opening Promote(u1 w=1 timeline=5 open)",
	)
	s.endsWell()
}

// A former primary that the process before has demoted is demoted by the next one as well, and
// asked: what it acknowledged after the commit is neither lost nor waited for in vain.
func TestStoryFormerPrimaryDemotedByAnother(t *testing.T) {
	s := newStory(t, 3, func(r *topology.Request) { r.Sync = false })
	s.request.Switchover = "u2"
	s.decides(s.p, "InOperation/Preparing save Begin switchover-2-Requested u0->u2", "InOperation/Preparing Demote(u0)")
	s.commitsUnknown(s.p, "InOperation/Preparing save Commit switchover-2-Requested u0->u2")
	s.decides(s.p, "InOperation/Preparing Promote(u0 w=0 timeline=6 open)")
	s.write(s.node("u0"))
	s.stop(s.seat("u0"), false)
	s.decides(s.q,
		"InOperation/Opening save Resume switchover-2-Requested u0->u2",
		"InOperation/Opening Hold(u0)",
		"InOperation/DataLossRisk Demote(u0)",
	)
	*s.q = process{}
	s.decides(s.q,
		"InOperation/Opening save Resume switchover-2-Requested u0->u2",
		"InOperation/Opening Hold(u0)",
		"InOperation/DataLossRisk Unhold(u0)",
		"InOperation/DataLossRisk Demote(u0)",
	)
	s.endsWell()
}

// The new primary loses its volume before it is promoted, and the others have roles in their
// former pods only: they are started and asked, and the former primary takes its role back.
func TestStoryNewPrimaryLosesItsVolume(t *testing.T) {
	s := newStory(t, 3, func(*topology.Request) {})
	s.request.Switchover = "u2"
	s.decides(s.p,
		"InOperation/Preparing save Begin switchover-2-Requested u0->u2",
		"InOperation/Preparing Demote(u0)",
		"InOperation/Preparing save Commit switchover-2-Requested u0->u2",
	)
	for _, m := range s.seats {
		s.stop(m, false)
		s.newPod(m)
	}
	s.seat("u2").empty = true
	s.now = s.now.Add(2 * switchoverTime)
	s.decides(s.p,
		"InOperation/Unreachable Isolate(u0) Isolate(u1)",
		"InOperation/Fencing save Begin failover-3-TakenBack u2->u0",
	)
	s.endsWell()
}
