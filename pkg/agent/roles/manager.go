// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"errors"
	"sync"

	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

var (
	// ErrRefused: the call can never succeed on a server that is what this one is.
	ErrRefused = errors.New("refused")
	// ErrOtherServer: the call was meant for another server's data.
	ErrOtherServer = errors.New("this is another server")
	// errInterrupted ends what a Demote or an Isolate finds in its way.
	errInterrupted = errors.New("interrupted by a more urgent change of the role")
)

// Keeper stores what is desired of this pod. state.Keeper is the one.
type Keeper interface {
	// Desired of this pod; its zero value while nothing was written.
	Desired() (state.Desired, error)
	// Change is durable when it returns nil.
	Change(ctx context.Context, change func(*state.Desired) error) (state.Desired, error)
	// SetChannel stores the account that channels log in with, durably.
	SetChannel(ctx context.Context, account engine.ChannelAccount) error
}

// Server is what supervise says of the server.
type Server interface {
	// Look at it now. It reads nothing on the data volume.
	Look() (Look, error)
	// Changed returns a channel that is sent to after a change, until ctx ends.
	Changed(ctx context.Context) <-chan struct{}
}

// Look is the state of the server.
type Look struct {
	// Running is true when it has answered since it was started.
	Running bool
	// Start names this start of the server; empty while there is none.
	Start string
	// Record is what the server was started with, Order the restart order that its
	// start has fulfilled.
	Record engine.RoleRecord
	Order  int64
	// Stopped is true when it is proven that no process of it can run.
	Stopped bool
	// Message explains for people why it does not run.
	Message string
}

// Operations of the unit.
type Operations interface {
	// Reserve keeps operations that replace data off until release is called;
	// operations.ErrBusy names the one that has the unit. Others, such as a backup, are
	// no hindrance.
	Reserve(ctx context.Context, holder string) (release func(), err error)
	// Interrupt ends the operation that has the unit, if one has, and returns when its
	// end was asked for; it does not wait for it.
	Interrupt(reason, message string)
}

// Options of a Manager.
type Options struct {
	Engine engine.Replicator
	Keeper Keeper
	// Channel is the account of what is desired; state.Store has it.
	Channel    func(state.Desired) (engine.ChannelAccount, error)
	Server     Server
	Operations Operations
	Clock      clock.WithTicker
}

// Manager changes roles and keeps them in force.
type Manager struct {
	engine     engine.Replicator
	keeper     Keeper
	channel    func(state.Desired) (engine.ChannelAccount, error)
	server     Server
	operations Operations
	clock      clock.WithTicker
	turn       *turn
	evidence   evidence

	mu sync.Mutex
	// enforced is what the running server was last made.
	enforced enforcement
	// previous was in force before wanted was recorded, which is not yet while pending.
	previous, wanted engine.RoleRecord
	pending          bool
	// trouble is the last error of the tender; empty after a success.
	trouble string
	// did is what the tender did in its last round.
	did []string
}

// enforcement says for which start of the server which record was enforced.
type enforcement struct {
	start string
	order order
}

// order tells one record from the next.
type order struct {
	replicationUID   string
	term, seq, epoch int64
	role             engine.Role
	released         bool
}

func orderOf(r engine.RoleRecord) order {
	return order{r.ReplicationUID, r.Term, r.Seq, r.Epoch, r.Role, r.Released}
}

// New makes a manager. Run keeps roles in force.
func New(o Options) *Manager {
	return &Manager{engine: o.Engine, keeper: o.Keeper, channel: o.Channel, server: o.Server, operations: o.Operations, clock: o.Clock, turn: newTurn()}
}

// Observe asks the server.
func (m *Manager) Observe(ctx context.Context) (engine.Replication, error) {
	return m.engine.ObserveReplication(ctx)
}

func (m *Manager) setEnforced(e enforcement) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.enforced, m.pending = e, false
}

func (m *Manager) isEnforced(e enforcement) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return e.start != "" && m.enforced == e
}

// setPrevious remembers what was in force before a call, until one is in force: of
// several calls that were not, the first one's.
func (m *Manager) setPrevious(before, wanted engine.RoleRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.pending {
		m.previous = before
	}
	m.pending, m.wanted = true, wanted
}

// previousRecord is what was in force before the record that is wanted; ok is false if
// nothing is known of it.
func (m *Manager) previousRecord() (before, wanted engine.RoleRecord, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.previous, m.wanted, m.pending
}

// settled forgets it: what is recorded is in force.
func (m *Manager) settled() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = false
}
