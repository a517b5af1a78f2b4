// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

// askedAgents are the members' agents in one pass. It gives each call that changes
// something its place among all calls, and keeps what each agent said last, by pod.
type askedAgents struct {
	Agents
	order func() (term, seq int64)

	mu    sync.Mutex
	heard map[types.UID]*agentclient.Observation
}

// of a pod; nil if its agent did not answer in this pass.
func (a *askedAgents) of(pod types.UID) *agentclient.Observation {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heard[pod]
}

func (a *askedAgents) keep(t agentclient.Target, o *agentclient.Observation, err error) (*agentclient.Observation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.heard[t.PodUID] = o
	}
	return o, err
}

// Observe implements agentclient.Roles.
func (a *askedAgents) Observe(ctx context.Context, t agentclient.Target) (*agentclient.Observation, error) {
	o, err := a.Agents.Observe(ctx, t)
	return a.keep(t, o, err)
}

// Promote implements agentclient.Roles.
func (a *askedAgents) Promote(ctx context.Context, t agentclient.Target, r agentclient.PromoteRequest) (*agentclient.Observation, error) {
	r.Fence = a.ordered(r.Fence)
	o, err := a.Agents.Promote(ctx, t, r)
	return a.keep(t, o, err)
}

// Demote implements agentclient.Roles.
func (a *askedAgents) Demote(ctx context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	o, err := a.Agents.Demote(ctx, t, a.ordered(f))
	return a.keep(t, o, err)
}

// Follow implements agentclient.Roles.
func (a *askedAgents) Follow(ctx context.Context, t agentclient.Target, r agentclient.FollowRequest) (*agentclient.Observation, error) {
	r.Fence = a.ordered(r.Fence)
	o, err := a.Agents.Follow(ctx, t, r)
	return a.keep(t, o, err)
}

// Isolate implements agentclient.Roles.
func (a *askedAgents) Isolate(ctx context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	o, err := a.Agents.Isolate(ctx, t, a.ordered(f))
	return a.keep(t, o, err)
}

// Release implements agentclient.Roles.
func (a *askedAgents) Release(ctx context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	o, err := a.Agents.Release(ctx, t, a.ordered(f))
	return a.keep(t, o, err)
}

// EnsureAccounts implements agentclient.Members.
func (a *askedAgents) EnsureAccounts(ctx context.Context, t agentclient.Target, r agentclient.EnsureAccountsRequest) (*agentclient.EnsuredAccounts, error) {
	r.Fence = a.ordered(r.Fence)
	return a.Agents.EnsureAccounts(ctx, t, r)
}

// SaveErrant implements agentclient.Members.
func (a *askedAgents) SaveErrant(ctx context.Context, t agentclient.Target, r agentclient.SaveErrantRequest) (*agentclient.Evidence, error) {
	r.Fence = a.ordered(r.Fence)
	return a.Agents.SaveErrant(ctx, t, r)
}

// Provision implements agentclient.Members.
func (a *askedAgents) Provision(ctx context.Context, t agentclient.Target, r agentclient.ProvisionRequest) (*agentclient.Operation, error) {
	r.Fence = a.ordered(r.Fence)
	return a.Agents.Provision(ctx, t, r)
}

// SetHold implements agentclient.Interface.
func (a *askedAgents) SetHold(ctx context.Context, t agentclient.Target, hold agentclient.Hold) (*agentclient.Status, error) {
	hold.Term, hold.Seq = a.order()
	return a.Agents.SetHold(ctx, t, hold)
}

// ordered gives a call its place among all calls.
func (a *askedAgents) ordered(f agentclient.RoleFence) agentclient.RoleFence {
	f.Term, f.Seq = a.order()
	return f
}
