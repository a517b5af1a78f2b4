// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

var _ agentclient.Roles = &Agents{}

// writer is what an agent knows of one writer's calls.
type writer struct {
	uid       types.UID
	term, seq int64
	// call is the last one, by which its retry is known.
	call string
}

// Observe implements agentclient.Roles.
func (a *Agents) Observe(_ context.Context, t agentclient.Target) (*agentclient.Observation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("Observe", t, Call{})
	if err != nil {
		return nil, err
	}
	return ag.observe(), nil
}

// Promote implements agentclient.Roles.
func (a *Agents) Promote(_ context.Context, t agentclient.Target, r agentclient.PromoteRequest) (*agentclient.Observation, error) {
	return a.role("Promote", t, r.Fence, fmt.Sprintf("%+v", r), func(record *agentclient.RoleRecord) error {
		record.Role, record.Upstream = agentclient.RoleSource, nil
		record.Durability, record.Open, record.DataGeneration = r.Durability, r.Open, r.DataGeneration
		record.ChannelID = r.Channel.ID
		return nil
	})
}

// Demote implements agentclient.Roles.
func (a *Agents) Demote(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	return a.role("Demote", t, f, "demote", isolated)
}

// Follow implements agentclient.Roles.
func (a *Agents) Follow(_ context.Context, t agentclient.Target, r agentclient.FollowRequest) (*agentclient.Observation, error) {
	return a.role("Follow", t, r.Fence, fmt.Sprintf("%+v", r), func(record *agentclient.RoleRecord) error {
		if record.Role == agentclient.RoleSource {
			return errors.New("this is the source: demote it first")
		}
		upstream := r.Upstream
		record.Role, record.Upstream = agentclient.RoleReplica, &upstream
		record.Durability, record.Open, record.DataGeneration = agentclient.Durability{}, false, r.DataGeneration
		record.ChannelID = r.Channel.ID
		return nil
	})
}

// Isolate implements agentclient.Roles.
func (a *Agents) Isolate(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	return a.role("Isolate", t, f, "isolate", func(record *agentclient.RoleRecord) error {
		if record.Role == agentclient.RoleSource {
			return errors.New("this is the source: demote it first")
		}
		return isolated(record)
	})
}

// Release implements agentclient.Roles.
func (a *Agents) Release(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	o, err := a.role("Release", t, f, "release", func(record *agentclient.RoleRecord) error {
		record.Released, record.ReplicationUID = record.Role != agentclient.RoleUnknown, ""
		return nil
	})
	if err == nil {
		a.With(t.PodUID, func(ag *Agent) {
			ag.setHold("fence", false)
			ag.settle()
			o = ag.observe()
		})
	}
	return o, err
}

func isolated(record *agentclient.RoleRecord) error {
	record.Role, record.Upstream = agentclient.RoleIsolated, nil
	record.Durability, record.Open = agentclient.Durability{}, false
	return nil
}

// role is one call that changes a role: the owner's, in the order of its calls. The
// record is all there is to a fake server.
func (a *Agents) role(method string, t agentclient.Target, f agentclient.RoleFence, call string, set func(*agentclient.RoleRecord) error) (*agentclient.Observation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin(method, t, Call{Fence: &f})
	if err != nil {
		return nil, err
	}
	retry, err := ag.owned(t, f, method+" "+call)
	if err != nil {
		return nil, err
	}
	if !retry {
		next := agentclient.RoleRecord{}
		if r := ag.Status.Record; r != nil {
			next = *r
		}
		next.ReplicationUID, next.Epoch, next.Term, next.Seq = f.ReplicationUID, f.Epoch, f.Term, f.Seq
		next.Released = false
		if err := set(&next); err != nil {
			return nil, final(t, err.Error())
		}
		ag.Status.Record = &next
		ag.accept(f, method+" "+call)
	}
	ag.settle()
	return ag.observe(), nil
}

// owned lets a call of the owner through, in the order of its calls.
func (ag *Agent) owned(t agentclient.Target, f agentclient.RoleFence, call string) (retry bool, err error) {
	if f.ReplicationUID == "" {
		return false, final(t, "fence: replication_uid is required, roles belong to the Replication")
	}
	if err := ag.fence(t, f.Epoch, 0); err != nil {
		return false, err
	}
	return ag.order(t, f, call)
}

// order refuses who does not own the unit, and a call that is not later than the last
// one, unless it is that one again.
func (ag *Agent) order(t agentclient.Target, f agentclient.RoleFence, call string) (retry bool, err error) {
	refuse := func(format string, args ...any) (bool, error) {
		return false, &agentclient.Error{Class: agentclient.StaleFence, Target: t, Err: fmt.Errorf(format, args...)}
	}
	s, last := &ag.Status, ag.ownerCalls
	switch {
	case s.Owner == "":
		return refuse("no Apply has named an owner of the unit")
	case f.ReplicationUID != s.Owner:
		return refuse("the unit is owned by %s", s.Owner)
	case last.uid != f.ReplicationUID && s.Epoch != 0 && f.Epoch <= s.Epoch:
		return refuse("the epoch of a new owner must be above %d", s.Epoch)
	case last.uid != f.ReplicationUID || last.term == 0 && last.seq == 0:
		return false, nil
	case f.Term == last.term && f.Seq == last.seq && call == last.call:
		return true, nil
	case f.Term < last.term, f.Term == last.term && f.Seq <= last.seq:
		return false, &agentclient.Error{
			Class: agentclient.StaleFence, Target: t, Later: &agentclient.Order{Term: last.term, Seq: last.seq},
			Err: fmt.Errorf("call %d of term %d comes after call %d of term %d", f.Seq, f.Term, last.seq, last.term),
		}
	}
	return false, nil
}

// accept records the order of a call.
func (ag *Agent) accept(f agentclient.RoleFence, call string) {
	ag.Status.Epoch = max(ag.Status.Epoch, f.Epoch)
	ag.ownerCalls = writer{uid: f.ReplicationUID, term: f.Term, seq: f.Seq, call: call}
}

// setHold adds or removes a hold.
func (ag *Agent) setHold(name string, held bool) {
	s := &ag.Status
	if slices.Contains(s.Holds, name) == held {
		return
	}
	s.Holds = slices.DeleteFunc(s.Holds, func(h string) bool { return h == name })
	if held {
		s.Holds = append(s.Holds, name)
		slices.Sort(s.Holds)
	}
	s.HoldsOrder++
}

func (ag *Agent) observe() *agentclient.Observation {
	s := ag.copy()
	o := &agentclient.Observation{Status: s, ObservedAt: ag.agents.now(), Answered: s.State == agentclient.StateRunning, ReadOnly: !s.Writable}
	s.Down = !o.Answered
	if s.Data != nil {
		o.ServerID = s.Data.SystemID
	}
	return o
}
