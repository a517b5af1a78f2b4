// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// The runs below are always the same ones, so that a change is judged by what it changes. More
// of them: -first-seed 1000 -runs 50000.
var (
	firstSeed = flag.Uint64("first-seed", 1, "of the runs of TestDecisions")
	siteRuns  = flag.Uint64("runs", 500, "how many TestDecisions makes")
)

// Two processes that do what Decide says, whatever ends, is cut off or comes late: nobody
// acknowledges a commit who lacks one that was acknowledged before. When nothing happens any
// more the set becomes what it should be, by itself.
func TestDecisions(t *testing.T) {
	commits, acknowledged := 0, 0
	for seed := range *siteRuns {
		seed += *firstSeed
		s := runSite(seed, false)
		if s.violated != "" {
			t.Errorf("seed %d: %s\n%s", seed, s.violated, strings.Join(runSite(seed, true).trace, "\n"))
		}
		commits, acknowledged = commits+s.commits, acknowledged+len(s.acknowledged)
	}
	t.Logf("%d runs from seed %d: %d operations were committed, %d commits acknowledged", *siteRuns, *firstSeed, commits, acknowledged)
	if n := int(*siteRuns); commits < n || acknowledged < 10*n { //nolint:gosec // As many as one has time for.
		t.Error("too little happens")
	}
}

// runSite until it violates something, or has come to rest.
func runSite(seed uint64, traced bool) *site {
	s := newSite(seed)
	s.silent = !traced
	for range 500 {
		if s.event(); s.violated != "" {
			return s
		}
	}
	s.rest()
	return s
}

// rest: nothing fails any more, and nobody asks for anything.
func (s *site) rest() {
	s.say("nothing happens any more:")
	s.request.Switchover = ""
	var plan topology.Plan
	for range 200 {
		for _, m := range s.seats {
			m.cut = false
			s.start(m)
			s.receive(m.node)
			s.reload(m.node)
		}
		s.pass(s.processes[0])
		s.now = s.now.Add(10 * time.Second)
		if plan = Decide(s.look(s.processes[0])); plan.State == Healthy {
			break
		}
	}
	if plan.State != Healthy {
		s.violate("at rest it is %s: %s, %+v", plan.State, plan.Message, plan.Findings)
		return
	}
	for _, p := range s.acknowledged {
		if n := s.node(s.view.Recorded.Source); !s.mayLose && (!n.truth.History.Contains(p) || n.truth.End < p.LSN) {
			s.violate("at rest %s lacks %s", n.name, p)
		}
	}
}
