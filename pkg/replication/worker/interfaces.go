// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// Agents is what the worker asks of the members' agents; agentclient.Client does it,
// behind something that gives each mutating call its term and number: the worker fills
// in the Replication and the epoch of a fence only, and a call that it makes again is a
// new one.
type Agents interface {
	agentclient.Roles
	agentclient.Members
	SetHold(ctx context.Context, target agentclient.Target, hold agentclient.Hold) (*agentclient.Status, error)
}

// Endpoints moves the pods' role labels, by which the Services find the source.
type Endpoints interface {
	// Publish labels the member, which was seen open in that epoch, as the source, after
	// it has taken that label from all others. It is called once a switchover or a
	// failover has opened it; what else the labels should be, Plan.Labels says at the end.
	Publish(ctx context.Context, source string, epoch int64) error
}

// Withdrawer is what Endpoints may do as well.
type Withdrawer interface {
	// Withdraw takes the source's label off a member that is about to be closed for a
	// switchover, so that clients whose sessions end there are refused until Publish,
	// instead of connecting to a server that only reads. It returns within ctx; the
	// switchover does not depend on it.
	Withdraw(ctx context.Context, source string, epoch int64) error
}

// ErrConflict says that what is recorded is not what the caller had read. Nothing was written.
var ErrConflict = errors.New("the replication's status was changed by somebody else")

// Journal is the status of one Replication, and what the API knows of its members.
type Journal interface {
	// Load reads the Replication from the API server itself, not from a cache, and its
	// members. The ends of pods that it reports may be older, never invented: an end is
	// proven for ever, but a pod that a cache does not show yet may exist.
	Load(ctx context.Context) (*Loaded, error)
	// Save records to, if what is recorded is still from; else it returns ErrConflict and
	// writes nothing. It keeps to the deadline of ctx. Any other error leaves the outcome
	// unknown. A change of the object that leaves what is recorded alone, such as an
	// annotation of the user's, is no conflict.
	Save(ctx context.Context, from topology.Recorded, change topology.Change) error
}

// Loaded is what Load reads.
type Loaded struct {
	Request  topology.Request
	Recorded topology.Recorded
	// Members in their order: the source that the spec asks for first, then the others as
	// they are listed, then those of the set by ordinal, then those that are Leaving.
	Members []topology.Member
	// Targets of the members' agents, by name; a member without a pod has none.
	Targets map[string]agentclient.Target
	// Channel is the account that the members' channels log in with.
	Channel agentclient.ChannelAccount
	// LeaseRenewed is when this process last renewed its lease; no switchover that could
	// wait begins on an old one.
	LeaseRenewed time.Time
}

// Clock has the time and lets it pass.
type Clock interface {
	Now() time.Time
	// Sleep returns when d has passed, or ctx has ended with its error.
	Sleep(ctx context.Context, d time.Duration) error
	// WithTimeout is context.WithTimeout by this clock.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// Each runs f for 0 to n-1, in order or at the same time, and returns when all have
// returned. InOrder is for tests, AtOnce for the controller.
type Each func(n int, f func(i int))

// InOrder runs one after the other.
func InOrder(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

// AtOnce runs all at the same time. A panic of one becomes the caller's when all have
// ended: in a goroutine of its own it would end the process.
func AtOnce(n int, f func(i int)) {
	crashes := make(chan string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					crashes <- fmt.Sprintf("%v\n%s", r, debug.Stack())
				}
			}()
			f(i)
		})
	}
	all.Wait()
	select {
	case crash := <-crashes:
		panic(crash)
	default:
	}
}
