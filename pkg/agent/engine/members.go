// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"time"
)

// ErrInvalid is of what can never be understood; a wrapped error says why.
var ErrInvalid = errors.New("invalid")

// MemberAccounts is a Replicator whose open source is given the accounts of its Replication.
// MySQL and PostgreSQL implement it.
type MemberAccounts interface {
	// EnsureMemberAccounts makes accounts on an open source, by ordinary transactions. It
	// writes only what differs and returns whom it wrote. ErrNotYet, and nothing is
	// written, while commits wait for acknowledgements. One call at a time is made.
	EnsureMemberAccounts(ctx context.Context, accounts []Account) (changed []string, err error)
}

// MemberActivity is a Replicator that reports what its server's clients do. MySQL and PostgreSQL
// implement it.
type MemberActivity interface {
	// Activity reports what clients have open and run, without what they execute.
	Activity(ctx context.Context) (Activity, error)
}

// Member is what a Replicator's server does for its Replication in addition to its role. MySQL
// implements it. Methods are safe for concurrent use but for SaveErrant, of which one call at
// a time is made.
type Member interface {
	MemberAccounts
	MemberActivity

	// WaitExecuted waits until the server has executed a GTID set, timeout at most, and
	// returns what it had then. ErrInvalid for what is no GTID set.
	WaitExecuted(ctx context.Context, gtidSet string, timeout time.Duration) (Executed, error)

	// SaveErrant copies transactions of the binary log to a file below dir, or finds what
	// an earlier call has copied there.
	SaveErrant(ctx context.Context, dir, gtidSet string, maxBytes int64) (Evidence, error)
}

// Activity of a server's clients.
type Activity struct {
	Transactions []Transaction
	Definitions  []Statement
}

// Transaction of a client.
type Transaction struct {
	Session    int64
	User, Host string
	Seconds    int64
	// RowsModified so far; of a PostgreSQL 1 if it has modified any, or is about to.
	RowsModified int64
}

// Statement that changes definitions and runs.
type Statement struct {
	Session    int64
	User, Host string
	Seconds    int64
	// Kind is its first words.
	Kind string
}

// Executed answers WaitExecuted.
type Executed struct {
	Contained         bool
	Executed, Missing string
}

// Evidence is where errant transactions lie.
type Evidence struct {
	// Name of the file in the directory.
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	// Saved is what of the set lies there, Lost what the binary log no longer has.
	Saved string `json:"saved,omitempty"`
	Lost  string `json:"lost,omitempty"`
	// Truncated: the file ends before all of Saved.
	Truncated bool   `json:"truncated,omitempty"`
	SHA256    string `json:"sha256"`
}
