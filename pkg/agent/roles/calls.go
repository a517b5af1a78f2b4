// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// Commit is a fenced and durable change of what is desired: it refuses a caller that
// does not own the unit or was overtaken, and records the order of the call. A retry
// of the last call passes.
type Commit func(ctx context.Context, change func(*state.Desired) error) (state.Desired, error)

// Promotion is what a source must be.
type Promotion struct {
	Durability engine.Durability
	// Open for writes.
	Open bool
	// ServerID expected of this server; empty: not checked.
	ServerID       string
	DataGeneration int64
	// Channel is the account that replicas log in with.
	Channel engine.ChannelAccount
	// Timeline that the promotion begins, and Slots, the units for which WAL is kept
	// (PostgreSQL).
	Timeline int64
	Slots    []string
}

// Following is what a replica must be.
type Following struct {
	Upstream engine.Upstream
	Channel  engine.ChannelAccount
	// UpstreamExecuted is what the upstream had executed, read for this call.
	UpstreamExecuted string
	DataGeneration   int64
	// Acknowledge says whether this replica may acknowledge commits.
	Acknowledge bool
}

// Promote makes the server the source.
func (m *Manager) Promote(ctx context.Context, commit Commit, p Promotion) error {
	if err := m.expect(ctx, p.ServerID); err != nil {
		return err
	}
	return m.change(ctx, commit, change{
		what:    "promote",
		channel: p.Channel,
		set: func(r *engine.RoleRecord) error {
			r.Role, r.Upstream, r.Acknowledge = engine.RoleSource, nil, false
			r.Durability, r.Open, r.DataGeneration = p.Durability, p.Open, p.DataGeneration
			r.Timeline, r.Slots = p.Timeline, p.Slots
			return nil
		},
	})
}

// Follow makes the server receive from an upstream.
func (m *Manager) Follow(ctx context.Context, commit Commit, f Following) error {
	return m.change(ctx, commit, change{
		what:             "follow",
		channel:          f.Channel,
		upstreamExecuted: f.UpstreamExecuted,
		set: func(r *engine.RoleRecord) error {
			if r.Role == engine.RoleSource {
				return fmt.Errorf("%w: this is the source: demote it first", ErrRefused)
			}
			upstream := f.Upstream
			r.Role, r.Upstream, r.Acknowledge = engine.RoleReplica, &upstream, f.Acknowledge
			r.Durability, r.Open, r.DataGeneration = engine.Durability{}, false, f.DataGeneration
			r.Timeline, r.Slots = 0, nil
			return nil
		},
	})
}

// Demote closes a source.
func (m *Manager) Demote(ctx context.Context, commit Commit) error {
	return m.change(ctx, commit, change{what: "demote", urgent: true, demote: true, set: isolated})
}

// Isolate stops receiving.
func (m *Manager) Isolate(ctx context.Context, commit Commit) error {
	return m.change(ctx, commit, change{
		what:   "isolate",
		urgent: true,
		set: func(r *engine.RoleRecord) error {
			if r.Role == engine.RoleSource {
				return fmt.Errorf("%w: this is the source: demote it first", ErrRefused)
			}
			return isolated(r)
		},
	})
}

func isolated(r *engine.RoleRecord) error {
	r.Role, r.Upstream, r.Acknowledge = engine.RoleIsolated, nil, false
	r.Durability, r.Open = engine.Durability{}, false
	r.Timeline, r.Slots = 0, nil
	return nil
}

// Release ends the Replication's ownership. The role stays, and a fence of the
// Replication is lifted: nobody else could.
func (m *Manager) Release(ctx context.Context, commit Commit) error {
	_, err := commit(ctx, func(d *state.Desired) error {
		if d.Record.Role == engine.RoleSource && slices.Contains(d.Holds, state.HoldFence) {
			// It was fenced for another to be the source: it must not open again.
			if err := isolated(&d.Record); err != nil {
				return err
			}
		}
		if d.Record.Role != "" {
			d.Record.Released = true
		}
		d.Record.ReplicationUID = ""
		*d = d.SetHold(state.HoldFence, false)
		return nil
	})
	return err
}

// change is one call that changes the role.
type change struct {
	what string
	// urgent ones wait for nothing.
	urgent bool
	// demote: a server that does not answer is killed.
	demote           bool
	channel          engine.ChannelAccount
	upstreamExecuted string
	set              func(*engine.RoleRecord) error
}

func (m *Manager) change(ctx context.Context, commit Commit, c change) error {
	if c.urgent {
		// Only who is let through interrupts anything.
		if _, err := m.commit(ctx, commit, c); err != nil {
			return err
		}
	} else {
		release, err := m.reserve(ctx, commit, c)
		if err != nil {
			return err
		}
		defer release()
	}
	held, release, err := m.turn.take(ctx, c.urgent)
	if err != nil {
		return fmt.Errorf("%w: %w", engine.ErrNotYet, err)
	}
	defer release()
	if !c.urgent {
		if _, err := m.commit(held, commit, c); err != nil {
			return err
		}
	}
	err = m.enforce(held, enforcing{upstreamExecuted: c.upstreamExecuted, demote: c.demote})
	if errors.Is(err, engine.ErrWouldLose) {
		return errors.Join(err, m.takeBack(context.WithoutCancel(held)))
	}
	if cause := context.Cause(held); err != nil && errors.Is(cause, errInterrupted) {
		return fmt.Errorf("%w: %w", engine.ErrNotYet, cause)
	}
	if err == nil && c.channel.ID != "" {
		_, err = m.keeper.Change(ctx, func(d *state.Desired) error {
			d.ChannelID = c.channel.ID
			return nil
		})
	}
	return err
}

// reserve keeps operations that replace data off until the role is changed. One that
// has the unit may need the role itself: in a new pod its server may not be started
// before it has one, so a first role is recorded, and enforced when the server runs.
func (m *Manager) reserve(ctx context.Context, commit Commit, c change) (release func(), err error) {
	release, err = m.operations.Reserve(ctx, "a change of the unit's role ("+c.what+")")
	if err == nil {
		return release, nil
	}
	desired, desiredErr := m.keeper.Desired()
	if desiredErr != nil || desired.EffectiveRecord().Role != "" || !errors.Is(err, operations.ErrBusy) {
		return nil, errors.Join(err, desiredErr)
	}
	if _, commitErr := m.commit(ctx, commit, c); commitErr != nil {
		return nil, commitErr
	}
	return nil, fmt.Errorf("the role is recorded, and in force once the operation is over: %w", err)
}

// commit records what the call wants. What was in the way of a role that the server
// has left ends then: a backup of a source is none of a replica.
func (m *Manager) commit(ctx context.Context, commit Commit, c change) (state.Desired, error) {
	left := false
	after, err := commit(ctx, func(d *state.Desired) error {
		before, next := d.Record, d.Record
		next.Released = false
		if err := c.set(&next); err != nil {
			return err
		}
		d.Record = next
		left = leaves(before, next)
		m.setPrevious(before, next)
		return nil
	})
	if err != nil {
		return after, err
	}
	if left {
		m.operations.Interrupt(operations.ReasonRoleChanged, "the unit's role changed: "+c.what)
	}
	if c.channel.User != "" {
		if err := m.keeper.SetChannel(ctx, c.channel); err != nil {
			return after, err
		}
	}
	klog.FromContext(ctx).Info("The role is recorded", "call", c.what, "role", after.Record.Role, "epoch", after.Record.Epoch, "term", after.Record.Term, "seq", after.Record.Seq)
	return after, nil
}

// leaves says whether a server becomes something else by a record: one whose
// durability or order alone has changed does not, nor one that gets its first role and
// keeps the data that it serves.
func leaves(before, next engine.RoleRecord) bool {
	if before.Role != next.Role {
		return before.Role != "" || next.Role == engine.RoleReplica
	}
	if before.Upstream == nil || next.Upstream == nil {
		return false
	}
	return before.Upstream.Host != next.Upstream.Host || before.Upstream.Port != next.Upstream.Port ||
		before.Upstream.ServerID != "" && next.Upstream.ServerID != "" && before.Upstream.ServerID != next.Upstream.ServerID
}

// takeBack makes the record what was in force before the calls that were refused:
// nothing of them must be taken up at the next start of the server. A retry after a
// restart of the agent leaves it: what was in force is not known any more, and the next
// start refuses it for the same reason.
func (m *Manager) takeBack(ctx context.Context) error {
	before, refused, ok := m.previousRecord()
	if !ok {
		return nil
	}
	_, err := m.keeper.Change(ctx, func(d *state.Desired) error {
		if d.Record.ReplicationUID == refused.ReplicationUID && d.Record.Role == refused.Role && d.Record.Released == refused.Released {
			d.Record = withOrderOf(before, d.Record)
		}
		return nil
	})
	if err == nil {
		m.settled()
	}
	return err
}

// withOrderOf is the record r in the order of a later one: the later call was
// accepted, and nothing older may follow it.
func withOrderOf(r, later engine.RoleRecord) engine.RoleRecord {
	r.ReplicationUID, r.Term, r.Seq, r.Epoch = later.ReplicationUID, later.Term, later.Seq, later.Epoch
	return r
}

// expect refuses a server other than the one that is meant.
func (m *Manager) expect(ctx context.Context, serverID string) error {
	if serverID == "" {
		return nil
	}
	r, err := m.engine.ObserveReplication(ctx)
	if err != nil {
		return fmt.Errorf("%w: the server's identity cannot be checked: %w", engine.ErrNotYet, err)
	}
	if r.ServerID != serverID {
		return fmt.Errorf("%w: server %s was meant, this is %s", ErrOtherServer, serverID, r.ServerID)
	}
	return nil
}
