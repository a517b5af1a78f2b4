// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

const holdFence = "fence"

// pod is a unit's pod: an agent, and what supervises the server.
type pod struct {
	m      *member
	server *server
	uid    types.UID
	// alive: the pod runs somewhere, whatever the API says of it.
	alive bool
	// desired lies in the state directory: it ends with the pod.
	desired desired
	// enforced is for which life of the server which call's record is in force, and
	// before what was in force before the calls that are not yet. The agent forgets
	// both when it is started again.
	enforced enforcement
	before   *record
	// proof that the server is down; supervise makes it.
	proof *agentclient.StopProof
	// onDisk is the record that a restart resumes, where it is not the newest: see
	// Rules.IsolatedRole.
	onDisk *record
	// provision is the last operation.
	provision *provision
	// restore that runs; empty: none.
	restore types.UID
	// forgot its durability: see Rules.RecordedDurability.
	forgot bool
	// unlooked: the agent was started on a busy machine, and has not come to look at its
	// server.
	unlooked bool
	// since is for how many looks commits have waited with enough receivers attached.
	since int
}

// record is what a Replication has recorded.
type record struct {
	agentclient.RoleRecord
	acknowledge bool
	// tenure numbers the promotions that made a member the source, in the order of their
	// epochs.
	tenure int
}

// tenuresPerEpoch is more than one schedule has.
const tenuresPerEpoch = 1 << 20

type desired struct {
	applied    bool
	generation int64
	epoch      int64
	owner      types.UID
	record     record
	holds      []string
	holdsOrder int64
	restart    bool
	// last is the owner's last call.
	last writer
}

type writer struct {
	uid       types.UID
	term, seq int64
	call      any
}

type enforcement struct {
	life             int
	term, seq, epoch int64
	role             agentclient.Role
}

func (p *pod) enforcement() enforcement {
	r := p.desired.record
	return enforcement{p.server.life, r.Term, r.Seq, r.Epoch, r.Role}
}

func (p *pod) target() agentclient.Target {
	return agentclient.Target{Namespace: "sim", Unit: p.m.name, UnitUID: p.m.unitUID, Pod: p.m.name, PodUID: p.uid, PodIP: p.m.name}
}

func (p *pod) refuse(class agentclient.Class, format string, args ...any) error {
	return &agentclient.Error{Class: class, Target: p.target(), Err: fmt.Errorf(format, args...)}
}

// checkOwner is who may call, and with which epoch.
func (p *pod) checkOwner(f agentclient.RoleFence) error {
	d := &p.desired
	switch {
	case f.ReplicationUID == "":
		return p.refuse(agentclient.Final, "fence: replication_uid is required")
	case f.Epoch <= 0:
		return p.refuse(agentclient.Final, "fence: epoch is required")
	case d.owner == "":
		return p.refuse(agentclient.StaleFence, "no Apply has named an owner of the unit")
	case f.ReplicationUID != d.owner:
		return p.refuse(agentclient.StaleFence, "the unit is owned by %s", d.owner)
	case d.last.uid != f.ReplicationUID && f.Epoch <= d.epoch && d.epoch != 0:
		return p.refuse(agentclient.StaleFence, "the epoch of a new owner must be above %d", d.epoch)
	case f.Epoch < d.epoch && p.m.w.Rules.EpochOrder:
		return p.refuse(agentclient.StaleFence, "epoch %d is older than %d", f.Epoch, d.epoch)
	}
	return nil
}

// checkOrder refuses a call that is not later than the last one, unless it is that one
// again.
func (p *pod) checkOrder(term, seq int64, uid types.UID, call any, last writer) (retry bool, err error) {
	if last.uid != uid {
		last = writer{}
	}
	switch {
	case last.term == 0 && last.seq == 0:
		return false, nil
	case term == last.term && seq == last.seq && reflect.DeepEqual(call, last.call):
		return true, nil
	case !p.m.w.Rules.CallOrder:
		return false, nil
	case term < last.term, term == last.term && seq <= last.seq:
		return false, p.refuse(agentclient.StaleFence, "call %d of term %d comes after call %d of term %d", seq, term, last.seq, last.term)
	}
	return false, nil
}

// change is one role call: it is fenced, recorded and enforced.
type change struct {
	fence            agentclient.RoleFence
	call             any
	set              func(*record) error
	upstreamExecuted string
	// server expected; empty: any.
	server string
	// urgent ones wait for no operation.
	urgent bool
}

// role makes a change; with crash the agent dies after it was recorded.
func (p *pod) role(c change, crash bool) (*agentclient.Observation, error) {
	if err := p.checkOwner(c.fence); err != nil {
		return nil, err
	}
	retry, err := p.checkOrder(c.fence.Term, c.fence.Seq, c.fence.ReplicationUID, c.call, p.desired.last)
	if err != nil {
		return nil, err
	}
	if busy := p.busy(); busy != "" && !c.urgent && p.desired.record.Role != agentclient.RoleUnknown {
		return nil, p.refuse(agentclient.Busy, "operation %s has the unit", busy)
	}
	if c.server != "" {
		if !p.server.runs() {
			return nil, p.refuse(agentclient.Unavailable, "the server's identity cannot be checked")
		}
		if p.server.uuid() != c.server {
			return nil, p.refuse(agentclient.StaleFence, "server %s was meant", c.server)
		}
	}
	if !retry {
		next := p.desired.record
		next.ReplicationUID, next.Epoch, next.Term, next.Seq = c.fence.ReplicationUID, c.fence.Epoch, c.fence.Term, c.fence.Seq
		next.Released = false
		if err := c.set(&next); err != nil {
			return nil, p.refuse(agentclient.Final, "%s", err)
		}
		if p.before == nil {
			before := p.desired.record
			p.before = &before
		}
		p.desired.record, p.forgot = next, false
	}
	p.desired.epoch = max(p.desired.epoch, c.fence.Epoch)
	p.desired.last = writer{c.fence.ReplicationUID, c.fence.Term, c.fence.Seq, c.call}
	if crash {
		p.restartAgent()
		return nil, p.refuse(agentclient.Unavailable, "the agent has died")
	}
	_, isolating := c.call.(isolateCall)
	if isolating && !p.m.w.Rules.PositionsAfterVote {
		// It is on disk; what it stands for comes with the next look.
		return p.observe(), nil
	}
	if err := p.enforce(c.upstreamExecuted); err != nil {
		if errors.Is(err, errWouldLose) && p.before != nil {
			order := p.desired.record
			p.desired.record = *p.before
			p.desired.record.ReplicationUID, p.desired.record.Term, p.desired.record.Seq, p.desired.record.Epoch = order.ReplicationUID, order.Term, order.Seq, order.Epoch
			p.before = nil
			return nil, p.refuse(agentclient.Aborted, "%s", err)
		}
		return nil, p.refuse(agentclient.Unavailable, "%s", err)
	}
	return p.observe(), nil
}

// calls, as they are told apart from one another.
type (
	isolateCall struct{ agentclient.RoleFence }
	demoteCall  struct{ agentclient.RoleFence }
	releaseCall struct{ agentclient.RoleFence }
)

func (p *pod) promote(r agentclient.PromoteRequest, crash bool) (*agentclient.Observation, error) {
	return p.role(change{fence: r.Fence, call: r, server: r.ServerID, set: func(next *record) error {
		if next.Role != agentclient.RoleSource {
			p.m.w.tenures++
			next.tenure = int(r.Fence.Epoch)*tenuresPerEpoch + p.m.w.tenures
		}
		next.Role, next.Upstream, next.acknowledge = agentclient.RoleSource, nil, false
		next.Durability, next.Open, next.DataGeneration = r.Durability, r.Open, r.DataGeneration
		return nil
	}}, crash)
}

func (p *pod) follow(r agentclient.FollowRequest, crash bool) (*agentclient.Observation, error) {
	return p.role(change{fence: r.Fence, call: r, upstreamExecuted: r.UpstreamExecuted, set: func(next *record) error {
		if next.Role == agentclient.RoleSource {
			return errors.New("this is the source: demote it first")
		}
		upstream := r.Upstream
		next.Role, next.Upstream, next.acknowledge = agentclient.RoleReplica, &upstream, r.Acknowledge
		next.Durability, next.Open, next.DataGeneration = agentclient.Durability{}, false, r.DataGeneration
		return nil
	}}, crash)
}

func (p *pod) demote(f agentclient.RoleFence, crash bool) (*agentclient.Observation, error) {
	return p.role(change{fence: f, call: demoteCall{f}, set: isolated, urgent: true}, crash)
}

func (p *pod) isolate(f agentclient.RoleFence, crash bool) (*agentclient.Observation, error) {
	return p.role(change{fence: f, call: isolateCall{f}, urgent: true, set: func(next *record) error {
		if next.Role == agentclient.RoleSource {
			return errors.New("this is the source: demote it first")
		}
		if before := *next; !p.m.w.Rules.IsolatedRole && p.onDisk == nil {
			p.onDisk = &before
		}
		return isolated(next)
	}}, crash)
}

func isolated(next *record) error {
	next.Role, next.Upstream, next.acknowledge = agentclient.RoleIsolated, nil, false
	next.Durability, next.Open = agentclient.Durability{}, false
	return nil
}

func (p *pod) release(f agentclient.RoleFence) (*agentclient.Observation, error) {
	if err := p.checkOwner(f); err != nil {
		return nil, err
	}
	if _, err := p.checkOrder(f.Term, f.Seq, f.ReplicationUID, releaseCall{f}, p.desired.last); err != nil {
		return nil, err
	}
	r := &p.desired.record
	if r.Role == agentclient.RoleSource && slices.Contains(p.desired.holds, holdFence) {
		_ = isolated(r)
	}
	r.Released, r.ReplicationUID = r.Role != agentclient.RoleUnknown, ""
	p.desired.epoch = max(p.desired.epoch, f.Epoch)
	p.desired.last = writer{f.ReplicationUID, f.Term, f.Seq, releaseCall{f}}
	p.hold(holdFence, false)
	return p.observe(), nil
}

// hold adds or removes a hold.
func (p *pod) hold(name string, held bool) {
	d := &p.desired
	if slices.Contains(d.holds, name) == held {
		return
	}
	d.holds = slices.DeleteFunc(slices.Clone(d.holds), func(h string) bool { return h == name })
	if held {
		d.holds = append(d.holds, name)
		slices.Sort(d.holds)
	}
	d.holdsOrder++
}

// restartAgent is a crash of serve: what it had in memory is gone.
func (p *pod) restartAgent() {
	p.enforced, p.before, p.since = enforcement{}, nil, 0
	p.resume()
}

// resume reads the record from the disk.
func (p *pod) resume() {
	if p.onDisk != nil {
		p.desired.record, p.onDisk = *p.onDisk, nil
	}
}
