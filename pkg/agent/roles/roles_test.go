// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// world is a server, supervise and a keeper in memory. It writes down what happens in
// the order in which it happens.
type world struct {
	mu      sync.Mutex
	log     []string
	desired state.Desired
	channel engine.ChannelAccount
	look    Look
	waiters []chan struct{}

	writable bool
	answers  bool
	// restartNeeded is the engine's rule: a source becomes nothing else without it.
	restartNeeded bool
	// fails are errors by the name of the engine's method; block makes it wait for its
	// context.
	fails     map[string]error
	block     map[string]bool
	onRestart func()
	// busy names an operation that replaces data and has the unit; backup is true while
	// one of those that do not runs.
	busy   error
	backup bool
}

func newWorld() *world {
	return &world{
		answers: true, writable: true, fails: map[string]error{}, block: map[string]bool{},
		look: Look{Running: true, Start: "s1"},
	}
}

func (w *world) manager() *Manager {
	return New(Options{Engine: w, Keeper: w, Channel: w.channelOf, Server: w, Operations: w, Clock: testclock.NewFakeClock(time.Unix(0, 0))})
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *world) events() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.log, ", ")
}

func (w *world) Desired() (state.Desired, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.desired, nil
}

func (w *world) Change(_ context.Context, change func(*state.Desired) error) (state.Desired, error) {
	w.mu.Lock()
	next := w.desired
	if err := change(&next); err != nil {
		w.mu.Unlock()
		return state.Desired{}, err
	}
	before := w.desired
	w.desired = next
	if next.Record.Role != before.Record.Role {
		w.log = append(w.log, "record "+string(next.Record.Role))
	}
	restart := next.RestartOrder > before.RestartOrder
	w.mu.Unlock()
	if restart {
		w.restart(next)
	}
	return next, nil
}

// restart is supervise's part.
func (w *world) restart(d state.Desired) {
	w.mu.Lock()
	w.log = append(w.log, "restart "+string(d.RestartReason))
	w.look = Look{Running: true, Start: fmt.Sprintf("s%d", d.RestartOrder+1), Record: d.Record, Order: d.RestartOrder}
	w.writable, w.answers = false, true
	waiters := w.waiters
	if w.onRestart != nil {
		w.onRestart()
	}
	w.mu.Unlock()
	for _, c := range waiters {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (w *world) channelOf(state.Desired) (engine.ChannelAccount, error) { return w.channel, nil }

func (w *world) SetChannel(_ context.Context, account engine.ChannelAccount) error {
	w.channel = account
	return nil
}

func (w *world) Look() (Look, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.look, nil
}

func (w *world) Changed(context.Context) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{}, 1)
	w.waiters = append(w.waiters, c)
	return c
}

func (w *world) Reserve(context.Context, string) (func(), error) {
	if w.busy != nil {
		return nil, w.busy
	}
	return func() {}, nil
}

func (w *world) Interrupt(reason, _ string) {
	if w.busy != nil || w.backup {
		w.note("interrupt %s", reason)
	}
}

func (w *world) call(ctx context.Context, name string) error {
	w.note("%s", name)
	if w.block[name] {
		<-ctx.Done()
		return ctx.Err()
	}
	return w.fails[name]
}

func (w *world) ObserveReplication(context.Context) (engine.Replication, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.answers {
		return engine.Replication{}, errors.New("timed out")
	}
	return engine.Replication{Answered: true, ServerID: "id-1", ReadOnly: !w.writable}, nil
}

func (w *world) RestartFor(from, to engine.RoleRecord) bool {
	return w.restartNeeded && from.Role == engine.RoleSource && to.Role != engine.RoleSource
}

func (w *world) Promote(ctx context.Context, r engine.RoleRecord, _ engine.ChannelAccount) error {
	return w.call(ctx, "promote")
}

func (w *world) Open(ctx context.Context, _ engine.RoleRecord) error {
	err := w.call(ctx, "open")
	if err == nil {
		w.writable = true
	}
	return err
}

func (w *world) Close(ctx context.Context) error {
	err := w.call(ctx, "close")
	if err == nil {
		w.writable = false
	}
	return err
}

func (w *world) Follow(ctx context.Context, r engine.RoleRecord, _ engine.ChannelAccount, _ string) error {
	return w.call(ctx, "follow "+r.Upstream.Name)
}

func (w *world) StopReceiver(ctx context.Context) error { return w.call(ctx, "stop receiver") }

func (w *world) SetDurability(ctx context.Context, _ engine.RoleRecord) error {
	return w.call(ctx, "set durability")
}

func (w *world) Tend(ctx context.Context, _ engine.RoleRecord, _ engine.ChannelAccount) ([]string, error) {
	return nil, w.call(ctx, "tend")
}

// commit is one of a caller that is let through, with the next seq.
func (w *world) commit(ctx context.Context, change func(*state.Desired) error) (state.Desired, error) {
	return w.Change(ctx, func(d *state.Desired) error {
		d.Record.ReplicationUID = "r1"
		d.Record.Seq++
		return change(d)
	})
}

var toSource = Promotion{Durability: engine.Durability{Mode: engine.DurabilitySync, W: 1}, Open: true}

func following(name string) Following {
	return Following{Upstream: engine.Upstream{Name: name}, Channel: engine.ChannelAccount{User: "c", Password: "p"}}
}

func TestRoleCalls(t *testing.T) {
	errBusy := fmt.Errorf("%w: a restore has the unit", operations.ErrBusy)
	for _, tc := range []struct {
		name  string
		setup func(*world)
		call  func(context.Context, *Manager, *world) error
		want  string
		role  engine.Role
		err   error
	}{
		{"a source is readied before it is opened", func(w *world) { w.writable = false },
			func(ctx context.Context, m *Manager, w *world) error { return m.Promote(ctx, w.commit, toSource) },
			"record source, promote, open", engine.RoleSource, nil},
		{"a source that shall stay closed is not opened", nil,
			func(ctx context.Context, m *Manager, w *world) error {
				return m.Promote(ctx, w.commit, Promotion{})
			}, "record source, promote", engine.RoleSource, nil},
		{"another server's promotion changes nothing", nil,
			func(ctx context.Context, m *Manager, w *world) error {
				return m.Promote(ctx, w.commit, Promotion{ServerID: "id-2"})
			}, "", "", ErrOtherServer},
		{"what cannot be applied keeps the record that was", func(w *world) { w.fails["promote"] = engine.ErrWouldLose },
			func(ctx context.Context, m *Manager, w *world) error { return m.Promote(ctx, w.commit, toSource) },
			"record source, promote, record ", "", engine.ErrWouldLose},
		{"a replica is closed before it follows", nil,
			func(ctx context.Context, m *Manager, w *world) error { return m.Follow(ctx, w.commit, following("u0")) },
			"record replica, close, follow u0", engine.RoleReplica, nil},
		{"a read-only server is not closed again", func(w *world) { w.writable = false },
			func(ctx context.Context, m *Manager, w *world) error { return m.Follow(ctx, w.commit, following("u0")) },
			"record replica, follow u0", engine.RoleReplica, nil},
		{"a source follows nobody", func(w *world) { w.desired.Record.Role = engine.RoleSource },
			func(ctx context.Context, m *Manager, w *world) error { return m.Follow(ctx, w.commit, following("u0")) },
			"", engine.RoleSource, ErrRefused},
		{"a source is not isolated but demoted", func(w *world) { w.desired.Record.Role = engine.RoleSource },
			func(ctx context.Context, m *Manager, w *world) error { return m.Isolate(ctx, w.commit) },
			"", engine.RoleSource, ErrRefused},
		{"a demoted source is closed and receives nothing", func(w *world) { w.desired.Record.Role = engine.RoleSource },
			func(ctx context.Context, m *Manager, w *world) error { return m.Demote(ctx, w.commit) },
			"record isolated, close, stop receiver", engine.RoleIsolated, nil},
		{"a source whose sessions wait for an acknowledgement is killed", func(w *world) {
			w.desired.Record.Role = engine.RoleSource
			w.fails["close"] = engine.ErrMustKill
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Demote(ctx, w.commit) },
			"record isolated, close, restart Fence, stop receiver", engine.RoleIsolated, nil},
		{"a source that does not close in time is killed", func(w *world) {
			w.desired.Record.Role = engine.RoleSource
			w.block["close"] = true
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Demote(ctx, w.commit) },
			"record isolated, close, restart Fence, stop receiver", engine.RoleIsolated, nil},
		{"a source that does not answer is killed", func(w *world) {
			w.desired.Record.Role = engine.RoleSource
			w.answers = false
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Demote(ctx, w.commit) },
			"record isolated, restart Fence, stop receiver", engine.RoleIsolated, nil},
		{"an engine that must restart for it is restarted, once promoted too", func(w *world) {
			w.desired.Record.Role = engine.RoleSource
			w.restartNeeded = true
			w.look.Record.Role = engine.RoleReplica
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Demote(ctx, w.commit) },
			"record isolated, close, restart Restart, stop receiver", engine.RoleIsolated, nil},
		{"a backup does not keep a demotion waiting", func(w *world) {
			w.desired.Record.Role = engine.RoleSource
			w.busy = errBusy
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Demote(ctx, w.commit) },
			"record isolated, interrupt RoleChanged, close, stop receiver", engine.RoleIsolated, nil},
		{"a backup does not keep a promotion waiting, and ends for it", func(w *world) {
			w.desired.Record.Role = engine.RoleReplica
			w.writable, w.backup = false, true
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Promote(ctx, w.commit, toSource) },
			"record source, interrupt RoleChanged, promote, open", engine.RoleSource, nil},
		{"a backup ends when its replica follows another", func(w *world) {
			w.desired.Record = engine.RoleRecord{Role: engine.RoleReplica, Upstream: &engine.Upstream{Name: "u1", Host: "u1"}}
			w.writable, w.backup = false, true
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Follow(ctx, w.commit, following("u0")) },
			"interrupt RoleChanged, follow u0", engine.RoleReplica, nil},
		{"a backup continues when its replica follows the same as before", func(w *world) {
			w.desired.Record = engine.RoleRecord{Role: engine.RoleReplica, Upstream: &engine.Upstream{Name: "u0"}}
			w.writable, w.backup = false, true
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Follow(ctx, w.commit, following("u0")) },
			"follow u0", engine.RoleReplica, nil},
		{"a backup continues when its source's durability changes", func(w *world) {
			w.desired.Record.Role = engine.RoleSource
			w.backup = true
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Promote(ctx, w.commit, toSource) },
			"promote, open", engine.RoleSource, nil},
		{"a backup continues when its server is isolated once more", func(w *world) {
			w.desired.Record.Role = engine.RoleIsolated
			w.writable, w.backup = false, true
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Isolate(ctx, w.commit) },
			"stop receiver", engine.RoleIsolated, nil},
		{"a restore keeps a promotion waiting", func(w *world) {
			w.desired.Record.Role = engine.RoleIsolated
			w.busy = errBusy
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Promote(ctx, w.commit, toSource) },
			"", engine.RoleIsolated, errBusy},
		{"a first role is recorded for the operation whose server waits for it", func(w *world) { w.busy = errBusy },
			func(ctx context.Context, m *Manager, w *world) error { return m.Promote(ctx, w.commit, toSource) },
			"record source", engine.RoleSource, errBusy},
		{"a server that is proven down is isolated", func(w *world) {
			w.look = Look{Stopped: true}
			w.desired.Holds = []string{"fence"}
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Isolate(ctx, w.commit) },
			"record isolated", engine.RoleIsolated, nil},
		{"a server that is held down follows when it is started", func(w *world) {
			w.look = Look{Stopped: true}
			w.desired.Holds = []string{"startup"}
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Follow(ctx, w.commit, following("u0")) },
			"record replica", engine.RoleReplica, engine.ErrNotYet},
		{"release keeps the role and lifts the fence", func(w *world) {
			w.desired.Record = engine.RoleRecord{Role: engine.RoleSource, Open: true}
			w.desired.Holds = []string{"startup"}
		}, func(ctx context.Context, m *Manager, w *world) error {
			err := m.Release(ctx, w.commit)
			if d := cmp.Diff([]string{"startup"}, w.desired.Holds); d != "" || !w.desired.Record.Released || w.desired.Record.ReplicationUID != "" {
				t.Errorf("%s, record %+v", d, w.desired.Record)
			}
			return err
		}, "", engine.RoleSource, nil},
		{"release lifts the fence, and a source that was fenced for another does not open again", func(w *world) {
			w.desired.Record = engine.RoleRecord{Role: engine.RoleSource, Open: true}
			w.desired.Holds = []string{"fence"}
		}, func(ctx context.Context, m *Manager, w *world) error {
			err := m.Release(ctx, w.commit)
			if len(w.desired.Holds) > 0 || w.desired.Record.Open {
				t.Errorf("holds %v, record %+v", w.desired.Holds, w.desired.Record)
			}
			return err
		}, "record isolated", engine.RoleIsolated, nil},
		{"a source that cannot be made asynchronous gently is killed and started again", func(w *world) {
			w.fails["promote"] = engine.ErrMustKill
			w.onRestart = func() { delete(w.fails, "promote") }
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Promote(ctx, w.commit, toSource) },
			"record source, promote, restart Fence, promote, open", engine.RoleSource, nil},
		{"a receiver that only a restart ends is ended by one", func(w *world) {
			w.desired.Record.Role, w.writable = engine.RoleReplica, false
			w.fails["stop receiver"] = engine.ErrMustRestart
			w.onRestart = func() { delete(w.fails, "stop receiver") }
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Isolate(ctx, w.commit) },
			"record isolated, stop receiver, close, restart Restart, stop receiver", engine.RoleIsolated, nil},
		{"so is one that is in the way of a new upstream", func(w *world) {
			w.desired.Record.Role, w.writable = engine.RoleReplica, false
			w.fails["follow u0"] = engine.ErrMustRestart
			w.onRestart = func() { delete(w.fails, "follow u0") }
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Follow(ctx, w.commit, following("u0")) },
			"follow u0, close, restart Restart, follow u0", engine.RoleReplica, nil},
		{"a call that is refused interrupts nothing", func(w *world) {
			w.desired.Record.Role = engine.RoleSource
			w.busy = errBusy
		}, func(ctx context.Context, m *Manager, w *world) error { return m.Isolate(ctx, w.commit) },
			"", engine.RoleSource, ErrRefused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld()
			if tc.setup != nil {
				tc.setup(w)
			}
			err := tc.call(t.Context(), w.manager(), w)
			if !errors.Is(err, tc.err) {
				t.Errorf("error %v, want %v", err, tc.err)
			}
			if d := cmp.Diff(tc.want, w.events()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if w.desired.Record.Role != tc.role {
				t.Errorf("role %q, want %q", w.desired.Record.Role, tc.role)
			}
		})
	}
}

func TestARefusedCallTakesBackWhatWasNeverInForce(t *testing.T) {
	w := newWorld()
	w.writable = false
	w.desired.Record.Role = engine.RoleIsolated
	m := w.manager()
	w.fails["promote"] = engine.ErrNotYet
	if err := m.Promote(t.Context(), w.commit, toSource); !errors.Is(err, engine.ErrNotYet) {
		t.Fatal(err)
	}
	w.fails["promote"] = engine.ErrWouldLose
	if err := m.Promote(t.Context(), w.commit, toSource); !errors.Is(err, engine.ErrWouldLose) {
		t.Fatal(err)
	}
	if r := w.desired.Record; r.Role != engine.RoleIsolated || r.Open || r.Seq != 2 {
		t.Errorf("record %+v", r)
	}
}

func TestTheSameCallAgainChangesNothing(t *testing.T) {
	w := newWorld()
	m := w.manager()
	for range 3 {
		if err := m.Demote(t.Context(), w.commit); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff("record isolated, close, stop receiver, stop receiver, stop receiver", w.events()); d != "" {
		t.Error(d)
	}
}

func TestADemotionInterruptsAPromotion(t *testing.T) {
	w := newWorld()
	w.block["promote"] = true
	m := w.manager()
	promoted := make(chan error, 1)
	go func() { promoted <- m.Promote(t.Context(), w.commit, toSource) }()
	waitFor(t, func() bool { return strings.Contains(w.events(), "promote") })
	if err := m.Demote(t.Context(), w.commit); err != nil {
		t.Fatal(err)
	}
	if err := <-promoted; !errors.Is(err, engine.ErrNotYet) {
		t.Errorf("the promotion ended with %v", err)
	}
	if d := cmp.Diff("record source, promote, record isolated, close, stop receiver", w.events()); d != "" {
		t.Error(d)
	}
}

func TestTend(t *testing.T) {
	t.Run("resumes the recorded role once for each start, then looks after it", func(t *testing.T) {
		w := newWorld()
		w.desired.Record = engine.RoleRecord{Role: engine.RoleSource, Open: true}
		m := w.manager()
		for range 3 {
			m.tend(t.Context())
		}
		w.look.Start = "s2"
		m.tend(t.Context())
		if d := cmp.Diff("promote, open, tend, tend, promote, open", w.events()); d != "" {
			t.Error(d)
		}
	})
	for name, setup := range map[string]func(*world){
		"leaves a server without a role alone": func(w *world) { w.desired.Record.Role = "" },
		"leaves a held server alone":           func(w *world) { w.desired.Holds = []string{"fence"} },
		"leaves a stopped server alone":        func(w *world) { w.look = Look{} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.desired.Record = engine.RoleRecord{Role: engine.RoleSource, Open: true}
			setup(w)
			w.manager().tend(t.Context())
			if got := w.events(); got != "" {
				t.Errorf("it did: %s", got)
			}
		})
	}
	t.Run("enforces a role again that somebody changed by hand", func(t *testing.T) {
		w := newWorld()
		w.desired.Record = engine.RoleRecord{Role: engine.RoleIsolated}
		m := w.manager()
		m.tend(t.Context())
		w.writable = true
		m.tend(t.Context())
		m.tend(t.Context())
		if d := cmp.Diff("close, stop receiver, tend, close, stop receiver", w.events()); d != "" {
			t.Error(d)
		}
	})
	t.Run("does not open a source that is not ready", func(t *testing.T) {
		w := newWorld()
		w.writable = false
		w.desired.Record = engine.RoleRecord{Role: engine.RoleSource, Open: true}
		w.fails["promote"] = engine.ErrNotYet
		m := w.manager()
		m.tend(t.Context())
		m.tend(t.Context())
		if slices.Contains(w.log, "open") {
			t.Errorf("it was opened: %s", w.events())
		}
	})
}

func TestNext(t *testing.T) {
	source, isolated := engine.RoleRecord{Role: engine.RoleSource}, engine.RoleRecord{Role: engine.RoleIsolated}
	restartFor := func(from, to engine.RoleRecord) bool {
		return from.Role == engine.RoleSource && to.Role != engine.RoleSource
	}
	running := Look{Running: true, Start: "s1", Order: 2}
	desired := func(r engine.RoleRecord, order int64, holds ...string) state.Desired {
		return state.Desired{Record: r, RestartOrder: order, Holds: holds}
	}
	for name, tc := range map[string]struct {
		in   situation
		want step
	}{
		"nothing is recorded":                        {situation{desired(engine.RoleRecord{}, 0), running, true}, stepNone},
		"proven down and held":                       {situation{desired(source, 0, "fence"), Look{Stopped: true}, false}, stepNone},
		"down and not held: it is on its way":        {situation{desired(source, 0), Look{Stopped: true}, false}, stepWait},
		"a restart that was asked for is to come":    {situation{desired(isolated, 3), running, false}, stepWait},
		"writable, and shall be isolated":            {situation{desired(isolated, 2), running, false}, stepRestart},
		"started as the source and not promoted yet": {situation{desired(isolated, 2), Look{Running: true, Record: source, Order: 2}, true}, stepIsolate},
		"the source": {situation{desired(source, 2), running, true}, stepPromote},
		"a replica":  {situation{desired(engine.RoleRecord{Role: engine.RoleReplica}, 0), running, true}, stepFollow},
	} {
		t.Run(name, func(t *testing.T) {
			if got := next(tc.in, restartFor); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// waitFor what another goroutine does.
func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !what(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
	}
}
