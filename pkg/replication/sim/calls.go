// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

const replicationUID = types.UID("replication")

var _ agentclient.Roles = &Seat{}

// Observe implements agentclient.Roles.
func (s *Seat) Observe(_ context.Context, t agentclient.Target) (o *agentclient.Observation, err error) {
	err = s.call("Observe", t, func(p *pod, _ bool) error { o = p.look(); return nil })
	return answer(o, err)
}

// Promote implements agentclient.Roles.
func (s *Seat) Promote(_ context.Context, t agentclient.Target, r agentclient.PromoteRequest) (o *agentclient.Observation, err error) {
	r.Fence = s.stamp(r.Fence)
	err = s.call("Promote", t, func(p *pod, crash bool) (err error) { o, err = p.promote(r, crash); return err })
	return answer(o, err)
}

// Demote implements agentclient.Roles.
func (s *Seat) Demote(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (o *agentclient.Observation, err error) {
	f = s.stamp(f)
	err = s.call("Demote", t, func(p *pod, crash bool) (err error) { o, err = p.demote(f, crash); return err })
	return answer(o, err)
}

// Follow implements agentclient.Roles.
func (s *Seat) Follow(_ context.Context, t agentclient.Target, r agentclient.FollowRequest) (o *agentclient.Observation, err error) {
	r.Fence = s.stamp(r.Fence)
	err = s.call("Follow", t, func(p *pod, crash bool) (err error) { o, err = p.follow(r, crash); return err })
	return answer(o, err)
}

// Isolate implements agentclient.Roles.
func (s *Seat) Isolate(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (o *agentclient.Observation, err error) {
	f = s.stamp(f)
	err = s.call("Isolate", t, func(p *pod, crash bool) (err error) { o, err = p.isolate(f, crash); return err })
	if p := s.w.podOf(t); agentclient.IsUnavailable(err) && p != nil && !s.w.Rules.AcknowledgedIsolate {
		return p.observe(), nil
	}
	return answer(o, err)
}

// Release implements agentclient.Roles.
func (s *Seat) Release(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (o *agentclient.Observation, err error) {
	f = s.stamp(f)
	err = s.call("Release", t, func(p *pod, _ bool) (err error) { o, err = p.release(f); return err })
	return answer(o, err)
}

// SetHold is that of agentclient.Interface.
func (s *Seat) SetHold(_ context.Context, t agentclient.Target, h agentclient.Hold) (status *agentclient.Status, err error) {
	f := s.stamp(agentclient.RoleFence{Term: h.Term, Seq: h.Seq})
	h.Term, h.Seq = f.Term, f.Seq
	err = s.call("SetHold", t, func(p *pod, _ bool) (err error) { status, err = p.setHold(h); return err })
	if err != nil {
		return nil, err
	}
	return status, nil
}

// answer is without what came along with an answer that was not heard.
func answer(o *agentclient.Observation, err error) (*agentclient.Observation, error) {
	if err != nil {
		return nil, err
	}
	return o, nil
}

// setHold is a hold of the Replication's.
func (p *pod) setHold(h agentclient.Hold) (*agentclient.Status, error) {
	f := agentclient.RoleFence{ReplicationUID: h.ReplicationUID, Epoch: h.Epoch, Term: h.Term, Seq: h.Seq}
	if err := p.checkOwner(f); err != nil {
		return nil, err
	}
	retry, err := p.checkOrder(f.Term, f.Seq, f.ReplicationUID, h, p.desired.last)
	if err != nil {
		return nil, err
	}
	p.desired.epoch = max(p.desired.epoch, f.Epoch)
	p.desired.last = writer{f.ReplicationUID, f.Term, f.Seq, h}
	if !retry {
		p.hold(h.Name, h.Held)
	}
	if h.Held && !p.m.w.Rules.ProvenStop {
		p.proof = &agentclient.StopProof{Order: p.desired.holdsOrder, How: "Exited", At: p.m.w.now}
	}
	return p.status(), nil
}

func (p *pod) status() *agentclient.Status {
	d := &p.desired
	s := &agentclient.Status{
		AgentVersion: "sim", Capabilities: []string{"roles"}, PodUID: p.uid, UnitUID: p.m.unitUID,
		Epoch: d.epoch, Generation: d.generation, Holds: slices.Clone(d.holds), State: p.state(), Version: "9.7.0",
		Writable: p.server.runs() && !p.server.readOnly, Down: !p.server.up, HoldsOrder: d.holdsOrder, Owner: d.owner,
		Data:      &agentclient.DataIdentity{SystemID: p.server.uuid(), DataGeneration: p.server.generation, Pristine: p.pristine()},
		JournalID: "journal-" + p.m.name,
	}
	if d.record.Role != "" {
		r := d.record.RoleRecord
		if r.Upstream != nil {
			u := *r.Upstream
			r.Upstream = &u
		}
		s.Record = &r
	}
	if p.proof != nil && (!p.server.up || !p.m.w.Rules.ProvenStop) {
		proof := *p.proof
		s.StopProof = &proof
	}
	return s
}

func (p *pod) pristine() *bool {
	all := p.server.all()
	pristine := all.empty()
	return &pristine
}

func (p *pod) state() agentclient.ServerState {
	switch {
	case p.server.up:
		return agentclient.StateRunning
	case !p.desired.applied:
		return agentclient.StateWaiting
	case len(p.desired.holds) > 0:
		return agentclient.StateHeld
	}
	return agentclient.StateStarting
}

// look is what the agent answers when it is asked.
func (p *pod) look() *agentclient.Observation {
	o := p.observe()
	if p.unlooked {
		p.unlooked = false
		o.Answered, o.ReadOnly, o.ServerID, o.MySQL, o.Error = false, true, "", nil, "the server has not been asked yet"
		o.Status.State, o.Status.Writable, o.Status.Down = agentclient.StateStarting, false, false
	}
	return o
}

func (p *pod) observe() *agentclient.Observation {
	s := p.server
	o := &agentclient.Observation{Status: p.status(), ObservedAt: p.m.w.now, ServerID: s.uuid(), ReadOnly: true, Busy: p.busy()}
	if !s.runs() {
		o.ServerID, o.Error = "", "the server does not answer"
		return o
	}
	o.Answered, o.ReadOnly = true, s.readOnly
	m := &agentclient.MySQLObservation{
		Executed: s.executed.text(), Purged: s.purged.text(), SuperReadOnly: s.superReadOnly, EventScheduler: !s.readOnly,
		SemiSync: agentclient.MySQLSemiSync{
			SourceEnabled: s.semiSync.source, SourceActive: s.semiSync.source, ReplicaEnabled: s.semiSync.replica,
			WaitFor: int32(s.semiSync.waitFor), Clients: int32(s.clients()), WaitingSessions: int32(len(s.waiting)),
		},
	}
	if p.m.w.Rules.LoggedPositions {
		committing := s.committing()
		m.Committing = committing.text()
	}
	if s.channel.host >= 0 {
		c := &agentclient.MySQLChannel{
			Host: p.m.w.members[s.channel.host].name, Port: 3306, User: s.channel.user,
			Receiving: s.upstream != nil && s.upstream.live(), Applying: s.applying && s.applierError == 0, Retrieved: s.retrieved.text(),
			ReceiverErrorNumber: int32(s.receiverError), ApplierErrorNumber: int32(s.applierError),
		}
		if c.Receiving {
			c.SourceUUID = s.upstream.to.uuid()
		}
		if s.receiverError != 0 {
			c.ReceiverError = "the source has purged what is needed"
		}
		m.Channel = c
	}
	for _, c := range s.attached {
		if c != nil {
			m.DumpThreads = append(m.DumpThreads, agentclient.MySQLDumpThread{ServerUUID: c.from.uuid(), Host: c.from.name()})
		}
	}
	o.MySQL = m
	return o
}
