// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"context"
	"fmt"
	"slices"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

var _ agentclient.Members = &Agents{}

// Activity implements agentclient.Members.
func (a *Agents) Activity(_ context.Context, t agentclient.Target) (*agentclient.Activity, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("Activity", t, Call{})
	if err != nil {
		return nil, err
	}
	return &agentclient.Activity{
		Transactions: slices.Clone(ag.Activity.Transactions), Definitions: slices.Clone(ag.Activity.Definitions),
	}, nil
}

// WaitExecuted implements agentclient.Members. It does not wait.
func (a *Agents) WaitExecuted(_ context.Context, t agentclient.Target, r agentclient.WaitRequest) (*agentclient.Executed, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("WaitExecuted", t, Call{})
	switch {
	case err != nil:
		return nil, err
	case r.GTIDSet == "":
		return nil, final(t, "gtid_set is required")
	case ag.Executed == nil:
		return &agentclient.Executed{Contained: true, Executed: r.GTIDSet}, nil
	}
	return new(ag.Executed(r)), nil
}

// EnsureAccounts implements agentclient.Members.
func (a *Agents) EnsureAccounts(_ context.Context, t agentclient.Target, r agentclient.EnsureAccountsRequest) (*agentclient.EnsuredAccounts, error) {
	out := &agentclient.EnsuredAccounts{Hash: agentclient.AccountsHash(r.HashKey, r.Accounts)}
	err := a.owners("EnsureAccounts", t, r.Fence, out.Hash, Call{}, func(ag *Agent) error {
		switch record := ag.Status.Record; {
		case len(r.Accounts) < 1 || len(r.Accounts) > 8:
			return final(t, "accounts: 1 to 8 are required")
		case len(r.HashKey) < 16:
			return final(t, "hash_key: at least 16 bytes are required")
		case record == nil || record.Role != agentclient.RoleSource || !record.Open:
			return final(t, "accounts are made on the open source only")
		}
		for _, account := range r.Accounts {
			if !slices.Contains(ag.Accounts, account) && !slices.Contains(out.Changed, account.Name) {
				out.Changed = append(out.Changed, account.Name)
			}
		}
		ag.Accounts = slices.Clone(r.Accounts)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// SaveErrant implements agentclient.Members.
func (a *Agents) SaveErrant(_ context.Context, t agentclient.Target, r agentclient.SaveErrantRequest) (*agentclient.Evidence, error) {
	var out agentclient.Evidence
	err := a.owners("SaveErrant", t, r.Fence, r.GTIDSet, Call{}, func(ag *Agent) error {
		if r.GTIDSet == "" {
			return final(t, "gtid_set is required")
		}
		if ag.Evidence == nil {
			ag.Evidence = map[int64]agentclient.Evidence{}
		}
		out = agentclient.Evidence{Path: fmt.Sprintf(".unit-agent/evidence/%d/errant.sql", r.Fence.Epoch), Saved: r.GTIDSet, Bytes: 1}
		ag.Evidence[r.Fence.Epoch] = out
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// Provision implements agentclient.Members: the operation runs until a test ends it.
func (a *Agents) Provision(_ context.Context, t agentclient.Target, r agentclient.ProvisionRequest) (*agentclient.Operation, error) {
	var out *agentclient.Operation
	return out, a.owners("Provision", t, r.Fence, fmt.Sprintf("%+v", r), Call{Provision: &r}, func(ag *Agent) (err error) {
		switch record := ag.Status.Record; {
		case r.Donor.Host == "" || r.Donor.Port == 0 || r.Donor.ServerID == "":
			return final(t, "donor: host, port and server_id are required")
		case r.Replace && r.ServerID == "":
			return final(t, "server_id of the data that may be replaced is required")
		case record != nil && (record.Role == agentclient.RoleSource || record.Role == agentclient.RoleReplica):
			return final(t, "the server is recorded as "+string(record.Role)+": isolate it first")
		}
		ref := agentclient.OperationRef{ID: r.ID, JournalID: r.JournalID, Fence: &r.Fence}
		out, err = ag.start(t, agentclient.StartOperation{
			OperationRef: ref, Action: agentclient.ActionProvision,
			Secrets: agentclient.Secrets{"source.password": []byte(r.Channel.Password)},
		})
		return err
	})
}

// owners is one call of the owner's, in the order of its calls, that changes no role.
func (a *Agents) owners(method string, t agentclient.Target, f agentclient.RoleFence, call string, made Call, do func(*Agent) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	made.Fence = &f
	ag, err := a.begin(method, t, made)
	if err != nil {
		return err
	}
	if _, err := ag.owned(t, f, method+" "+call); err != nil {
		return err
	}
	ag.accept(f, method+" "+call)
	return do(ag)
}
