// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"testing"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

// Outcome is what a client knows of its commit.
type Outcome string

const (
	// Acknowledged: the client was told that it is done.
	Acknowledged Outcome = "acknowledged"
	// Waiting: it was told nothing yet.
	Waiting Outcome = "waiting"
	// Failed: it was told an error, or its connection has ended.
	Failed Outcome = "failed"
)

// Commit is one of a client.
type Commit interface {
	// Outcome as it is now.
	Outcome() Outcome
	// On says whether the member has applied it.
	On(member int) bool
}

// Set is three members, u0 to u2, that are owned and have no role yet.
type Set interface {
	agentclient.Roles
	Target(member int) agentclient.Target
	// Upstream by which others receive from the member, without its identity.
	Upstream(member int) agentclient.Upstream
	Channel() agentclient.ChannelAccount
	// Fence of the next call, of the Replication's epoch.
	Fence() agentclient.RoleFence
	// Raise the epoch.
	Raise()
	// Commit begins one on a member. A member that refuses it makes it Failed.
	Commit(member int) Commit
	// Kill the member's server; its container comes back.
	Kill(member int)
	// Pass lets some time pass, a tenth of a second or what is like it.
	Pass()
}

// tries of what must come, and looks at what must not.
const tries, looks = 1200, 15

// suite is a run of it.
type suite struct {
	Set
	t *testing.T
}

// Test runs the suite on a set.
func Test(t *testing.T, set Set) {
	s := suite{set, t}
	t.Run("a member without a role takes no commit", func(t *testing.T) {
		s.t = t
		for i := range 3 {
			s.until("it answers", func() bool { return s.observe(i).Answered })
			s.ends(s.Commit(i), Failed)
		}
	})
	t.Run("promote opens an asynchronous source", func(t *testing.T) {
		s.t = t
		s.promote(0, agentclient.Durability{})
		s.ends(s.Commit(0), Acknowledged)
	})
	t.Run("the others follow and take no commit", func(t *testing.T) {
		s.t = t
		s.follow(1, 0)
		s.follow(2, 0)
		c := s.Commit(0)
		s.ends(c, Acknowledged)
		for i := 1; i < 3; i++ {
			s.until("it comes", func() bool { return c.On(i) })
			s.ends(s.Commit(i), Failed)
		}
	})
	t.Run("a source does not follow", func(t *testing.T) {
		s.t = t
		_, err := s.Follow(t.Context(), s.Target(0), s.followRequest(0, 1))
		s.class(err, agentclient.Final)
	})
	t.Run("a call of a lower epoch is refused, and an old call too", func(t *testing.T) {
		s.t = t
		old := s.Fence()
		s.Raise()
		s.promote(0, s.durability(0))
		_, err := s.Demote(t.Context(), s.Target(0), old)
		s.class(err, agentclient.StaleFence)
		same := s.Fence()
		s.promote(0, s.durability(0))
		_, err = s.Demote(t.Context(), s.Target(0), same)
		s.class(err, agentclient.StaleFence)
		s.ends(s.Commit(0), Acknowledged)
	})
	t.Run("a promotion of another server is refused", func(t *testing.T) {
		s.t = t
		_, err := s.Promote(t.Context(), s.Target(1), agentclient.PromoteRequest{
			Fence: s.Fence(), Open: true, ServerID: s.observe(0).ServerID, Channel: s.Channel(),
		})
		s.class(err, agentclient.StaleFence)
		s.ends(s.Commit(1), Failed)
	})
	t.Run("a commit waits while nobody acknowledges", s.waits)
	t.Run("a source whose commits wait is demoted without an acknowledgement", s.demotes)
	t.Run("a new source has what the votes have", s.succeeds)
	t.Run("a killed source comes back open by its record, its durability in force", s.comesBack)
}

// waits: two members are isolated, and then one of them follows again.
func (s suite) waits(t *testing.T) {
	s.t = t
	s.isolate(1)
	s.isolate(2)
	c := s.Commit(0)
	s.stays(c, Waiting)
	if c.On(1) || c.On(2) {
		t.Error("an isolated member has it")
	}
	s.follow(1, 0)
	s.ends(c, Acknowledged)
	s.follow(2, 0)
}

// demotes: with both members isolated.
func (s suite) demotes(t *testing.T) {
	s.t = t
	s.isolate(1)
	s.isolate(2)
	c := s.Commit(0)
	s.stays(c, Waiting)
	s.Raise()
	request := s.Fence()
	s.until("it is demoted", func() bool {
		o, err := s.Demote(t.Context(), s.Target(0), request)
		return s.soon(err) && o.Answered && o.ReadOnly
	})
	s.ends(c, Failed)
	s.ends(s.Commit(0), Failed)
}

// succeeds: u1 is the source, u0 does not follow it: it has a commit that nobody else has.
func (s suite) succeeds(t *testing.T) {
	s.t = t
	d := s.durability(1)
	d.Members = d.Members[1:]
	s.promote(1, d)
	c := s.Commit(1)
	s.stays(c, Waiting)
	s.follow(2, 1)
	s.ends(c, Acknowledged)
	s.until("it comes", func() bool { return c.On(2) })
}

// comesBack: the others do not replicate when it does, so that what it answers at once
// would be asynchronous.
func (s suite) comesBack(t *testing.T) {
	s.t = t
	s.isolate(2)
	s.Kill(1)
	s.until("it is open again", func() bool {
		o := s.observe(1)
		return o.Answered && !o.ReadOnly
	})
	c := s.Commit(1)
	s.stays(c, Waiting)
	s.follow(2, 1)
	s.ends(c, Acknowledged)
	// What a voter promised it keeps over a restart.
	s.isolate(2)
	s.Kill(2)
	s.until("it answers", func() bool { return s.observe(2).Answered })
	c = s.Commit(1)
	s.stays(c, Waiting)
	s.follow(2, 1)
	s.ends(c, Acknowledged)
}

// until what must come.
func (s suite) until(what string, f func() bool) {
	s.t.Helper()
	for range tries {
		if f() {
			return
		}
		s.Pass()
	}
	s.t.Fatalf("it does not come: %s", what)
}

func (s suite) ends(c Commit, want Outcome) {
	s.t.Helper()
	s.until("an outcome, "+string(want), func() bool { return c.Outcome() != Waiting })
	if got := c.Outcome(); got != want {
		s.t.Errorf("the commit is %s, want %s", got, want)
	}
}

func (s suite) stays(c Commit, want Outcome) {
	s.t.Helper()
	for range looks {
		if got := c.Outcome(); got != want {
			s.t.Fatalf("the commit is %s, want %s", got, want)
		}
		s.Pass()
	}
}

// soon says whether a call has had its effect; one that can be made again is no error.
func (s suite) soon(err error) bool {
	s.t.Helper()
	if err != nil && !agentclient.IsUnavailable(err) {
		s.t.Fatal(err)
	}
	return err == nil
}

func (s suite) class(err error, want agentclient.Class) {
	s.t.Helper()
	if err == nil || agentclient.ClassOf(err) != want {
		s.t.Errorf("error %v, want %s", err, want)
	}
}

func (s suite) observe(member int) *agentclient.Observation {
	s.t.Helper()
	o, err := s.Observe(context.Background(), s.Target(member))
	if !s.soon(err) {
		return &agentclient.Observation{}
	}
	return o
}

func (s suite) promote(member int, d agentclient.Durability) {
	s.t.Helper()
	r := agentclient.PromoteRequest{Fence: s.Fence(), Durability: d, Open: true, Channel: s.Channel()}
	s.until("it is promoted", func() bool {
		o, err := s.Promote(context.Background(), s.Target(member), r)
		return s.soon(err) && !o.ReadOnly
	})
}

func (s suite) isolate(member int) {
	s.t.Helper()
	f := s.Fence()
	s.until("it is isolated", func() bool {
		o, err := s.Isolate(context.Background(), s.Target(member), f)
		return s.soon(err) && (o.MySQL == nil || o.MySQL.Channel == nil || !o.MySQL.Channel.Receiving)
	})
}

func (s suite) followRequest(member, source int) agentclient.FollowRequest {
	s.t.Helper()
	r := agentclient.FollowRequest{Fence: s.Fence(), Upstream: s.Upstream(source), Channel: s.Channel(), Acknowledge: true}
	s.until("the source answers", func() bool {
		at := s.observe(source)
		if at.MySQL == nil {
			return false
		}
		r.Upstream.ServerID, r.UpstreamExecuted = at.ServerID, at.MySQL.Executed
		return true
	})
	return r
}

func (s suite) follow(member, source int) {
	s.t.Helper()
	r := s.followRequest(member, source)
	s.until("it follows", func() bool {
		o, err := s.Follow(context.Background(), s.Target(member), r)
		return s.soon(err) && o.MySQL != nil && o.MySQL.Channel != nil
	})
}

// durability of a source whose commits one of the two others acknowledges.
func (s suite) durability(source int) agentclient.Durability {
	s.t.Helper()
	d := agentclient.Durability{Sync: true, W: 1}
	for i := range 3 {
		if i == source {
			continue
		}
		s.until("it answers", func() bool { return s.observe(i).Answered })
		d.Members = append(d.Members, agentclient.DurabilityMember{
			Name: s.Target(i).Unit, UnitUID: s.Target(i).UnitUID, ServerID: s.observe(i).ServerID,
		})
	}
	return d
}
