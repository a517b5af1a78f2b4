// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// An operation that is asked for just after its server has crashed waits until it is back.
func TestAnOperationWaitsForAServerThatIsStartedAgain(t *testing.T) {
	var b *bench
	// asked says whether the server answered when the action began.
	asked := make(chan error, 1)
	b = newBench(t, &script{run: func(ctx context.Context, _ Op) (map[string]string, error) {
		_, err := agenttest.Ask(ctx, b.unit.Env.SocketDir, "ping")
		asked <- err
		return nil, ctx.Err()
	}})
	by := func(c clock.Clock) {
		b.before = AwaitServer(b.unit.Env, agenttest.NewEngine(b.unit.Env), b.unit.Store, c)
		b.restart()
	}
	by(clock.RealClock{})
	waiting := func(v View) bool { return strings.Contains(v.Progress, "waiting for the server") }

	b.unit.Desire()
	p := b.unit.Start("supervise")
	crash := func() {
		_ = syscall.Kill(b.unit.WaitState(state.StateRunning).PID, syscall.SIGKILL)
		p.WaitExit()
	}
	crash()
	b.mustStart("after-a-crash")
	b.awaitView("after-a-crash", waiting)
	p = b.unit.Start("supervise")
	b.await("after-a-crash", journal.Succeeded)
	if err := <-asked; err != nil {
		t.Errorf("it began before the server answered: %v", err)
	}
	b.awaitFree()

	crash()
	b.mustStart("cancelled")
	b.awaitView("cancelled", waiting)
	if _, err := b.m.Cancel(t.Context(), "cancelled", b.journalID()); err != nil {
		t.Fatal(err)
	}
	b.await("cancelled", journal.Cancelled)
	<-asked
	b.awaitFree()

	by(b.clock)
	b.mustStart("too-long")
	b.awaitView("too-long", waiting)
	agenttest.Eventually(t, "the operation begins", func() bool {
		b.clock.Step(beginPatience)
		return len(asked) == 1
	})
	if err := <-asked; err == nil {
		t.Error("the server answers, though nobody has started it")
	}
	b.awaitFree()

	b.unit.Desire(func(d *state.Desired) { *d = d.SetHold(state.HoldStartup, true) })
	p = b.unit.Start("supervise")
	b.unit.WaitState(state.StateHeld)
	b.mustStart("held-down")
	if err := <-asked; err == nil {
		t.Error("the server answers, though it is held down")
	}
	b.await("held-down", journal.Succeeded)
}
