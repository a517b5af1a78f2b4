// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

const (
	// ResumeTimeout is how long an interrupted operation waits for its secrets.
	ResumeTimeout = 10 * time.Minute
	// keepUnacknowledged is how long an outcome waits for the operator to store it.
	keepUnacknowledged = 7 * 24 * time.Hour
	// keepAcknowledged is how long late duplicates of a Start are recognised after it
	// has.
	keepAcknowledged = 24 * time.Hour
	// retryInterval of what a full or failing volume prevents.
	retryInterval = 5 * time.Second
	// maxText of what an action says for people.
	maxText = 4 << 10
)

// Options of a manager.
type Options struct {
	Env     engine.Env
	Files   state.Files
	Actions map[string]Action
	// Desired is desired.json, for the holds of operations.
	Desired DesiredWriter
	// AwaitServer, if set, is called before an action begins.
	AwaitServer func(ctx context.Context, op Op)
	// Clock is clock.RealClock outside tests.
	Clock clock.Clock
	// Observe, if set, is told of every outcome.
	Observe func(action string, outcome journal.State, took time.Duration)
}

// DesiredWriter changes desired.json for the agent itself: one at a time with what
// the operator changes, durable when it returns.
type DesiredWriter interface {
	ChangeDesired(ctx context.Context, change func(*state.Desired)) error
}

// Manager runs operations. Make it with New, then Open, then Run.
type Manager struct {
	opts  Options
	clock clock.Clock
	// loading serialises what reads the journal, starting what begins an operation.
	loading, starting sync.Mutex
	kick              chan struct{}
	workers           sync.WaitGroup

	mu sync.Mutex
	// spawn starts a worker with a context that ends when the agent does, ended tells
	// whether it has; nil before Open.
	spawn func(func(context.Context))
	ended func() error
	// journalID is empty until the records are loaded.
	journalID string
	ops       map[string]*run
	damaged   map[string]journal.Damaged
	// reserved names who has the unit that is no operation; empty if nobody.
	reserved string
	// changed is closed with the next change of any operation; nil if nobody waits.
	changed chan struct{}
}

// Errors of a manager. All others mean that it could not be done now.
var (
	// ErrNotFound: the journal has no such operation.
	ErrNotFound = errors.New("there is no such operation")
	// ErrJournal: the journal is not the one meant, or the record is unreadable.
	ErrJournal = errors.New("the operation's record is lost")
	// ErrInvalid: it can never succeed.
	ErrInvalid = errors.New("invalid")
	// ErrBusy: another operation has the unit.
	ErrBusy = errors.New("busy")
)

// Start is a request to start or resume an operation.
type Start struct {
	ID, JournalID, Action string
	Parameters            json.RawMessage
	Secrets               map[string][]byte
}

// View is an operation as it is now.
type View struct {
	journal.Record
	Progress              string
	BytesDone, BytesTotal int64
}

// Info is what Info tells.
type Info struct {
	JournalID string
	Current   *View
	Actions   []string
}

// New makes a manager; nothing happens before Open.
func New(opts Options) *Manager {
	if opts.Observe == nil {
		opts.Observe = func(string, journal.State, time.Duration) {}
	}
	if opts.AwaitServer == nil {
		opts.AwaitServer = func(context.Context, Op) {}
	}
	return &Manager{
		opts: opts, clock: opts.Clock, kick: make(chan struct{}, 1),
		ops: map[string]*run{}, damaged: map[string]journal.Damaged{},
	}
}

// Info tells which journal this is, what has the unit, and what could be done.
func (m *Manager) Info(ctx context.Context) (Info, error) {
	if err := m.load(ctx); err != nil {
		return Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	info := Info{JournalID: m.journalID, Actions: slices.Sorted(maps.Keys(m.opts.Actions))}
	if r := m.current(); r != nil {
		info.Current = new(r.view())
	}
	return info, nil
}

// Start starts an operation, or finds it, or resumes it.
func (m *Manager) Start(ctx context.Context, s Start) (View, error) {
	if !journal.ValidID(s.ID) {
		return View{}, fmt.Errorf("%w: operation id %q: want 1 to 63 letters, digits and -", ErrInvalid, s.ID)
	}
	if err := m.load(ctx); err != nil {
		return View{}, err
	}
	m.starting.Lock()
	defer m.starting.Unlock()
	known, err := m.find(s.ID, s.JournalID)
	switch {
	case err == nil:
		return m.resume(known, s)
	case !errors.Is(err, ErrNotFound):
		return View{}, err
	}
	action := m.opts.Actions[s.Action]
	if action == nil {
		return View{}, fmt.Errorf("%w: action %q: this agent knows %q", ErrInvalid, s.Action, slices.Sorted(maps.Keys(m.opts.Actions)))
	}
	params, err := operation.DecodeCanonical(s.Action, s.Parameters)
	if err != nil {
		return View{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	// What is recorded is what was understood: a secret that came along is not.
	canonical, err := operation.Encode(params)
	if err != nil {
		return View{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := m.free(); err != nil {
		return View{}, err
	}
	if err := ctx.Err(); err != nil {
		return View{}, err // nobody waits for the answer any more
	}
	r := &run{m: m, action: action, params: params, secrets: cloneSecrets(s.Secrets), record: journal.Record{
		ID: s.ID, Action: s.Action, Parameters: canonical, State: journal.Running, Started: m.clock.Now().UTC(),
	}}
	if err := journal.Write(m.opts.Files, m.opts.Env.AgentDir(), r.record); err != nil {
		// The record may be there all the same. Without it the id was never started.
		return View{}, errors.Join(err, journal.Remove(m.opts.Files, m.opts.Env.AgentDir(), s.ID))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ops[s.ID] = r
	m.work(r, r.run)
	m.notify()
	return r.view(), nil
}

// resume answers a Start for an id that is known.
func (m *Manager) resume(r *run, s Start) (View, error) {
	m.mu.Lock()
	action, st := r.record.Action, r.record.State
	m.mu.Unlock()
	if action != s.Action {
		return View{}, fmt.Errorf("%w: operation %s is a %s, not a %s", ErrInvalid, s.ID, action, s.Action)
	}
	if st == journal.Interrupted {
		if err := r.write(func(rec *journal.Record) { rec.State, rec.InterruptedAt = journal.Running, time.Time{} }); err != nil {
			return View{}, err
		}
		m.mu.Lock()
		r.secrets = cloneSecrets(s.Secrets)
		m.work(r, r.run)
		m.mu.Unlock()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.view(), nil
}

// Get returns an operation. Empty journalID means whichever this is.
func (m *Manager) Get(ctx context.Context, id, journalID string) (View, error) {
	view, _, err := m.Watch(ctx, id, journalID)
	return view, err
}

// Watch returns an operation, and a channel that is closed when any has changed.
func (m *Manager) Watch(ctx context.Context, id, journalID string) (View, <-chan struct{}, error) {
	if err := m.load(ctx); err != nil {
		return View{}, nil, err
	}
	m.mu.Lock()
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	changed := m.changed
	if journalID == "" {
		journalID = m.journalID
	}
	m.mu.Unlock()
	r, err := m.find(id, journalID)
	if err != nil {
		return View{}, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.view(), changed, nil
}

// Cancel asks an operation to end. One that is over stays as it is.
func (m *Manager) Cancel(ctx context.Context, id, journalID string) (View, error) {
	if err := m.load(ctx); err != nil {
		return View{}, err
	}
	m.starting.Lock()
	defer m.starting.Unlock()
	r, err := m.find(id, journalID)
	if err != nil {
		return View{}, err
	}
	if err := r.requestCancel(); err != nil {
		return View{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.view(), nil
}

// Acknowledge says that the outcome is stored elsewhere.
func (m *Manager) Acknowledge(ctx context.Context, id, journalID string) error {
	if err := m.load(ctx); err != nil {
		return err
	}
	r, err := m.find(id, journalID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	final, done := r.record.State.Final(), !r.record.Acknowledged.IsZero()
	m.mu.Unlock()
	switch {
	case !final:
		return fmt.Errorf("%w: operation %s is not over", ErrInvalid, id)
	case done:
		return nil
	}
	return r.write(func(rec *journal.Record) { rec.Acknowledged = m.clock.Now().UTC() })
}

// Reserve gives the unit to a change of roles until release is called: no operation
// starts. One that runs is no hindrance unless it replaces data; then ErrBusy names it.
func (m *Manager) Reserve(ctx context.Context, holder string) (release func(), err error) {
	if err := m.load(ctx); err != nil {
		return nil, err
	}
	m.starting.Lock()
	defer m.starting.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.current(); r != nil && operation.ReplacesData(r.record.Action) {
		return nil, r.busy()
	}
	if m.reserved != "" {
		return nil, fmt.Errorf("%w: %s has the unit", ErrBusy, m.reserved)
	}
	m.reserved = holder
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.reserved = ""
	}), nil
}

// Replacing names the operation that has the unit and replaces its data; empty: none. It
// does not wait for the data volume.
func (m *Manager) Replacing() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.current(); r != nil && operation.ReplacesData(r.record.Action) {
		return r.record.ID + " (" + r.record.Action + ")"
	}
	return ""
}

// Interrupt has the operation that has the unit make way for what is more urgent: it is
// cleaned up and fails with the reason. It returns at once, whatever the data volume
// does. An operation that keeps the server down is let be: what is wanted of a server
// that is down is there already. So is one that has let the server go with other data:
// clients may have written to that, and the only way is forward.
func (m *Manager) Interrupt(reason, message string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.current()
	if r == nil || r.interrupted != nil || r.record.State.Final() || r.record.Held && !r.record.Released || r.forwardOnly() {
		return
	}
	r.interrupted = Failed(reason, "%s", message)
	switch {
	case r.cancel != nil:
		r.cancel()
	case !r.working:
		m.work(r, r.abandon)
	}
}

// free returns ErrBusy if something has the unit. The caller has m.starting.
func (m *Manager) free() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.current(); r != nil {
		return r.busy()
	}
	if m.reserved != "" {
		return fmt.Errorf("%w: %s has the unit", ErrBusy, m.reserved)
	}
	return nil
}

// current is the operation that has the unit: the oldest that is not over. The caller
// has m.mu.
func (m *Manager) current() *run {
	var current *run
	for _, r := range m.ops {
		if r.over() {
			continue
		}
		if current == nil || r.record.Started.Before(current.record.Started) {
			current = r
		}
	}
	return current
}

// find an operation of the journal named.
func (m *Manager) find(id, journalID string) (*run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if journalID != m.journalID {
		return nil, fmt.Errorf("%w: journal %s was meant, this is %s", ErrJournal, journalID, m.journalID)
	}
	if d, ok := m.damaged[id]; ok {
		return nil, fmt.Errorf("%w: %w", ErrJournal, d.Err)
	}
	if r := m.ops[id]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
}

// notify tells of a change. The caller has m.mu.
func (m *Manager) notify() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// tick makes Run look again.
func (m *Manager) tick() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

func cloneSecrets(in map[string][]byte) map[string][]byte {
	out := make(map[string][]byte, len(in))
	for name, content := range in {
		out[name] = bytes.Clone(content)
	}
	return out
}
