// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Members is what a Replication asks of the agents of its members in addition to their roles.
// Implementations are safe for concurrent use. Mutating calls carry a RoleFence as
// those of Roles do and stand in one order with them. Engines that cannot do a call
// answer it with Final.
type Members interface {
	// Activity reports what a switchover would have to wait for or end; it changes nothing.
	Activity(ctx context.Context, target Target) (*Activity, error)
	// WaitExecuted waits until the server has executed a GTID set, for at most 5 seconds
	// and no longer than ctx, and returns what it had then; it changes nothing. Not
	// contained is no error.
	WaitExecuted(ctx context.Context, target Target, request WaitRequest) (*Executed, error)
	// EnsureAccounts makes accounts on an open source, with grants and passwords; its
	// replicas get them as transactions. Unavailable while commits wait for
	// acknowledgements: nothing was written.
	EnsureAccounts(ctx context.Context, target Target, request EnsureAccountsRequest) (*EnsuredAccounts, error)
	// SaveErrant writes transactions that only this server has executed to its volume.
	// Unavailable while it runs; the same call again asks for the outcome.
	SaveErrant(ctx context.Context, target Target, request SaveErrantRequest) (*Evidence, error)
	// Provision starts the operation that makes the server a copy of a donor, or finds or
	// resumes the one started under the id. Operations reports its progress, by the id, and
	// cancels it. Busy if another operation has the unit.
	Provision(ctx context.Context, target Target, request ProvisionRequest) (*Operation, error)
}

// MembersTimeout bounds the calls of Members: WaitExecuted waits for 5 seconds itself.
const MembersTimeout = 10 * time.Second

// MaxWaitExecuted is the longest wait of one WaitExecuted.
const MaxWaitExecuted = 5 * time.Second

// ActionProvision is the action of the operation that Provision starts.
const ActionProvision = "provision"

// Reasons of a failed provision, as Operation.Reason has them.
const (
	// ReasonDonorChanged: another server, or other data, is at the donor's address.
	ReasonDonorChanged = "DonorChanged"
	// ReasonDonorUnreachable: the donor does not answer, or refuses the account.
	ReasonDonorUnreachable = "SourceUnreachable"
	// ReasonDonorBlocked: commits of the donor wait for acknowledgements, and CLONE waits
	// for them: it would never end.
	ReasonDonorBlocked = "DonorWaitsForAcknowledgements"
	// ReasonWouldOverwrite: the server has data, and Replace was not given.
	ReasonWouldOverwrite = "WouldOverwrite"
	// ReasonRoleChanged: the unit was given another role meanwhile.
	ReasonRoleChanged = "RoleChanged"
	// ReasonNotEnoughSpace: the copy does not fit next to the data.
	ReasonNotEnoughSpace = "NotEnoughSpace"
)

// Activity of a server's clients. What they execute is not reported: it may hold secrets.
type Activity struct {
	// Transactions open for a second or longer, the oldest first, 20 at most.
	Transactions []Transaction
	// Definitions are statements that change definitions and run now, the oldest first.
	Definitions []Statement
}

// Transaction of a client.
type Transaction struct {
	// Session id, as KILL takes it.
	Session    int64
	User, Host string
	Open       time.Duration
	// RowsModified so far; 0 of one that only reads.
	RowsModified int64
}

// Statement that runs.
type Statement struct {
	Session    int64
	User, Host string
	Running    time.Duration
	// Kind is its first words: ALTER TABLE.
	Kind string
}

// WaitRequest says what to wait for.
type WaitRequest struct {
	GTIDSet string
	// Timeout of MaxWaitExecuted at most; 0 only looks.
	Timeout time.Duration
}

// Executed answers WaitExecuted.
type Executed struct {
	Contained bool
	// Executed is all that the server has executed, Missing what of the set it has not.
	Executed, Missing string
}

// AccountPurpose is what an account of a Replication is for, hence its grants.
type AccountPurpose string

const (
	// PurposeMySQL is the account of spec.secret.mysql: it may do everything.
	PurposeMySQL AccountPurpose = "mysql"
	// PurposePostgres is the account of spec.secret.postgres: a superuser.
	PurposePostgres AccountPurpose = "postgres"
	// PurposeReplication is that of spec.secret.replication: it may replicate, clone and
	// monitor.
	PurposeReplication AccountPurpose = "replication"
)

// Account of a Replication.
type Account struct {
	Name     string
	Password Password
	Purpose  AccountPurpose
}

// EnsureAccountsRequest is what accounts there shall be.
type EnsureAccountsRequest struct {
	Fence RoleFence
	// Accounts, 1 to 8. A name may come twice, for two purposes and with one password.
	Accounts []Account
	// HashKey of AccountsHash, 16 bytes or more. Never printed.
	HashKey Password
}

// EnsuredAccounts answers EnsureAccounts.
type EnsuredAccounts struct {
	// Hash of what is in force: AccountsHash of the request's accounts.
	Hash string
	// Changed names the accounts that the call wrote.
	Changed []string
}

// AccountsHash names accounts with their passwords without telling them: whoever has
// the key and the accounts knows without a call whether they are what was applied. The
// order of the accounts makes no difference.
func AccountsHash(key Password, accounts []Account) string {
	sorted := slices.SortedFunc(slices.Values(accounts), func(a, b Account) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(string(a.Purpose), string(b.Purpose))
	})
	mac := hmac.New(sha256.New, []byte(key))
	for _, a := range sorted {
		for _, s := range []string{a.Name, string(a.Purpose), string(a.Password)} {
			mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
			mac.Write([]byte(s))
		}
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// SaveErrantRequest says what to keep as evidence.
type SaveErrantRequest struct {
	Fence RoleFence
	// GTIDSet of the errant transactions.
	GTIDSet string
	// MaxBytes of what is written; 0 means 1 GiB, and more is not taken.
	MaxBytes int64
}

// Evidence is where errant transactions lie.
type Evidence struct {
	// Path below the data volume's mount.
	Path  string
	Bytes int64
	// Saved is what of the set lies there, Lost what the binary log no longer has.
	Saved, Lost string
	// Truncated is true when MaxBytes was reached: the file ends before all of Saved.
	Truncated bool
	SHA256    string
}

// Donor is the server that a copy is taken of.
type Donor struct {
	Name string
	Host string
	Port int32
	// ServerID expected there, before the copy and after it.
	ServerID string
	// DataGeneration of its data, for the operation's record.
	DataGeneration int64
}

// ProvisionRequest makes a server a copy of a donor.
type ProvisionRequest struct {
	Fence RoleFence
	// ID of the operation, 1 to 63 letters, digits and -, and JournalID of the journal it
	// is meant for, as in OperationRef.
	ID, JournalID string
	Donor         Donor
	// Channel is the account that logs in to the donor.
	Channel ChannelAccount
	// Replace permits to replace data that is not pristine, of the server ServerID only.
	Replace  bool
	ServerID string
}
