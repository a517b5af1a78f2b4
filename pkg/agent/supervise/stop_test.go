// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// plan makes the fake engine's plan for a reason another.
func plan(t *testing.T, u *agenttest.Unit, reason engine.StopReason, what string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(u.Config, "plan-"+string(reason)), []byte(what), 0o600); err != nil {
		t.Fatal(err)
	}
}

func order(n int64) func(*state.Desired) {
	return func(d *state.Desired) { d.HoldsOrder = n }
}

// waitProof waits for a proof of the order.
func waitProof(t *testing.T, u *agenttest.Unit, order int64) state.StopProof {
	t.Helper()
	var last *state.Observed
	agenttest.Eventually(t, "a proof", func() bool {
		o, err := u.Store.Observed()
		last = o
		return err == nil && o != nil && o.StopProof != nil && o.StopProof.Order == order
	}, func() any { return last })
	return *last.StopProof
}

func events(u *agenttest.Unit) []string {
	var got []string
	for _, l := range u.Lives() {
		event, _, _ := strings.Cut(l, " ")
		got = append(got, event)
	}
	return got
}

func TestAStopIsProvenForEachOrderOfHolds(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	p := u.Start("supervise")
	u.Desire(holds("fence"), order(1))
	if proof := waitProof(t, u, 1); proof.How != state.StopNeverStarted || proof.At.IsZero() {
		t.Errorf("proof %+v", proof)
	}
	u.Desire(order(2))
	o := u.WaitState(state.StateRunning)
	if o.StopProof != nil || o.Start == "" || o.StartRecord == nil {
		t.Errorf("while it runs: %+v", o)
	}
	u.Desire(holds("fence"), order(3))
	if proof := waitProof(t, u, 3); proof.How != state.StopExited {
		t.Errorf("proof %+v", proof)
	}
	// A later order is proven anew, though nothing has changed for the server.
	u.Desire(holds("fence", "upgrade"), order(4))
	waitProof(t, u, 4)
	u.WaitState(state.StateHeld)
	// And by the next supervise.
	p.Signal(syscall.SIGKILL)
	p.WaitExit()
	u.Start("supervise")
	u.Desire(holds("fence"), order(5))
	if proof := waitProof(t, u, 5); proof.How != state.StopExited {
		t.Errorf("proof %+v", proof)
	}
}

func TestAFrozenServerIsProvenDownByAFence(t *testing.T) {
	for name, what := range map[string]string{"an engine that says kill": "kill", "an engine that hangs with its server": "hang"} {
		t.Run(name, func(t *testing.T) {
			u, p := running(t, false)
			plan(t, u, engine.StopFence, what)
			_ = syscall.Kill(u.WaitState(state.StateRunning).PID, syscall.SIGSTOP)
			start := time.Now()
			u.Desire(holds("fence"), order(1))
			if proof := waitProof(t, u, 1); proof.How != state.StopKilled {
				t.Errorf("proof %+v", proof)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("proven after %v", took)
			}
			if status := p.WaitExit(); status != 137 {
				t.Errorf("exit status %d", status)
			}
			if diff := cmp.Diff([]string{"start"}, events(u)); diff != "" {
				t.Errorf("it got a signal that it could act on:\n%s", diff)
			}
		})
	}
}

func TestAFenceOvertakesAGentlerStop(t *testing.T) {
	for _, tc := range []struct {
		name string
		stop func(*agenttest.Unit, *agenttest.Process)
	}{
		{"the pod's end", func(_ *agenttest.Unit, p *agenttest.Process) { p.Signal(syscall.SIGTERM) }},
		{"a hold of the user's", func(u *agenttest.Unit, _ *agenttest.Process) { u.Desire(holds("startup"), order(1)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u, p := running(t, false)
			u.Ask("stubborn")
			plan(t, u, engine.StopPodEnd, "wait")
			plan(t, u, engine.StopFence, "kill")
			tc.stop(u, p)
			agenttest.Eventually(t, "the gentle signal", func() bool { return len(u.Lives()) == 2 })
			u.Desire(holds("fence", "startup"), order(2))
			if proof := waitProof(t, u, 2); proof.How != state.StopKilled {
				t.Errorf("proof %+v", proof)
			}
			p.WaitExit()
		})
	}
}

func TestARestartOfTheRoleIsInPlace(t *testing.T) {
	for name, what := range map[string]string{"in order": "", "by SIGKILL": "kill"} {
		t.Run(name, func(t *testing.T) {
			u, p := running(t, false)
			plan(t, u, engine.StopFence, what)
			before := u.WaitState(state.StateRunning)
			u.Desire(func(d *state.Desired) {
				d.RestartOrder, d.RestartReason = 1, engine.StopFence
				d.Record = engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleIsolated}
				d.OwnerUID = "r"
			})
			var after *state.Observed
			agenttest.Eventually(t, "another life", func() bool {
				o, err := u.Store.Observed()
				after = o
				return err == nil && o.State == state.StateRunning && o.Start != before.Start
			})
			if after.RestartOrder != 1 || after.StartRecord.Role != engine.RoleIsolated || !p.Alive() {
				t.Errorf("observed %+v, alive %v", after, p.Alive())
			}
			// The order is fulfilled: it stays.
			u.Desire(func(d *state.Desired) { d.RestartOrder = 1; d.Epoch = 9 })
			time.Sleep(200 * time.Millisecond)
			if u.Starts() != 2 {
				t.Errorf("%d starts", u.Starts())
			}
		})
	}
}

func TestProcessesThatTheServerLeavesAreKilled(t *testing.T) {
	u, _ := running(t, false)
	pid := u.Ask("daemon")
	if _, err := os.Stat("/proc/" + pid); err != nil {
		t.Fatal(err)
	}
	u.Desire(holds("fence"), order(1))
	if proof := waitProof(t, u, 1); proof.How != state.StopKilled {
		t.Errorf("proof %+v", proof)
	}
	agenttest.Eventually(t, "it is gone", func() bool {
		_, err := os.Stat("/proc/" + pid)
		return os.IsNotExist(err)
	})
}
