// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestMain(m *testing.M) {
	// The same operation of a test that runs elsewhere on this machine is not ours to kill.
	markerVariable += "_" + strconv.Itoa(os.Getpid())
	agenttest.Main(m, nil)
}

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// script is an action of a test.
type script struct {
	run     func(ctx context.Context, op Op) (map[string]string, error)
	recover Recovery
	abandon func(ctx context.Context, op Op) error
}

func (s *script) Run(ctx context.Context, op Op) (map[string]string, error) { return s.run(ctx, op) }

func (s *script) Abandon(ctx context.Context, op Op) error {
	if s.abandon == nil {
		return nil
	}
	return s.abandon(ctx, op)
}

func (s *script) Recover(string) Recovery { return s.recover }

// desired is desired.json without a serve.
type desired struct {
	mu    sync.Mutex
	store *state.Store
	unit  *agenttest.Unit
	fault func() error
}

func (d *desired) ChangeDesired(_ context.Context, change func(*state.Desired)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != nil {
		if err := d.fault(); err != nil {
			return err
		}
	}
	now, err := d.store.Desired()
	if err != nil {
		return err
	}
	if now == nil || now.PodUID != d.unit.Env.PodUID {
		now = &state.Desired{PodUID: d.unit.Env.PodUID, UnitUID: d.unit.Env.UID}
	}
	change(now)
	return d.store.WriteDesired(*now)
}

// bench is a unit whose agents come and go.
type bench struct {
	*testing.T
	unit    *agenttest.Unit
	clock   *clocktesting.FakeClock
	desired *desired
	actions map[string]Action
	files   state.Files
	// before an action begins; nil: nothing.
	before func(context.Context, Op)

	m   *Manager
	end func()
}

func newBench(t *testing.T, action Action) *bench {
	t.Helper()
	u := agenttest.NewUnit(t, false)
	b := &bench{
		T: t, unit: u, clock: clocktesting.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		desired: &desired{store: u.Store, unit: u},
		actions: map[string]Action{operation.ActionRestore: action, operation.ActionGTIDPurge: action},
	}
	b.start()
	t.Cleanup(func() { b.end() })
	return b
}

// start starts an agent.
func (b *bench) start() {
	ctx, cancel := context.WithCancel(context.Background())
	b.m = New(Options{Env: b.unit.Env, Files: b.files, Actions: b.actions, Desired: b.desired, Clock: b.clock, AwaitServer: b.before})
	b.m.Open(ctx)
	done := make(chan struct{})
	go func() {
		b.m.Run(ctx)
		close(done)
	}()
	b.end = sync.OnceFunc(func() {
		cancel()
		<-done
	})
}

// restart ends the agent and starts another one.
func (b *bench) restart() {
	b.end()
	b.start()
}

func (b *bench) journalID() string {
	b.Helper()
	info, err := b.m.Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return info.JournalID
}

// request is a restore.
func (b *bench) request(id string) Start {
	b.Helper()
	params, err := operation.Encode(&operation.Restore{Source: "s3://backups/mysql/"})
	if err != nil {
		b.Fatal(err)
	}
	return Start{
		ID: id, JournalID: b.journalID(), Action: operation.ActionRestore, Parameters: params,
		Secrets: map[string][]byte{"s3.secretKey": []byte("swordfish"), "s3.region": []byte("everywhere")},
	}
}

func (b *bench) mustStart(id string) View {
	b.Helper()
	v, err := b.m.Start(b.Context(), b.request(id))
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// await waits until the operation is in the state.
func (b *bench) await(id string, want journal.State) View {
	b.Helper()
	return b.awaitView(id, func(v View) bool { return v.State == want })
}

func (b *bench) awaitView(id string, ok func(View) bool) View {
	b.Helper()
	limit := time.After(patience)
	for {
		v, changed, err := b.m.Watch(b.Context(), id, "")
		if err != nil {
			b.Fatal(err)
		}
		if ok(v) {
			return v
		}
		select {
		case <-changed:
		case <-limit:
			b.Fatalf("did not come: %+v", v)
		}
	}
}

// awaitFree waits until nothing has the unit.
func (b *bench) awaitFree() {
	b.Helper()
	agenttest.Eventually(b, "the unit is free", b.free)
}

func (b *bench) free() bool {
	b.Helper()
	info, err := b.m.Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return info.Current == nil
}

// awaitIdle waits until no goroutine works on an operation: one that has its outcome
// may not have ended yet, and is not tended before.
func (b *bench) awaitIdle() {
	b.Helper()
	agenttest.Eventually(b, "nothing works", func() bool {
		b.m.mu.Lock()
		defer b.m.mu.Unlock()
		for _, r := range b.m.ops {
			if r.working {
				return false
			}
		}
		return true
	})
}

// retryUntil lets retryInterval pass, again until ok: who tells that it will try again
// may not wait yet when the clock steps.
func (b *bench) retryUntil(what string, ok func() bool) {
	b.Helper()
	agenttest.Eventually(b, what, func() bool {
		b.clock.Step(retryInterval)
		return ok()
	})
}

// pass lets time go by.
func (b *bench) pass(d time.Duration) {
	b.clock.Step(d)
	b.m.tick()
}

func (b *bench) holds() []string {
	b.Helper()
	d, err := b.unit.Store.Desired()
	if err != nil {
		b.Fatal(err)
	}
	if d == nil {
		return nil
	}
	return d.Holds
}

func (b *bench) records() []journal.Record {
	b.Helper()
	records, damaged, err := journal.List(b.unit.Env.AgentDir())
	if err != nil || len(damaged) > 0 {
		b.Fatalf("%v, %v", damaged, err)
	}
	return records
}

// phaseOf an operation as its action sees it.
func phaseOf(op Op) string {
	name, _ := op.Phase()
	return name
}

// endless runs until it is ended.
func endless(started chan<- Op) func(context.Context, Op) (map[string]string, error) {
	return func(ctx context.Context, op Op) (map[string]string, error) {
		started <- op
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

func decode[T any](t testing.TB, raw json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
