// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"fmt"
	"strings"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

var _ worker.Agents = &Seat{}

// Activity implements agentclient.Members: clients' transactions are short here.
func (s *Seat) Activity(_ context.Context, t agentclient.Target) (*agentclient.Activity, error) {
	err := s.call("Activity", t, func(p *pod, _ bool) error {
		if !p.server.runs() {
			return p.refuse(agentclient.Unavailable, "the server does not answer")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &agentclient.Activity{}, nil
}

// waitLooks is how often others act while WaitExecuted waits.
const waitLooks = 5

// WaitExecuted implements agentclient.Members.
func (s *Seat) WaitExecuted(_ context.Context, t agentclient.Target, r agentclient.WaitRequest) (*agentclient.Executed, error) {
	want, err := setOf(r.GTIDSet)
	if err != nil {
		return nil, err
	}
	for look := 0; ; look++ {
		var out *agentclient.Executed
		err := s.call("WaitExecuted", t, func(p *pod, _ bool) error {
			if !p.server.runs() {
				return p.refuse(agentclient.Unavailable, "the server does not answer")
			}
			missing := want.without(&p.server.executed)
			out = &agentclient.Executed{Contained: missing.empty(), Executed: p.server.executed.text(), Missing: missing.text()}
			return nil
		})
		if err != nil || out.Contained || look == waitLooks || r.Timeout == 0 {
			return out, err
		}
		s.w.now = s.w.now.Add(r.Timeout / waitLooks)
	}
}

// EnsureAccounts implements agentclient.Members: they are as they shall be.
func (s *Seat) EnsureAccounts(_ context.Context, t agentclient.Target, r agentclient.EnsureAccountsRequest) (*agentclient.EnsuredAccounts, error) {
	fence := s.stamp(r.Fence)
	err := s.call("EnsureAccounts", t, func(p *pod, _ bool) error { return p.fenced(fence, "accounts") })
	if err != nil {
		return nil, err
	}
	return &agentclient.EnsuredAccounts{Hash: agentclient.AccountsHash(r.HashKey, r.Accounts)}, nil
}

// SaveErrant implements agentclient.Members.
func (s *Seat) SaveErrant(_ context.Context, t agentclient.Target, r agentclient.SaveErrantRequest) (*agentclient.Evidence, error) {
	fence := s.stamp(r.Fence)
	err := s.call("SaveErrant", t, func(p *pod, _ bool) error {
		if err := p.fenced(fence, "evidence"); err != nil {
			return err
		}
		errant, err := setOf(r.GTIDSet)
		if err != nil {
			return p.refuse(agentclient.Final, "%s", err)
		}
		p.server.evidence.addAll(&errant)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &agentclient.Evidence{Path: ".unit-agent/evidence/" + fmt.Sprint(r.Fence.Epoch), Saved: r.GTIDSet}, nil
}

// fenced is who may call and in which order, of a call that changes no role.
func (p *pod) fenced(f agentclient.RoleFence, call any) error {
	if err := p.checkOwner(f); err != nil {
		return err
	}
	if _, err := p.checkOrder(f.Term, f.Seq, f.ReplicationUID, call, p.desired.last); err != nil {
		return err
	}
	p.desired.epoch = max(p.desired.epoch, f.Epoch)
	p.desired.last = writer{f.ReplicationUID, f.Term, f.Seq, call}
	return nil
}

// provision is an operation that makes a server a copy of another.
type provision struct {
	request   agentclient.ProvisionRequest
	operation agentclient.Operation
}

// Provision implements agentclient.Members.
func (s *Seat) Provision(_ context.Context, t agentclient.Target, r agentclient.ProvisionRequest) (*agentclient.Operation, error) {
	r.Fence = s.stamp(r.Fence)
	var out agentclient.Operation
	err := s.call("Provision", t, func(p *pod, _ bool) error {
		if err := p.fenced(r.Fence, r); err != nil {
			return err
		}
		if p.provision == nil || p.provision.request.ID != r.ID {
			if busy := p.busy(); busy != "" {
				return p.refuse(agentclient.Busy, "operation %s has the unit", busy)
			}
			p.provision = &provision{r, agentclient.Operation{ID: r.ID, Action: agentclient.ActionProvision, State: agentclient.OperationRunning, Started: s.w.now}}
		}
		out = p.provision.operation
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// busy names the operation that replaces the pod's data.
func (p *pod) busy() string {
	if op := p.provision; op != nil && !op.operation.State.Final() {
		return op.request.ID
	}
	return string(p.restore)
}

// clone is what an operation that runs comes to, in one step.
func (p *pod) clone() {
	op := p.provision
	if op == nil || op.operation.State.Final() || !p.alive || !p.server.runs() {
		return
	}
	w, r := p.m.w, op.request
	fail := func(reason string) {
		op.operation.State, op.operation.Reason, op.operation.Finished = agentclient.OperationFailed, reason, w.now
		w.trace("the copy to %s fails: %s", p.m.name, reason)
	}
	host := w.indexOf(r.Donor.Host)
	if host < 0 || !w.linked(p.server.number, w.members[host].server.number) || !w.members[host].server.runs() {
		fail(agentclient.ReasonDonorUnreachable)
		return
	}
	donor, old := w.members[host].server, p.server
	has := old.all()
	switch {
	case donor.uuid() != r.Donor.ServerID:
		fail(agentclient.ReasonDonorChanged)
	case len(donor.waiting) > 0:
		fail(agentclient.ReasonDonorBlocked)
	case !has.empty() && (!r.Replace || r.ServerID != old.uuid()):
		fail(agentclient.ReasonWouldOverwrite)
	case p.desired.record.Role == agentclient.RoleSource:
		fail(agentclient.ReasonRoleChanged)
	case w.servers == maxServers-1:
		fail(agentclient.ReasonNotEnoughSpace)
	default:
		w.replace(p, donor)
		op.operation.State, op.operation.Finished = agentclient.OperationSucceeded, w.now
	}
}

// replace puts a copy of the donor in the place of a pod's data.
func (w *World) replace(p *pod, donor *server) {
	old := p.server
	old.end()
	s := newServer(w, w.servers)
	w.servers++
	s.purged, s.executed, s.generation = donor.executed, donor.executed, old.generation+1
	s.pod = p
	p.server, p.m.server = s, s
	p.restartAgent()
	w.trace("%s is a copy of %s now", p.m.name, donor.name())
	gone := old.all()
	gone = gone.without(&old.evidence)
	w.destroyed(old, &gone, "it was made anew")
}

// stamp gives a call its place among those of this process.
func (s *Seat) stamp(f agentclient.RoleFence) agentclient.RoleFence {
	if f.Term == 0 && f.Seq == 0 {
		s.seq++
		f.Term, f.Seq = s.term, s.seq
	}
	return f
}

func durabilityText(entries []v1alpha1.ReplicationDurabilityEntry) string {
	var out []string
	for _, e := range entries {
		var names []string
		for _, m := range e.Members {
			names = append(names, m.Name)
		}
		out = append(out, fmt.Sprintf("%d of {%s}", e.W, strings.Join(names, ", ")))
	}
	return strings.Join(out, " and ")
}
