// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestAnOperationMakesWayForAChangeOfTheRole(t *testing.T) {
	started, abandoned := make(chan Op, 9), make(chan struct{}, 9)
	b := newBench(t, &script{run: endless(started), abandon: func(context.Context, Op) error {
		abandoned <- struct{}{}
		return nil
	}})
	b.mustStart("op-1")
	<-started
	b.m.Interrupt(ReasonRoleChanged, "the unit's role changed: demote")
	v := b.await("op-1", journal.Failed)
	if v.Reason != "RoleChanged" || !strings.Contains(v.Message, "demote") || v.CancelRequested {
		t.Errorf("outcome %+v", v.Record)
	}
	<-abandoned
	release, err := b.m.Reserve(t.Context(), "a change of roles")
	if err != nil {
		t.Fatal(err)
	}
	// Who has reserved the unit is not interrupted, and nobody at all is no error.
	b.m.Interrupt(ReasonRoleChanged, "again")
	release()
	b.m.Interrupt(ReasonRoleChanged, "again")
}

func TestAnInterruptedOperationThatWaitsForSecretsMakesWayToo(t *testing.T) {
	started := make(chan Op, 9)
	b := newBench(t, &script{run: endless(started), recover: RecoverWithSecrets})
	b.mustStart("op-1")
	<-started
	b.restart()
	b.await("op-1", journal.Interrupted)
	b.m.Interrupt(ReasonRoleChanged, "the unit's role changed: isolate")
	if v := b.await("op-1", journal.Failed); v.Reason != ReasonRoleChanged {
		t.Errorf("outcome %+v", v.Record)
	}
}

func TestAnOperationThatKeepsTheServerDownIsLetBe(t *testing.T) {
	held, goOn := make(chan struct{}), make(chan struct{})
	b := newBench(t, nil)
	server := NewServer(b.unit.Env, agenttest.NewEngine(b.unit.Env), b.unit.Store, state.Files{}, b.desired, clock.RealClock{})
	b.actions["restore"] = &script{run: func(ctx context.Context, op Op) (map[string]string, error) {
		if err := server.StopServer(ctx, op); err != nil {
			return nil, err
		}
		close(held)
		select {
		case <-goOn:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	b.restart()
	b.mustStart("op-1")
	<-held
	b.m.Interrupt(ReasonRoleChanged, "the unit's role changed: demote")
	close(goOn)
	b.await("op-1", journal.Succeeded)
}

func TestAChangeOfTheRoleWaitsOnlyForWhatReplacesData(t *testing.T) {
	started := make(chan Op, 9)
	for action, busy := range map[string]bool{
		operation.ActionLogicalBackup: false, operation.ActionPhysicalBackup: false, operation.ActionSetVariable: false,
		operation.ActionRestore: true, operation.ActionGTIDPurge: true, operation.ActionClone: true, operation.ActionProvision: true,
	} {
		t.Run(action, func(t *testing.T) {
			b := newBench(t, nil)
			b.actions[operation.ActionRestore] = &script{run: endless(started)}
			b.restart()
			b.mustStart("op-1")
			<-started
			b.m.mu.Lock()
			b.m.ops["op-1"].record.Action = action
			b.m.mu.Unlock()
			release, err := b.m.Reserve(t.Context(), "a change of the unit's role")
			if errors.Is(err, ErrBusy) != busy {
				t.Fatalf("busy: %v, want %v", err, busy)
			}
			if got := b.m.Replacing(); busy != (got == "op-1 ("+action+")") {
				t.Errorf("replacing: %q", got)
			}
			if busy {
				return
			}
			defer release()
			b.m.Interrupt(ReasonRoleChanged, "the unit's role changed: promote")
			b.await("op-1", journal.Failed)
			b.awaitFree()
			if _, err := b.m.Start(t.Context(), b.request("op-2")); !errors.Is(err, ErrBusy) {
				t.Errorf("another operation starts meanwhile: %v", err)
			}
		})
	}
}

func TestAServerThatWasLetGoIsNotTakenBack(t *testing.T) {
	for name, end := range map[string]func(b *bench) error{
		"by a change of the role": func(b *bench) error {
			b.m.Interrupt(ReasonRoleChanged, "the unit's role changed: demote")
			return nil
		},
		"by a cancellation": func(b *bench) error {
			_, err := b.m.Cancel(b.Context(), "op-1", b.journalID())
			return err
		},
		"by one that came the moment before": func(b *bench) error {
			// As if the context had ended between the record and the wait for the server.
			b.m.mu.Lock()
			defer b.m.mu.Unlock()
			r := b.m.ops["op-1"]
			r.interrupted = Failed(ReasonRoleChanged, "the unit's role changed")
			r.cancel()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			server := NewServer(b.unit.Env, agenttest.NewEngine(b.unit.Env), b.unit.Store, state.Files{}, b.desired, clock.RealClock{})
			released, runs, up := make(chan struct{}, 9), make(chan string, 9), make(chan struct{})
			b.actions["restore"] = &script{
				recover: RecoverAtOnce,
				abandon: func(context.Context, Op) error {
					t.Error("the old data was put back")
					return nil
				},
				run: func(ctx context.Context, op Op) (map[string]string, error) {
					runs <- phaseOf(op)
					if phaseOf(op) == "" {
						if err := server.StopServer(ctx, op); err != nil {
							return nil, err
						}
						if err := op.SetPhase("exchange", nil); err != nil {
							return nil, err
						}
						started := op.(*run)
						if err := started.write(func(rec *journal.Record) { rec.Released = true }); err != nil {
							return nil, err
						}
						released <- struct{}{}
					}
					select {
					case <-up:
						return nil, nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				},
			}
			b.restart()
			b.mustStart("op-1")
			<-released
			if err := end(b); err != nil {
				t.Fatal(err)
			}
			close(up)
			b.await("op-1", journal.Succeeded)
			if got := <-runs; got != "" {
				t.Errorf("the first run began in phase %q", got)
			}
		})
	}
}

func TestAServerThatWasLetGoIsNotStoppedByTheNextAgent(t *testing.T) {
	b := newBench(t, nil)
	server := NewServer(b.unit.Env, agenttest.NewEngine(b.unit.Env), b.unit.Store, state.Files{}, b.desired, clock.RealClock{})
	released := make(chan struct{})
	b.actions["restore"] = &script{recover: RecoverAtOnce, run: func(ctx context.Context, op Op) (map[string]string, error) {
		if phase, _ := op.Phase(); phase == "started" {
			return nil, nil
		}
		if err := server.StopServer(ctx, op); err != nil {
			return nil, err
		}
		if err := op.SetPhase("started", nil); err != nil {
			return nil, err
		}
		// No supervise: it does not answer before the agent ends.
		go func() {
			agenttest.Eventually(t, "the hold is cleared", func() bool {
				d, err := b.unit.Store.Desired()
				return err == nil && len(d.Holds) == 0
			})
			close(released)
		}()
		return nil, server.StartServer(ctx, op)
	}}
	b.restart()
	b.mustStart("op-1")
	<-released
	b.end()
	if r := b.records(); len(r) != 1 || !r[0].Held || !r[0].Released {
		t.Fatalf("records %+v", r)
	}
	holds := func() []string {
		d, err := b.unit.Store.Desired()
		if err != nil {
			t.Fatal(err)
		}
		return d.Holds
	}
	b.start()
	if got := holds(); len(got) != 0 {
		t.Errorf("the next agent holds the server down again: %q", got)
	}
	b.await("op-1", journal.Succeeded)
	if got := holds(); len(got) != 0 {
		t.Errorf("holds %q", got)
	}
}

func TestAnOperationsProcessesAreTheFirstVictims(t *testing.T) {
	b := newBench(t, &script{run: func(ctx context.Context, op Op) (map[string]string, error) {
		cmd := Command(ctx, op, "/bin/sleep", "600")
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		var score string
		agenttest.Eventually(t, "its score is raised", func() bool {
			content, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/oom_score_adj")
			score = strings.TrimSpace(string(content))
			return err == nil && score == "1000"
		})
		_ = cmd.Process.Signal(syscall.SIGKILL)
		if err := cmd.Wait(); err == nil {
			return nil, errors.New("it was not killed")
		}
		return nil, nil
	}})
	b.mustStart("op-1")
	b.await("op-1", journal.Succeeded)
}
