// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// do runs f as an operation beside a real supervise and its server, and returns what
// the operation said.
func do(t *testing.T, f func(ctx context.Context, b *bench, server Server, op Op) error) (*bench, View) {
	t.Helper()
	var b *bench
	b = newBench(t, &script{run: func(ctx context.Context, op Op) (map[string]string, error) {
		u := b.unit
		return nil, f(ctx, b, NewServer(u.Env, agenttest.NewEngine(u.Env), u.Store, state.Files{}, b.desired, clock.RealClock{}), op)
	}})
	b.unit.Desire()
	b.unit.Start("supervise")
	b.unit.WaitState(state.StateRunning)
	b.mustStart("op-1")
	v := b.awaitView("op-1", func(v View) bool { return v.State.Final() })
	b.awaitFree()
	return b, v
}

func succeeded(t *testing.T, v View) {
	t.Helper()
	if v.State != journal.Succeeded {
		t.Errorf("outcome %s: %s", v.State, v.Message)
	}
}

// exchange is a database in the place of the one that is there; it returns its id.
func exchange(u *agenttest.Unit, id string) error {
	return os.WriteFile(filepath.Join(u.Env.DataDir(), "id"), []byte(id), 0o600)
}

func TestAServerIsStoppedAndStartedByTheHold(t *testing.T) {
	b, v := do(t, func(ctx context.Context, b *bench, server Server, op Op) error {
		if err := server.StopServer(ctx, op); err != nil {
			return err
		}
		if _, err := agenttest.Ask(ctx, b.unit.Env.SocketDir, "ping"); err == nil {
			t.Error("it answers though it was stopped")
		}
		if diff := cmp.Diff([]string{"operation:op-1"}, b.holds()); diff != "" {
			t.Errorf("holds (-want +got):\n%s", diff)
		}
		if r := b.records(); len(r) != 1 || !r[0].Held {
			t.Errorf("record %+v", r)
		}
		if err := server.StopServer(ctx, op); err != nil {
			return err
		}
		if err := server.StartServer(ctx, op); err != nil {
			return err
		}
		if r := b.records(); len(r) != 1 || r[0].Held {
			t.Errorf("record %+v", r)
		}
		_, err := agenttest.Ask(ctx, b.unit.Env.SocketDir, "ping")
		return err
	})
	succeeded(t, v)
	if holds, starts := b.holds(), b.unit.Starts(); len(holds) > 0 || starts != 2 {
		t.Errorf("holds %q, %d starts", holds, starts)
	}
}

func TestAServerThatAnOperationLeavesDownIsStartedAfterIt(t *testing.T) {
	b, v := do(t, func(ctx context.Context, _ *bench, server Server, op Op) error {
		if err := server.StopServer(ctx, op); err != nil {
			return err
		}
		return Failed("NoSpace", "none")
	})
	if v.Reason != "NoSpace" {
		t.Errorf("outcome %+v", v)
	}
	b.unit.WaitState(state.StateRunning)
}

func TestAHoldOfOthersIsSaidAndStays(t *testing.T) {
	b, v := do(t, func(ctx context.Context, b *bench, server Server, op Op) error {
		if err := server.StopServer(ctx, op); err != nil {
			return err
		}
		if err := b.desired.ChangeDesired(ctx, func(d *state.Desired) { *d = d.SetHold(state.HoldStartup, true) }); err != nil {
			return err
		}
		if err := server.StartServer(ctx, op); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "startup") {
			t.Errorf("start: %v", err)
		}
		// Who lets go meanwhile starts nothing on data that may be taken back.
		if diff := cmp.Diff([]string{"operation:op-1", "startup"}, b.holds()); diff != "" {
			t.Errorf("holds while the operation runs (-want +got):\n%s", diff)
		}
		if r := b.records(); len(r) != 1 || !r[0].Held || r[0].Released {
			t.Errorf("record %+v", r)
		}
		return nil
	})
	succeeded(t, v)
	if diff := cmp.Diff([]string{"startup"}, b.holds()); diff != "" {
		t.Errorf("holds (-want +got):\n%s", diff)
	}
}

func TestAnotherDatabaseIsStartedOnlyIfTheOperationSaysSo(t *testing.T) {
	var old string
	b, v := do(t, func(ctx context.Context, b *bench, server Server, op Op) error {
		old = b.unit.Ask("id")
		// What the operator has recorded.
		if err := b.desired.ChangeDesired(ctx, func(d *state.Desired) {
			d.Expected, d.ClaimUIDs = &state.DataIdentity{SystemID: old, DataGeneration: 4}, map[string]string{"data": "c1"}
		}); err != nil {
			return err
		}
		if err := server.StopServer(ctx, op); err != nil {
			return err
		}
		if err := exchange(b.unit, "restored"); err != nil {
			return err
		}
		if err := server.StartServer(ctx, op); !errors.Is(err, ErrNotStarted) || !strings.Contains(err.Error(), old) {
			t.Errorf("start without a word: %v", err)
		}
		if err := server.StopServer(ctx, op); err != nil {
			return err
		}
		if err := server.ReplaceIdentity(ctx, op, "restored"); err != nil {
			return err
		}
		return server.StartServer(ctx, op)
	})
	succeeded(t, v)
	if id := b.unit.Ask("id"); id != "restored" {
		t.Errorf("the server runs on %q", id)
	}
	var identity *state.DataIdentity
	agenttest.Eventually(t, "the server's version is recorded", func() bool {
		var err error
		identity, err = state.ReadIdentity(b.unit.Env.AgentDir())
		return err == nil && identity != nil && identity.HighestVersion != ""
	})
	want := &state.DataIdentity{SystemID: "restored", HighestVersion: "1.2.3", DataGeneration: 5, ClaimUIDs: map[string]string{"data": "c1"}, Replaced: []string{old}}
	if diff := cmp.Diff(want, identity); diff != "" {
		t.Errorf("identity.json (-want +got):\n%s", diff)
	}
}

// ahead is a clock of which the server's records are behind, as after the node's clock was set
// back.
type ahead struct{ clock.RealClock }

func (ahead) Now() time.Time { return time.Now().Add(time.Hour) }

func TestAServerThatDoesNotStartIsToldByWhatWasSeenBeforeAndNotByTheClock(t *testing.T) {
	_, v := do(t, func(ctx context.Context, b *bench, _ Server, op Op) error {
		u := b.unit
		server := NewServer(u.Env, agenttest.NewEngine(u.Env), u.Store, state.Files{}, b.desired, ahead{})
		if err := server.StopServer(ctx, op); err != nil {
			return err
		}
		if err := b.desired.ChangeDesired(ctx, func(d *state.Desired) { d.Expected = &state.DataIdentity{SystemID: "lost"} }); err != nil {
			return err
		}
		return server.StartServer(ctx, op)
	})
	if v.State != journal.Failed || !strings.Contains(v.Message, "lost") {
		t.Errorf("outcome %s: %s", v.State, v.Message)
	}
}

func TestAnIdentityCanBePutBack(t *testing.T) {
	var old string
	b, v := do(t, func(ctx context.Context, b *bench, server Server, op Op) error {
		old = b.unit.Ask("id")
		if err := b.desired.ChangeDesired(ctx, func(d *state.Desired) { d.Expected = &state.DataIdentity{SystemID: old} }); err != nil {
			return err
		}
		if err := server.StopServer(ctx, op); err != nil {
			return err
		}
		return errors.Join(
			server.ReplaceIdentity(ctx, op, "restored"), server.ReplaceIdentity(ctx, op, old), server.StartServer(ctx, op))
	})
	succeeded(t, v)
	if id := b.unit.Ask("id"); id != old {
		t.Errorf("the server runs on %q, want %q", id, old)
	}
}

func TestAServerWhoseSuperviseIsGoneIsDown(t *testing.T) {
	var process *agenttest.Process
	var b *bench
	b = newBench(t, &script{run: func(ctx context.Context, op Op) (map[string]string, error) {
		u := b.unit
		return nil, NewServer(u.Env, agenttest.NewEngine(u.Env), u.Store, state.Files{}, b.desired, clock.RealClock{}).StopServer(ctx, op)
	}})
	b.unit.Desire()
	process = b.unit.Start("supervise")
	b.unit.WaitState(state.StateRunning)
	b.unit.Ask("exit 3")
	if status := process.WaitExit(); status != 3 {
		t.Fatalf("supervise ended with %d", status)
	}
	b.mustStart("op-1")
	b.await("op-1", journal.Succeeded)
}
