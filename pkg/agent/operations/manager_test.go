// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestTheRecordIsThereBeforeTheFirstEffectAndTheOutcomeAfterIt(t *testing.T) {
	var seen []journal.Record
	var b *bench
	b = newBench(t, &script{run: func(_ context.Context, op Op) (map[string]string, error) {
		seen = append(seen, b.records()...)
		if err := op.SetPhase("unpack", map[string]string{"side": "x"}); err != nil {
			return nil, err
		}
		seen = append(seen, b.records()...)
		return map[string]string{"backup": "b-1", "message": "restored b-1"}, nil
	}})
	b.mustStart("op-1")
	v := b.await("op-1", journal.Succeeded)
	if len(seen) != 2 || seen[0].State != journal.Running || seen[0].Phase != "" || seen[1].Phase != "unpack" {
		t.Errorf("seen by the action: %+v", seen)
	}
	if diff := cmp.Diff(map[string]string{"side": "x"}, decode[map[string]string](t, seen[1].PhaseData)); diff != "" {
		t.Errorf("phase data (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"backup": "b-1"}, v.Result); diff != "" || v.Message != "restored b-1" || v.Finished.IsZero() {
		t.Errorf("outcome %+v\n%s", v, diff)
	}
	b.restart()
	again := b.await("op-1", journal.Succeeded)
	if again.Message != v.Message || !again.Finished.Equal(v.Finished) {
		t.Errorf("after a restart: %+v", again)
	}
}

func TestOneOperationAtATimeAndBusyNamesTheHolder(t *testing.T) {
	started := make(chan Op, 9)
	b := newBench(t, &script{run: endless(started), recover: RecoverWithSecrets})
	b.mustStart("op-1")
	<-started
	busy := func(when string) {
		t.Helper()
		_, err := b.m.Start(t.Context(), b.request("op-2"))
		if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "op-1") || !strings.Contains(err.Error(), "restore") {
			t.Errorf("%s: %v", when, err)
		}
		if _, err := b.m.Reserve(t.Context(), "promote"); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "op-1") {
			t.Errorf("%s: reserve: %v", when, err)
		}
		if _, err := b.m.Get(t.Context(), "op-2", b.journalID()); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: the one refused: %v", when, err)
		}
	}
	busy("while it runs")
	b.restart()
	busy("while it waits for its secrets")
	if _, err := b.m.Cancel(t.Context(), "op-1", b.journalID()); err != nil {
		t.Fatal(err)
	}
	b.await("op-1", journal.Cancelled)
	b.awaitFree()

	release, err := b.m.Reserve(t.Context(), "promote")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.m.Start(t.Context(), b.request("op-2")); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "promote") {
		t.Errorf("while promoting: %v", err)
	}
	release()
	release()
	b.mustStart("op-2")
	<-started
}

func TestAnIDIsRunOnce(t *testing.T) {
	var runs atomic.Int32
	b := newBench(t, &script{run: func(context.Context, Op) (map[string]string, error) {
		runs.Add(1)
		return nil, Failed("NoSpace", "%d bytes are missing", 7)
	}})
	b.mustStart("op-1")
	first := b.await("op-1", journal.Failed)
	if first.Reason != "NoSpace" || first.Message != "7 bytes are missing" {
		t.Errorf("outcome %+v", first)
	}
	check := func(when string) {
		t.Helper()
		v, err := b.m.Start(t.Context(), b.request("op-1"))
		if err != nil || v.State != journal.Failed || !v.Finished.Equal(first.Finished) {
			t.Errorf("%s: %+v, %v", when, v, err)
		}
	}
	check("started again")
	b.restart()
	check("after a restart")
	if err := b.m.Acknowledge(t.Context(), "op-1", b.journalID()); err != nil {
		t.Fatal(err)
	}
	check("acknowledged")
	b.restart()
	check("acknowledged, after a restart")
	if n := runs.Load(); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}

func TestWhatCannotBeStartedIsRefusedAndLeavesNoRecord(t *testing.T) {
	var runs atomic.Int32
	b := newBench(t, &script{run: func(context.Context, Op) (map[string]string, error) {
		runs.Add(1)
		return nil, nil
	}})
	b.mustStart("op-1")
	b.await("op-1", journal.Succeeded)
	for name, tc := range map[string]struct {
		change func(*Start)
		want   error
	}{
		"another journal":        {func(s *Start) { s.JournalID = "other" }, ErrJournal},
		"no journal":             {func(s *Start) { s.JournalID = "" }, ErrJournal},
		"an id that is a path":   {func(s *Start) { s.ID = "../x" }, ErrInvalid},
		"an unknown action":      {func(s *Start) { s.Action = "clone" }, ErrInvalid},
		"parameters of nothing":  {func(s *Start) { s.Parameters = nil }, ErrInvalid},
		"unknown parameters":     {func(s *Start) { s.Parameters = []byte(`{"sauce":"x"}`) }, ErrInvalid},
		"another action than it": {func(s *Start) { s.ID, s.Action = "op-1", operation.ActionGTIDPurge }, ErrInvalid},
	} {
		s := b.request("op-2")
		tc.change(&s)
		if _, err := b.m.Start(t.Context(), s); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if records := b.records(); len(records) != 1 || runs.Load() != 1 {
		t.Errorf("%d records, %d runs", len(records), runs.Load())
	}
}

func TestAJournalTellsNeverStartedFromLost(t *testing.T) {
	b := newBench(t, &script{run: func(context.Context, Op) (map[string]string, error) { return nil, nil }})
	b.mustStart("op-1")
	b.await("op-1", journal.Succeeded)
	id := b.journalID()
	if _, err := b.m.Get(t.Context(), "op-2", id); !errors.Is(err, ErrNotFound) {
		t.Errorf("never started: %v", err)
	}
	if _, err := b.m.Get(t.Context(), "op-1", "other"); !errors.Is(err, ErrJournal) {
		t.Errorf("another journal: %v", err)
	}
	if _, err := b.m.Cancel(t.Context(), "op-1", "other"); !errors.Is(err, ErrJournal) {
		t.Errorf("cancelled in another journal: %v", err)
	}
	if err := b.m.Acknowledge(t.Context(), "op-1", "other"); !errors.Is(err, ErrJournal) {
		t.Errorf("acknowledged in another journal: %v", err)
	}

	b.end()
	path := b.unit.Env.AgentDir() + "/journal/operation-op-1.json"
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	if _, err := b.m.Get(t.Context(), "op-1", id); !errors.Is(err, ErrJournal) {
		t.Errorf("an unreadable record: %v", err)
	}
	if _, err := b.m.Start(t.Context(), b.request("op-1")); !errors.Is(err, ErrJournal) {
		t.Errorf("started over an unreadable record: %v", err)
	}

	b.end()
	if err := os.RemoveAll(b.unit.Env.AgentDir()); err != nil {
		t.Fatal(err)
	}
	b.start()
	if _, err := b.m.Get(t.Context(), "op-1", id); !errors.Is(err, ErrJournal) {
		t.Errorf("on a new volume: %v", err)
	}
}

func TestOutcomesAreKeptUntilAcknowledgedElseSevenDays(t *testing.T) {
	b := newBench(t, &script{run: func(context.Context, Op) (map[string]string, error) { return nil, nil }})
	for _, id := range []string{"op-1", "op-2"} {
		b.mustStart(id)
		b.await(id, journal.Succeeded)
		b.awaitFree()
	}
	b.awaitIdle()
	if err := b.m.Acknowledge(t.Context(), "op-1", b.journalID()); err != nil {
		t.Fatal(err)
	}
	there := func() (out []string) {
		for _, id := range []string{"op-1", "op-2"} {
			if _, err := b.m.Get(t.Context(), id, ""); err == nil {
				out = append(out, id)
			} else if !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
		}
		return out
	}
	for _, step := range []struct {
		pass time.Duration
		want []string
	}{
		{23 * time.Hour, []string{"op-1", "op-2"}},
		{time.Hour, []string{"op-2"}},
		{6*24*time.Hour - time.Minute, []string{"op-2"}},
		{time.Minute, nil},
	} {
		b.clock.Step(step.pass)
		b.m.tend(t.Context())
		if diff := cmp.Diff(step.want, there()); diff != "" {
			t.Errorf("after another %v (-want +got):\n%s", step.pass, diff)
		}
	}
	if records := b.records(); len(records) > 0 {
		t.Errorf("on disk: %+v", records)
	}
	if err := b.m.Acknowledge(t.Context(), "op-1", b.journalID()); err != nil {
		t.Errorf("acknowledged late: %v", err)
	}
}

func TestAnOutcomeThatCannotBeRecordedIsNoneYet(t *testing.T) {
	var full atomic.Bool
	b := newBench(t, &script{run: func(context.Context, Op) (map[string]string, error) {
		full.Store(true)
		return nil, nil
	}})
	b.end()
	b.files = state.Files{Fault: func(string) error {
		if full.Load() {
			return errors.New("no space left on device")
		}
		return nil
	}}
	b.start()
	b.mustStart("op-1")
	v := b.awaitView("op-1", func(v View) bool { return strings.Contains(v.Progress, "no space") })
	if v.State != journal.Running {
		t.Errorf("it is %s", v.State)
	}
	full.Store(false)
	b.retryUntil("the outcome", func() bool {
		v, err := b.m.Get(t.Context(), "op-1", "")
		return err == nil && v.State == journal.Succeeded
	})
}

func TestWhatIsSaidHasNoSecretsAndFitsTheProtocol(t *testing.T) {
	b := newBench(t, &script{run: func(_ context.Context, op Op) (map[string]string, error) {
		op.Progress("key swordfish in region everywhere", 3, 7)
		return nil, Failed("Refused", "bad key swordfish \xff in everywhere %s", strings.Repeat("x", 2*maxText))
	}})
	b.mustStart("op-1")
	v := b.await("op-1", journal.Failed)
	if v.Progress != "key *** in region everywhere" || v.BytesDone != 3 || v.BytesTotal != 7 {
		t.Errorf("progress %q %d %d", v.Progress, v.BytesDone, v.BytesTotal)
	}
	if !strings.HasPrefix(v.Message, "bad key *** ? in everywhere x") || len(v.Message) > maxText+3 {
		t.Errorf("message of %d: %.60q", len(v.Message), v.Message)
	}
}

func TestAPanicIsAFailure(t *testing.T) {
	b := newBench(t, &script{run: func(context.Context, Op) (map[string]string, error) { panic("in the action") }})
	b.mustStart("op-1")
	if v := b.await("op-1", journal.Failed); v.Reason != ReasonPanicked {
		t.Errorf("outcome %+v", v)
	}
	b.awaitFree()
}
