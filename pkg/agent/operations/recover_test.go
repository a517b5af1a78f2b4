// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

func TestAResumedOperationGoesOnFromItsPhaseWithItsSecrets(t *testing.T) {
	type call struct{ Phase, Secret string }
	var calls []call
	started := make(chan struct{}, 9)
	b := newBench(t, &script{recover: RecoverWithSecrets, run: func(ctx context.Context, op Op) (map[string]string, error) {
		calls = append(calls, call{phaseOf(op), string(op.Secrets()["s3.secretKey"])})
		if len(calls) > 1 {
			return nil, nil
		}
		if err := op.SetPhase("unpack", nil); err != nil {
			return nil, err
		}
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	b.mustStart("op-1")
	<-started
	noSecretsBelow(t, b, "while it runs")
	b.restart()
	if v := b.await("op-1", journal.Interrupted); !strings.Contains(v.Progress, "until 2026-01-02T03:14:05Z") {
		t.Errorf("it waits, and says %q", v.Progress)
	}
	b.pass(ResumeTimeout - time.Second)
	b.await("op-1", journal.Interrupted)
	if len(calls) != 1 {
		t.Fatalf("it went on without its secrets: %+v", calls)
	}
	if v := b.mustStart("op-1"); v.State.Final() && v.State != journal.Succeeded {
		t.Errorf("resumed: %+v", v)
	}
	b.await("op-1", journal.Succeeded)
	if diff := cmp.Diff([]call{{"", "swordfish"}, {"unpack", "swordfish"}}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	noSecretsBelow(t, b, "afterwards")
}

func noSecretsBelow(t *testing.T, b *bench, when string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(filepath.Dir(b.unit.Env.DataMount), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte("swordfish")) {
			t.Errorf("%s: there is a secret in %s", when, path)
		}
		files++
		return err
	})
	if err != nil || files < 2 {
		t.Errorf("%s: %d files, %v", when, files, err)
	}
}

func TestAnOperationThatNobodyResumesIsAbandonedAfterTenMinutes(t *testing.T) {
	started := make(chan Op, 9)
	abandoned := make(chan string, 9)
	b := newBench(t, &script{
		recover: RecoverWithSecrets,
		run: func(ctx context.Context, op Op) (map[string]string, error) {
			if err := op.SetPhase("unpack", nil); err != nil {
				return nil, err
			}
			return endless(started)(ctx, op)
		},
		abandon: func(_ context.Context, op Op) error {
			abandoned <- fmt.Sprint(phaseOf(op), " ", len(op.Secrets()))
			return nil
		},
	})
	b.mustStart("op-1")
	<-started
	b.restart()
	b.await("op-1", journal.Interrupted)
	// Another restart is no new patience.
	b.clock.Step(ResumeTimeout / 2)
	b.restart()
	b.await("op-1", journal.Interrupted)
	b.pass(ResumeTimeout / 2)
	v := b.await("op-1", journal.Failed)
	if v.Reason != ReasonInterrupted {
		t.Errorf("outcome %+v", v)
	}
	if got := <-abandoned; got != "unpack 0" || len(abandoned) > 0 {
		t.Errorf("abandoned with %q, and %d more", got, len(abandoned))
	}
	b.awaitFree()
	if v := b.mustStart("op-1"); v.State != journal.Failed {
		t.Errorf("resumed too late: %+v", v)
	}
}

func TestWhatTheActionWantsAfterARestart(t *testing.T) {
	for _, tc := range []struct {
		name    string
		recover Recovery
		abandon error
		want    []string
		state   journal.State
		reason  string
	}{
		{name: "cleaned up at once", recover: RecoverByAbandon, want: []string{"abandon exchange"}, state: journal.Failed, reason: ReasonInterrupted},
		{name: "cleaned up in vain", recover: RecoverByAbandon, abandon: errors.New("cannot"), want: []string{"abandon exchange"}, state: journal.Failed, reason: ReasonCleanupFailed},
		{name: "cleaned up in vain, and it knows why", recover: RecoverByAbandon, abandon: Failed("NoWayBack", "none"), want: []string{"abandon exchange"}, state: journal.Failed, reason: "NoWayBack"},
		{name: "on at once, without secrets", recover: RecoverAtOnce, want: []string{"run exchange 0"}, state: journal.Succeeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var mu sync.Mutex
			var got []string
			note := func(s string) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, s)
			}
			started := make(chan Op, 9)
			b := newBench(t, &script{
				recover: tc.recover,
				run: func(ctx context.Context, op Op) (map[string]string, error) {
					if phaseOf(op) != "" {
						note(fmt.Sprint("run ", phaseOf(op), " ", len(op.Secrets())))
						return nil, nil
					}
					if err := op.SetPhase("exchange", nil); err != nil {
						return nil, err
					}
					return endless(started)(ctx, op)
				},
				abandon: func(_ context.Context, op Op) error {
					note("abandon " + phaseOf(op))
					return tc.abandon
				},
			})
			b.mustStart("op-1")
			<-started
			b.restart()
			v := b.await("op-1", tc.state)
			mu.Lock()
			defer mu.Unlock()
			if diff := cmp.Diff(tc.want, got); diff != "" || v.Reason != tc.reason {
				t.Errorf("reason %q, calls (-want +got):\n%s", v.Reason, diff)
			}
		})
	}
}

func TestACleanUpThatTheAgentsEndInterruptsIsDoneAgain(t *testing.T) {
	started, cleaning := make(chan Op, 9), make(chan Op, 9)
	var again atomic.Bool
	b := newBench(t, &script{run: endless(started), abandon: func(ctx context.Context, op Op) error {
		if again.Load() {
			return nil
		}
		_, err := endless(cleaning)(ctx, op)
		return err
	}})
	b.mustStart("op-1")
	<-started
	if _, err := b.m.Cancel(t.Context(), "op-1", b.journalID()); err != nil {
		t.Fatal(err)
	}
	<-cleaning
	b.end()
	again.Store(true)
	b.start()
	// It was cancelled, and that is what it says: not that it was interrupted.
	b.await("op-1", journal.Cancelled)
}

func TestAnActionThatThisAgentDoesNotKnowIsSaidToBeUnsupported(t *testing.T) {
	started := make(chan Op, 9)
	b := newBench(t, &script{run: endless(started)})
	b.mustStart("op-1")
	<-started
	b.end()
	b.actions = nil
	b.start()
	if v := b.await("op-1", journal.Failed); v.Reason != ReasonUnsupported {
		t.Errorf("outcome %+v", v)
	}
	b.awaitFree()
}

func TestTheHoldOfAnOperationIsSetInANewPodAndClearedWhenItIsOver(t *testing.T) {
	started, cleaning := make(chan Op, 9), make(chan []string, 9)
	var b *bench
	b = newBench(t, &script{
		run: func(ctx context.Context, op Op) (map[string]string, error) {
			if err := op.(*run).write(func(r *journal.Record) { r.Held = true }); err != nil {
				return nil, err
			}
			if err := b.m.setHold(ctx, op.ID(), true); err != nil {
				return nil, err
			}
			return endless(started)(ctx, op)
		},
		abandon: func(context.Context, Op) error {
			cleaning <- b.holds()
			return nil
		},
	})
	b.mustStart("op-1")
	<-started
	b.end()
	// The pod's successor has the volume, but not what is desired of this one. A hold
	// of nobody's operation is none.
	b.unit.Env.PodUID = "new-pod"
	if err := b.unit.Store.WriteDesired(state.Desired{PodUID: "new-pod", UnitUID: b.unit.Env.UID, Holds: []string{"operation:gone", "startup"}}); err != nil {
		t.Fatal(err)
	}
	b.start()
	if diff := cmp.Diff([]string{"operation:op-1", "startup"}, <-cleaning); diff != "" {
		t.Errorf("holds while it is cleaned up (-want +got):\n%s", diff)
	}
	b.await("op-1", journal.Failed)
	b.awaitFree()
	if diff := cmp.Diff([]string{"startup"}, b.holds()); diff != "" {
		t.Errorf("holds afterwards (-want +got):\n%s", diff)
	}
}

func TestAHoldThatCannotBeClearedKeepsTheUnit(t *testing.T) {
	var broken atomic.Bool
	var b *bench
	b = newBench(t, &script{run: func(ctx context.Context, op Op) (map[string]string, error) {
		if err := op.(*run).write(func(r *journal.Record) { r.Held = true }); err != nil {
			return nil, err
		}
		err := b.m.setHold(ctx, op.ID(), true)
		broken.Store(true)
		return nil, errors.Join(err, Failed("NoSpace", "none"))
	}})
	b.desired.fault = func() error {
		if broken.Load() {
			return errors.New("no space left on device")
		}
		return nil
	}
	b.mustStart("op-1")
	b.awaitView("op-1", func(v View) bool { return v.State == journal.Failed && v.Progress != "" })
	if _, err := b.m.Start(t.Context(), b.request("op-2")); !errors.Is(err, ErrBusy) {
		t.Errorf("another one: %v", err)
	}
	broken.Store(false)
	b.retryUntil("the unit is free", b.free)
	if holds := b.holds(); len(holds) > 0 {
		t.Errorf("holds %q", holds)
	}
}

// TestAnAgentThatDiesAtAnyWrite lets every agent die at its n-th write, for all n: the
// write fails, as all after it, and the process ends. Then one lives.
func TestAnAgentThatDiesAtAnyWrite(t *testing.T) {
	for _, recovery := range []Recovery{RecoverByAbandon, RecoverWithSecrets, RecoverAtOnce} {
		t.Run(string(recovery), func(t *testing.T) {
			for n := 1; ; n++ {
				if survived := dieAtWrite(t, n, recovery); survived {
					if n < 20 {
						t.Errorf("only %d writes", n)
					}
					return
				}
			}
		})
	}
}

func dieAtWrite(t *testing.T, n int, recovery Recovery) (survived bool) {
	var mu sync.Mutex
	var effects []string
	effect := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		effects = append(effects, s)
	}
	// A data directory that is exchanged in the middle, and put back.
	b := newBench(t, &script{
		recover: recovery,
		run: func(ctx context.Context, op Op) (map[string]string, error) {
			for _, phase := range []string{"unpack", "exchange", "start"} {
				if now := phaseOf(op); now == "exchange" && phase == "unpack" || now == "start" && phase != "start" {
					continue
				}
				if err := op.SetPhase(phase, nil); err != nil {
					return nil, err
				}
				effect(phase)
			}
			return nil, ctx.Err()
		},
		abandon: func(_ context.Context, op Op) error {
			effect("back from " + phaseOf(op))
			return nil
		},
	})
	id := b.journalID()
	b.end()
	var writes atomic.Int32
	died := make(chan struct{})
	dead := sync.OnceFunc(func() { close(died) })
	b.files = state.Files{Fault: func(string) error {
		if writes.Add(1) < int32(n) {
			return nil
		}
		dead()
		return errors.New("the agent is dead")
	}}
	b.start()
	_, startErr := b.m.Start(t.Context(), b.request("op-1"))
	if startErr == nil {
		survived = waitOver(t, b, died)
	}
	b.end()
	b.files = state.Files{}
	b.start()

	v, err := b.m.Get(t.Context(), "op-1", id)
	if errors.Is(err, ErrNotFound) {
		if startErr == nil || len(effects) > 0 {
			t.Fatalf("write %d: not found, though start gave %v and these happened: %v", n, startErr, effects)
		}
		return survived
	}
	if err != nil {
		t.Fatalf("write %d: %v", n, err)
	}
	if v.State == journal.Interrupted {
		b.mustStart("op-1")
	}
	v = b.awaitView("op-1", func(v View) bool { return v.State.Final() })
	b.awaitFree()
	mu.Lock()
	defer mu.Unlock()
	back := slices.ContainsFunc(effects, func(s string) bool { return s != "unpack" && s != "exchange" && s != "start" })
	complete := slices.Contains(effects, "start")
	switch {
	case v.State == journal.Succeeded && (back || !complete),
		v.State == journal.Failed && (v.Reason != ReasonInterrupted || !back),
		v.State != journal.Succeeded && v.State != journal.Failed:
		t.Errorf("write %d: %s %s after %v", n, v.State, v.Reason, effects)
	}
	return survived
}

// waitOver waits until the operation is over, or the agent dies.
func waitOver(t *testing.T, b *bench, died <-chan struct{}) bool {
	t.Helper()
	for {
		v, changed, err := b.m.Watch(t.Context(), "op-1", "")
		if err != nil {
			t.Fatal(err)
		}
		if v.State.Final() {
			return true
		}
		select {
		case <-changed:
		case <-died:
			return false
		}
	}
}

func TestAFullVolumeDoesNotKeepAnInterruptedOperationFromMakingRoom(t *testing.T) {
	var full atomic.Bool
	started := make(chan Op, 9)
	b := newBench(t, &script{run: endless(started), abandon: func(context.Context, Op) error {
		full.Store(false)
		return nil
	}})
	b.mustStart("op-1")
	<-started
	b.end()
	full.Store(true)
	b.files = state.Files{Fault: func(string) error {
		if full.Load() {
			return syscall.ENOSPC
		}
		return nil
	}}
	b.start()
	if v := b.await("op-1", journal.Failed); v.Reason != ReasonInterrupted {
		t.Errorf("outcome %+v", v)
	}
}
