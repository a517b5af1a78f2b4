// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/roles"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

const (
	// capabilityMembers says that RoleService has calls other than roles, as far as they make
	// sense for the engine.
	capabilityMembers = "members"
	// maxWaitExecuted of one call.
	maxWaitExecuted = 5 * time.Second
	// maxAccounts of one EnsureAccounts, minHashKey bytes of its key.
	maxAccounts = 8
	minHashKey  = 16
	// evidenceDir in the agent's directory.
	evidenceDir = "evidence"
)

func (s *roleService) Activity(ctx context.Context, _ *agentv1.ActivityRequest) (*agentv1.ActivityResponse, error) {
	a, err := s.manager.Activity(ctx)
	if err != nil {
		return nil, roleError(err)
	}
	out := &agentv1.ActivityResponse{}
	for _, t := range a.Transactions {
		out.Transactions = append(out.Transactions, &agentv1.Transaction{
			Session: t.Session, User: t.User, Host: t.Host, Seconds: t.Seconds, RowsModified: t.RowsModified,
		})
	}
	for _, d := range a.Definitions {
		out.Definitions = append(out.Definitions, &agentv1.Statement{Session: d.Session, User: d.User, Host: d.Host, Seconds: d.Seconds, Kind: d.Kind})
	}
	return out, nil
}

func (s *roleService) WaitExecuted(ctx context.Context, r *agentv1.WaitExecutedRequest) (*agentv1.WaitExecutedResponse, error) {
	timeout := time.Duration(r.GetTimeoutMilliseconds()) * time.Millisecond
	switch {
	case strings.TrimSpace(r.GetGtidSet()) == "":
		return nil, status.Error(codes.InvalidArgument, "gtid_set is required")
	case timeout < 0 || timeout > maxWaitExecuted:
		return nil, status.Errorf(codes.InvalidArgument, "timeout_milliseconds: %d is not 0 to %d", r.GetTimeoutMilliseconds(), maxWaitExecuted.Milliseconds())
	}
	x, err := s.manager.WaitExecuted(ctx, r.GetGtidSet(), timeout)
	if err != nil {
		return nil, roleError(err)
	}
	return &agentv1.WaitExecutedResponse{Contained: x.Contained, Executed: x.Executed, Missing: x.Missing, PodUid: s.unit.env.PodUID}, nil
}

var accountPurposes = map[agentv1.AccountPurpose]engine.Purpose{
	agentv1.AccountPurpose_ACCOUNT_PURPOSE_MYSQL:       engine.PurposeAdmin,
	agentv1.AccountPurpose_ACCOUNT_PURPOSE_POSTGRES:    engine.PurposeAdmin,
	agentv1.AccountPurpose_ACCOUNT_PURPOSE_REPLICATION: engine.PurposeReplication,
}

func (s *roleService) EnsureAccounts(ctx context.Context, r *agentv1.EnsureAccountsRequest) (*agentv1.EnsureAccountsResponse, error) {
	switch n := len(r.GetAccounts()); {
	case n < 1 || n > maxAccounts:
		return nil, status.Errorf(codes.InvalidArgument, "accounts: %d are not 1 to %d", n, maxAccounts)
	case len(r.GetHashKey()) < minHashKey:
		return nil, status.Errorf(codes.InvalidArgument, "hash_key: at least %d bytes are required", minHashKey)
	}
	var accounts []engine.Account
	for _, a := range r.GetAccounts() {
		purpose, ok := accountPurposes[a.GetPurpose()]
		if !ok {
			return nil, status.Errorf(codes.InvalidArgument, "accounts: the purpose of %q is not known to this agent", a.GetName())
		}
		accounts = append(accounts, engine.Account{Purpose: purpose, User: a.GetName(), Password: engine.Secret(a.GetPassword())})
	}
	changed, err := s.manager.EnsureAccounts(ctx, s.unit.allow(r.GetFence(), r), accounts)
	if err != nil {
		return nil, roleError(err)
	}
	return &agentv1.EnsureAccountsResponse{Hash: accountsHash(r.GetHashKey(), r.GetAccounts()), Changed: changed}, nil
}

// accountsHash names accounts without telling their passwords, as the caller does.
func accountsHash(key []byte, accounts []*agentv1.Account) string {
	sorted := slices.SortedFunc(slices.Values(accounts), func(a, b *agentv1.Account) int {
		if c := strings.Compare(a.GetName(), b.GetName()); c != 0 {
			return c
		}
		return strings.Compare(purposeName(a), purposeName(b))
	})
	mac := hmac.New(sha256.New, key)
	for _, a := range sorted {
		for _, part := range [][]byte{[]byte(a.GetName()), []byte(purposeName(a)), a.GetPassword()} {
			mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			mac.Write(part)
		}
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// purposeName is mysql, postgres or replication.
func purposeName(a *agentv1.Account) string {
	return strings.ToLower(strings.TrimPrefix(a.GetPurpose().String(), "ACCOUNT_PURPOSE_"))
}

func (s *roleService) SaveErrant(ctx context.Context, r *agentv1.SaveErrantRequest) (*agentv1.SaveErrantResponse, error) {
	switch {
	case strings.TrimSpace(r.GetGtidSet()) == "":
		return nil, status.Error(codes.InvalidArgument, "gtid_set is required")
	case r.GetMaxBytes() < 0:
		return nil, status.Error(codes.InvalidArgument, "max_bytes must not be negative")
	}
	root := filepath.Join(s.unit.env.AgentDir(), evidenceDir)
	path, e, err := s.manager.SaveErrant(ctx, s.unit.allow(r.GetFence(), r), root, r.GetFence().GetEpoch(), r.GetGtidSet(), r.GetMaxBytes())
	if err != nil {
		return nil, roleError(err)
	}
	if relative, err := filepath.Rel(s.unit.env.DataMount, path); err == nil {
		path = relative
	}
	return &agentv1.SaveErrantResponse{Path: path, Bytes: e.Bytes, Saved: e.Saved, Lost: e.Lost, Truncated: e.Truncated, Sha256: e.SHA256}, nil
}

func (s *roleService) Provision(ctx context.Context, r *agentv1.ProvisionRequest) (*agentv1.ProvisionResponse, error) {
	if err := validProvision(r); err != nil {
		return nil, err
	}
	donor := r.GetDonor()
	parameters, err := operation.Encode(&operation.Provision{
		Donor: operation.Donor{
			Name: donor.GetName(), Host: donor.GetHost(), Port: int(donor.GetPort()), User: r.GetChannel().GetUser(),
			ServerID: donor.GetServerId(), DataGeneration: donor.GetDataGeneration(),
		},
		Replace: r.GetReplace(), ServerID: r.GetServerId(),
	})
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	// What cannot be served has no place among the calls.
	if err := s.operations.Ready(ctx); err != nil {
		return nil, operationError(err)
	}
	if err := s.unit.allow(r.GetFence(), r)(ctx, mayBeProvisioned); err != nil {
		return nil, roleError(err)
	}
	view, err := s.operations.Start(ctx, operations.Start{
		ID: r.GetId(), JournalID: r.GetJournalId(), Action: operation.ActionProvision, Parameters: parameters,
		Secrets: map[string][]byte{operation.SecretSourcePassword: bytes.Clone(r.GetChannel().GetPassword())},
	})
	if err != nil {
		return nil, operationError(err)
	}
	return &agentv1.ProvisionResponse{Operation: operationMessage(view)}, nil
}

func validProvision(r *agentv1.ProvisionRequest) error {
	switch donor := r.GetDonor(); {
	case r.GetJournalId() == "":
		return status.Error(codes.InvalidArgument, "journal_id is required")
	case donor.GetHost() == "" || donor.GetPort() < 1 || donor.GetPort() > 65535 || donor.GetServerId() == "":
		return status.Error(codes.InvalidArgument, "donor: host, port (1 to 65535) and server_id are required")
	case r.GetChannel() == nil:
		return status.Error(codes.InvalidArgument, "channel: user and password are required")
	case r.GetReplace() && r.GetServerId() == "":
		return status.Error(codes.InvalidArgument, "server_id: that of the data which may be replaced is required")
	}
	return validChannel(r.GetChannel())
}

// mayBeProvisioned refuses a server that has a part in its topology.
func mayBeProvisioned(d state.Desired) error {
	switch role := d.EffectiveRecord().Role; role {
	case engine.RoleSource, engine.RoleReplica:
		return fmt.Errorf("%w: the server is recorded as %s: isolate it first", roles.ErrRefused, role)
	}
	return nil
}

// allow lets a call of the owner through that changes no role, in the order of its calls.
func (s *unitService) allow(fence *agentv1.Fence, request proto.Message) roles.Allow {
	return func(ctx context.Context, check func(state.Desired) error) error {
		if fence.GetReplicationUid() == "" {
			return status.Error(codes.InvalidArgument, "fence: replication_uid is required, members belong to the Replication")
		}
		var refused error
		_, _, err := s.fencedChange(ctx, fence, request, func(d *state.Desired) error {
			refused = check(*d)
			return refused
		})
		if refused != nil {
			return refused
		}
		return err
	}
}
