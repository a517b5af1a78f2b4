// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"

	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

var _ Members = &Client{}

// Activity implements Members.
func (c *Client) Activity(ctx context.Context, target Target) (*Activity, error) {
	var out *Activity
	err := c.call(ctx, "Activity", target, func(ctx context.Context, conn grpc.ClientConnInterface) error {
		r, err := agentv1.NewRoleServiceClient(conn).Activity(ctx, &agentv1.ActivityRequest{})
		out = fromActivity(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// WaitExecuted implements Members.
func (c *Client) WaitExecuted(ctx context.Context, target Target, request WaitRequest) (*Executed, error) {
	var out *Executed
	err := c.member(ctx, "WaitExecuted", target, func(ctx context.Context, roles agentv1.RoleServiceClient) error {
		timeout := min(max(request.Timeout, 0), MaxWaitExecuted)
		r, err := roles.WaitExecuted(ctx, &agentv1.WaitExecutedRequest{
			GtidSet: request.GTIDSet, TimeoutMilliseconds: int32(timeout.Milliseconds()), //nolint:gosec // 5000 at most
		})
		if err == nil && types.UID(r.GetPodUid()) != target.PodUID {
			return status.Errorf(codes.FailedPrecondition, "pod %s was meant, pod %s answered", target.PodUID, r.GetPodUid())
		}
		out = &Executed{Contained: r.GetContained(), Executed: r.GetExecuted(), Missing: r.GetMissing()}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// EnsureAccounts implements Members.
func (c *Client) EnsureAccounts(ctx context.Context, target Target, request EnsureAccountsRequest) (*EnsuredAccounts, error) {
	var out *EnsuredAccounts
	err := c.member(ctx, "EnsureAccounts", target, func(ctx context.Context, roles agentv1.RoleServiceClient) error {
		in := &agentv1.EnsureAccountsRequest{Fence: toFence(target, request.Fence), HashKey: []byte(request.HashKey)}
		for _, a := range request.Accounts {
			in.Accounts = append(in.Accounts, &agentv1.Account{Name: a.Name, Password: []byte(a.Password), Purpose: accountPurposes[a.Purpose]})
		}
		r, err := roles.EnsureAccounts(ctx, in)
		out = &EnsuredAccounts{Hash: r.GetHash(), Changed: r.GetChanged()}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// SaveErrant implements Members.
func (c *Client) SaveErrant(ctx context.Context, target Target, request SaveErrantRequest) (*Evidence, error) {
	var out *Evidence
	err := c.member(ctx, "SaveErrant", target, func(ctx context.Context, roles agentv1.RoleServiceClient) error {
		r, err := roles.SaveErrant(ctx, &agentv1.SaveErrantRequest{
			Fence: toFence(target, request.Fence), GtidSet: request.GTIDSet, MaxBytes: request.MaxBytes,
		})
		out = &Evidence{
			Path: r.GetPath(), Bytes: r.GetBytes(), Saved: r.GetSaved(), Lost: r.GetLost(),
			Truncated: r.GetTruncated(), SHA256: r.GetSha256(),
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Provision implements Members.
func (c *Client) Provision(ctx context.Context, target Target, request ProvisionRequest) (*Operation, error) {
	var out *Operation
	err := c.member(ctx, "Provision", target, func(ctx context.Context, roles agentv1.RoleServiceClient) error {
		r, err := roles.Provision(ctx, &agentv1.ProvisionRequest{
			Fence: toFence(target, request.Fence), Id: request.ID, JournalId: request.JournalID,
			Donor: &agentv1.Donor{
				Name: request.Donor.Name, Host: request.Donor.Host, Port: request.Donor.Port,
				ServerId: request.Donor.ServerID, DataGeneration: request.Donor.DataGeneration,
			},
			Channel: toChannel(request.Channel), Replace: request.Replace, ServerId: request.ServerID,
		})
		out = fromOperation(r.GetOperation())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// member makes one call of Members.
func (c *Client) member(ctx context.Context, method string, target Target, f func(context.Context, agentv1.RoleServiceClient) error) error {
	return c.run(ctx, method, target, MembersTimeout, c.pool.get, func(ctx context.Context, conn grpc.ClientConnInterface) error {
		return f(ctx, agentv1.NewRoleServiceClient(conn))
	})
}

var accountPurposes = map[AccountPurpose]agentv1.AccountPurpose{
	PurposeMySQL:       agentv1.AccountPurpose_ACCOUNT_PURPOSE_MYSQL,
	PurposePostgres:    agentv1.AccountPurpose_ACCOUNT_PURPOSE_POSTGRES,
	PurposeReplication: agentv1.AccountPurpose_ACCOUNT_PURPOSE_REPLICATION,
}

func fromActivity(in *agentv1.ActivityResponse) *Activity {
	out := &Activity{}
	for _, t := range in.GetTransactions() {
		out.Transactions = append(out.Transactions, Transaction{
			Session: t.GetSession(), User: t.GetUser(), Host: t.GetHost(),
			Open: time.Duration(t.GetSeconds()) * time.Second, RowsModified: t.GetRowsModified(),
		})
	}
	for _, s := range in.GetDefinitions() {
		out.Definitions = append(out.Definitions, Statement{
			Session: s.GetSession(), User: s.GetUser(), Host: s.GetHost(),
			Running: time.Duration(s.GetSeconds()) * time.Second, Kind: s.GetKind(),
		})
	}
	return out
}
