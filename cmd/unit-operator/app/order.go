// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agentclient"
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
	// needed is the lowest term that agents let this process through with, as far as
	// their refusals tell.
	needed atomic.Int64
	now    func() time.Time
	// leaseless: there is no Lease by which this process could prove that it leads.
	leaseless bool
	// renewed is when this process last wrote its Lease, in nanoseconds; 0 where there is
	// none.
	renewed atomic.Int64
}

func newCallOrder(now time.Time) *callOrder {
	o := &callOrder{now: time.Now}
	o.seq.Store(now.UnixMicro())
	return o
}

// overtaken remembers that an agent had accepted a later call than one of this process:
// of a leader by now, or of one whose Lease is no more (it was deleted, the operator was
// rolled back, a clock was set back). Which of the two it is the Lease shows: its next
// renewal raises the term above, and fails if another leads. Until then calls are refused.
//
// An agent is believed up to the term that an operator has whose clock is ten years
// ahead: one that is in somebody else's hands must not use up the numbers of a Lease,
// which all others' calls depend on.
func (o *callOrder) overtaken(by agentclient.Order) {
	if by.Term > leastTerm(o.now().AddDate(10, 0, 0)) {
		klog.Background().Info("An agent claims that it was called by an operator of an impossible term; it goes on refusing calls until its pod is replaced", "term", by.Term)
		return
	}
	mine := o.term.Load()
	if by.Term < mine || by.Term == mine && by.Seq <= o.seq.Load() {
		// Calls of this process overtook each other, which no other term mends.
		return
	}
	for needed := o.needed.Load(); by.Term >= needed; needed = o.needed.Load() {
		if o.needed.CompareAndSwap(needed, by.Term+1) {
			break
		}
	}
	if o.leaseless {
		o.term.CompareAndSwap(mine, o.needed.Load())
	}
}

// least is the lowest term that this process may go on with, once its Lease is renewed.
func (o *callOrder) least(now time.Time) int64 {
	least := o.term.Load()
	if least == 0 {
		least = leastTerm(now)
	}
	return max(least, o.needed.Load())
}

// next call.
func (o *callOrder) next() (term, seq int64) { return o.term.Load(), o.seq.Add(1) }

// leaseRenewed is when this process last proved that it leads. Without a Lease it always
// does.
func (o *callOrder) leaseRenewed() time.Time {
	if n := o.renewed.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Now()
}

// leastTerm of an operator that begins to lead now, in minutes. A Lease that was deleted
// begins above all that it was before, and an operator without a Lease has a term at
// all: elections take place less often than once a minute, over the years.
func leastTerm(now time.Time) int64 { return now.Unix() / int64(time.Minute/time.Second) }
