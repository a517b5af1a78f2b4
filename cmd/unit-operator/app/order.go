// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"sync/atomic"
	"time"
)

// callOrder gives each call that changes an agent its place among all such calls of all
// operators: agents refuse one that comes after a later one. A leader that slept while
// another one was elected is refused by its term.
type callOrder struct {
	// term is leaseTransitions of the Lease, since this process holds it.
	term atomic.Int64
	// seq rises with each call. It begins with the time, so that it rises from one
	// process to the next, too, where no Lease does.
	seq atomic.Int64
}

func newCallOrder(now time.Time) *callOrder {
	o := &callOrder{}
	o.seq.Store(now.UnixMicro())
	return o
}

// next call.
func (o *callOrder) next() (term, seq int64) { return o.term.Load(), o.seq.Add(1) }

// leastTerm of an operator that begins to lead now, in minutes. A Lease that was deleted
// begins above all that it was before, and an operator without a Lease has a term at
// all: elections take place less often than once a minute, over the years.
func leastTerm(now time.Time) int64 { return now.Unix() / int64(time.Minute/time.Second) }
