// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// In rpl_async the limit of lag is about what a member had received when the source was
// last seen, however long that is ago.
func TestMaximumLag(t *testing.T) {
	// The source had 5, 8 and 10 transactions, 20, 10 and 0 seconds before it was last seen,
	// an hour ago.
	seen := testNow.Add(-time.Hour)
	view := func(limit time.Duration, edits ...edit) View {
		return with(healthy(3), append([]edit{async, serverDown(0), deaf(1), deaf(2), enabled, failingFor(time.Hour), func(v *View) {
			v.Request.Failover.MaximumLag = &limit
			for _, p := range []struct {
				ago  time.Duration
				last string
			}{{20 * time.Second, "1-5"}, {10 * time.Second, "1-8"}, {0, "1-10"}} {
				v.Memory.Positions = append(v.Memory.Positions, topology.Position{At: seen.Add(-p.ago), ServerID: uuid(0), Executed: gtids(0, p.last)})
			}
		}}, edits...)...)
	}
	has := func(i int, executed, received string) edit {
		return member(i, func(m *Member) {
			m.Server.Executed, m.Server.Channel.Retrieved = gtids(0, executed), gtids(0, received)
		})
	}
	fencing := operating(v1alpha1.OperationFailover, topology.PhaseFencing, "", ReasonSourceFailed)
	const begins, refused = "InOperation/Fencing save Begin failover-8-SourceFailed u0->", "SourceFailed/SourceFailed"
	for name, tc := range map[string]struct {
		view View
		want string
	}{
		"both have all": {view(0), begins},
		"one has all":   {view(0, has(1, "1-5", "1-5")), begins},
		"what was received counts, applied or not": {view(0, has(1, "1-5", "1-10"), has(2, "1-5", "1-5")), begins},
		"both lack something, none may":            {view(0, has(1, "1-8", "1-8"), has(2, "1-8", "1-8")), refused},
		"ten seconds behind, ten may be":           {view(10*time.Second, has(1, "1-8", "1-8"), has(2, "1-5", "1-5")), begins},
		"twenty seconds behind, ten may be":        {view(10*time.Second, has(1, "1-5", "1-5"), has(2, "1-5", "1-5")), refused},
		"one that has all and errant transactions is none that may": {view(0, has(1, "1-8", "1-8"), func(v *View) {
			v.Recorded.Members[2].Errant = &v1alpha1.ReplicationErrant{GTIDs: uuid(2) + ":1"}
		}), refused},
		"nor one with data of before a restore": {view(0, has(1, "1-8", "1-8"), func(v *View) { v.Recorded.Data.Outdated = []string{uuid(2)} }), refused},
		"it is not known what the source had":   {view(time.Hour, func(v *View) { v.Memory.Positions = nil }), refused},
		"nor is what another one had of any use": {view(time.Hour, func(v *View) {
			for i := range v.Memory.Positions {
				v.Memory.Positions[i].ServerID = uuid(9)
			}
		}), refused},
		"the one that may is not there when the choice is made": {
			view(10*time.Second, fencing, held(0, 8), isolatedAt(1, 8), away(2), has(1, "1-5", "1-5")), "InOperation/Fencing Unhold(u0) Follow(u1<-u0)"},
		"it is there": {view(10*time.Second, fencing, held(0, 8), isolatedAt(1, 8), isolatedAt(2, 8), has(1, "1-5", "1-5")), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u2"},
		"the source's pod is back with other data: what it had counts": {
			view(0, has(2, "1-8", "1-8"), func(v *View) { v.Members[0].Seen.ServerID = uuid(9) }), begins},
		"the choice is made by a process that has not seen the source, and the one that began it had": {
			view(10*time.Second, fencing, held(0, 8), isolatedAt(1, 8), isolatedAt(2, 8), func(v *View) { v.Memory.Positions = nil }), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u1"},
		"a member that is asked for is made it all the same": {view(0, has(1, "1-8", "1-8"), has(2, "1-8", "1-8"), func(v *View) { v.Request.Source = "u1" }), "InOperation/Fencing save Begin failover-8-Requested u0->u1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideTwice(t, tc.view)
			if got := line(p); got != tc.want {
				t.Errorf("got  %s: %s %+v\nwant %s", got, p.Message, p.Findings, tc.want)
			}
			if tc.want == refused && (!found(p, ReasonDataLossRisk, "maximumLagSeconds") || !found(p, ReasonDataLossRisk, "naming another member as source")) {
				t.Errorf("no reason: %+v", p.Findings)
			}
		})
	}
}

// The delay counts from the failure, not from what was none.
func TestTheDelayOfAFailoverBeginsWithTheFailure(t *testing.T) {
	for name, before := range map[string]View{
		"after it was stopped by a user": with(healthy(3), serverDown(0), deaf(1), deaf(2), enabled, failingFor(time.Hour), member(0, func(m *Member) { m.StoppedByUser = true })),
		"after a pause":                  with(healthy(3), serverDown(0), deaf(1), deaf(2), enabled, failingFor(time.Hour), func(v *View) { v.Request.Paused = true }),
	} {
		t.Run(name, func(t *testing.T) {
			v := with(healthy(3), serverDown(0), deaf(1), deaf(2), enabled)
			v.Memory = Decide(before).Memory
			v.Now = v.Now.Add(time.Second)
			p := Decide(v)
			if got := line(p); got != "SourceFailed/SourceFailed" || !found(p, ReasonDelay, "30s") {
				t.Errorf("got %s: %+v", got, p.Findings)
			}
			v.Memory, v.Now = p.Memory, v.Now.Add(30*time.Second)
			if got := line(Decide(v)); got != "InOperation/Fencing save Begin failover-8-SourceFailed u0->" {
				t.Errorf("after the delay: %s", got)
			}
		})
	}
}

// Of an agent that comes back nothing is known but that it was away, until it has looked.
func TestAnAgentThatIsBackAndHasNotLookedBeginsTheDelayAnew(t *testing.T) {
	for name, tc := range map[string]struct {
		back edit
		want string
	}{
		"it has not looked yet":       {unlooked(0), "SourceFailed/SourceFailed"},
		"it says that nothing serves": {serverDown(0), "InOperation/Fencing save Begin failover-8-SourceFailed u0->"},
	} {
		t.Run(name, func(t *testing.T) {
			v := with(healthy(3), enabled, failingFor(20*time.Second), away(0))
			gone := Decide(v)
			if got := line(gone); got != "SourceUnreachable/Unreachable" {
				t.Fatalf("got %s", got)
			}
			v = with(healthy(3), enabled, tc.back)
			v.Memory, v.Now = gone.Memory, v.Now.Add(10*time.Second)
			p := Decide(v)
			if got := line(p); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			v.Memory, v.Now = p.Memory, v.Now.Add(30*time.Second)
			if got := line(Decide(v)); tc.want != got && got != "InOperation/Fencing save Begin failover-8-SourceFailed u0->" {
				t.Errorf("after the delay: %s", got)
			}
		})
	}
}

// A server hangs, and its agent is away each other time that it is asked, as one that waits
// for a server that hangs may seem to be: the time in which it says so adds up.
func TestAnAgentThatIsAwayNowAndThenKeepsNoServerThatHangs(t *testing.T) {
	memory := with(healthy(3)).Memory
	for after := time.Duration(0); after < 2*time.Minute; after += 4 * time.Second {
		v := with(healthy(3), enabled, deaf(1), deaf(2), unlooked(0))
		if after%(12*time.Second) == 8*time.Second {
			v = with(healthy(3), enabled, deaf(1), deaf(2), away(0))
		}
		v.Memory, v.Now = memory, v.Now.Add(after)
		p := Decide(v)
		if got := line(p); got == "InOperation/Fencing save Begin failover-8-SourceFailed u0->" {
			if after < 30*time.Second {
				t.Errorf("already after %v", after)
			}
			return
		}
		memory = p.Memory
	}
	t.Error("it is never replaced")
}

// Nobody saw the source while no agent could be asked.
func TestATimeInWhichNoAgentAnswersIsNoFailure(t *testing.T) {
	v := with(healthy(3), enabled, unlooked(0))
	p := Decide(v)
	blind := with(healthy(3), enabled, away(0), away(1), away(2))
	for range 3 {
		blind.Memory, blind.Now = p.Memory, v.Now.Add(time.Second)
		p = Decide(blind)
	}
	v.Memory, v.Now = p.Memory, v.Now.Add(time.Minute)
	if got := line(Decide(v)); got != "SourceFailed/SourceFailed" {
		t.Errorf("got %s", got)
	}
}
