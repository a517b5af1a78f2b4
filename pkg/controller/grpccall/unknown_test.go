// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// What becomes of an operation that nobody can tell of.

func TestAJournalThatIsAnotherOneIsAnOutcomeNobodyKnows(t *testing.T) {
	for _, confirmed := range []bool{false, true} {
		t.Run(fmt.Sprintf("confirmed %v", confirmed), func(t *testing.T) {
			w := newWorld(t)
			call := newCall("backup")
			w.Given(call)
			if !confirmed {
				w.agents.Fail(func(m string, target agentclient.Target) error {
					if m == "StartOperation" {
						return fake.Unavailable(target)
					}
					return nil
				})
			}
			w.settle()
			w.agents.Fail(nil)
			w.agents.With("pod-1", func(a *fake.Agent) { a.LoseJournal() })
			w.settle()
			w.wantFailed("backup", v1alpha1.ReasonOutcomeUnknown, "not run again")
			if op := w.operation("pod-1", call.UID); op != nil {
				t.Errorf("it was run again: %+v", op)
			}
		})
	}
}

func TestARecordThatIsGoneIsNeverRunAgain(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.settle()
	w.agents.With("pod-1", func(a *fake.Agent) { a.Operations = nil })
	w.restart()
	w.settle()
	w.wantFailed("backup", v1alpha1.ReasonOutcomeUnknown)
	if op := w.operation("pod-1", call.UID); op != nil {
		t.Errorf("it was run again: %+v", op)
	}
}

func TestAnIntentThatTheJournalMayHaveForgottenIsNotStarted(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.agents.Fail(func(m string, target agentclient.Target) error {
		if m == "StartOperation" {
			return fake.Unavailable(target)
		}
		return nil
	})
	w.settle()
	w.agents.Fail(nil)
	w.clock.Step(startLimit + time.Second)
	w.restart()
	w.settle()
	w.wantFailed("backup", v1alpha1.ReasonOutcomeUnknown)
	if op := w.operation("pod-1", call.UID); op != nil {
		t.Errorf("it was started: %+v", op)
	}
}

func TestTheSameVolumeInAnotherPodGoesOn(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.settle()
	op := w.operation("pod-1", call.UID)
	unset(w, w.pods, "orders-0")
	w.settle()
	w.pod("orders-0", "pod-2")
	op.State = agentclient.OperationInterrupted
	w.agents.With("pod-2", func(a *fake.Agent) {
		a.Status.JournalID = "journal-pod-1"
		a.Operations = map[string]*fake.Operation{string(call.UID): op}
	})
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallRunning)
	got := w.operation("pod-2", call.UID)
	if got.State != agentclient.OperationRunning || len(got.Secrets["s3.secretKey"]) == 0 {
		t.Errorf("operation %+v was not given its secrets again", got)
	}
	w.succeed("pod-2", call.UID)
	w.settle()
	w.wantSuccess("backup")
}

func TestAPodThatDoesNotComeBackIsAnOutcomeNobodyKnows(t *testing.T) {
	for name, away := range map[string]func(*world){
		"the pod is gone":  func(w *world) { unset(w, w.pods, "orders-0") },
		"the unit is gone": func(w *world) { unset(w, w.pods, "orders-0"); unset(w, w.units, "orders-0") },
		"the agent does not answer": func(w *world) {
			w.agents.Fail(func(_ string, t agentclient.Target) error { return fake.Unavailable(t) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Given(newCall("backup"))
			w.settle()
			away(w)
			w.settle()
			if c := w.call("backup").Status; c.Message != "runs" {
				t.Errorf("a moment's silence is said: %q", c.Message)
			}
			w.clock.Step(silentGrace)
			if again := w.settle(); again <= 0 || again > silentLimit {
				t.Fatalf("looked at again after %v", again)
			}
			w.wantPhase("backup", v1alpha1.GrpcCallRunning)
			if m := w.call("backup").Status.Message; !strings.Contains(m, "does not answer") {
				t.Errorf("message %q", m)
			}
			// A new operator has forgotten nothing that counts.
			w.restart()
			w.clock.Step(silentLimit - time.Second)
			w.settle()
			w.wantPhase("backup", v1alpha1.GrpcCallRunning)
			w.clock.Step(time.Second)
			w.settle()
			w.wantFailed("backup", v1alpha1.ReasonOutcomeUnknown, "not run again")
		})
	}
}

// An agent is asked every few seconds, so a silence is older than the first question that
// it leaves open.
func TestSilenceIsCountedFromTheLastAnswer(t *testing.T) {
	w := newWorld(t)
	w.Given(newCall("backup"))
	w.settle()
	w.agents.Fail(func(_ string, t agentclient.Target) error { return fake.Unavailable(t) })
	w.clock.Step(silentGrace - time.Second)
	w.settle()
	if m := w.call("backup").Status.Message; m != "runs" {
		t.Errorf("a moment's silence is said: %q", m)
	}
	w.clock.Step(time.Second)
	w.settle()
	if m := w.call("backup").Status.Message; !strings.Contains(m, "does not answer") {
		t.Errorf("message %q", m)
	}
}

func TestAnAgentThatAnswersAgainIsFollowedAgain(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.settle()
	w.agents.Fail(func(_ string, t agentclient.Target) error { return fake.Unavailable(t) })
	w.settle()
	w.clock.Step(silentLimit / 2)
	w.settle()
	w.agents.Fail(nil)
	w.settle()
	if m := w.call("backup").Status.Message; m != "runs" {
		t.Errorf("message %q", m)
	}
	// Its next silence counts from its own beginning.
	w.agents.Fail(func(_ string, t agentclient.Target) error { return fake.Unavailable(t) })
	w.settle()
	w.clock.Step(silentLimit - time.Second)
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallRunning)
}

// Such as for want of space: "does not answer" would send people to the network.
func TestAnAgentThatAnswersThatItCannotIsQuoted(t *testing.T) {
	full := func(_ string, target agentclient.Target) error {
		return &agentclient.Error{Class: agentclient.Unavailable, Answered: true, Target: target, Err: errors.New("the journal: no space left on device")}
	}
	says := func(w *world) {
		t.Helper()
		if m := w.call("backup").Status.Message; !strings.Contains(m, "no space left on device") || strings.Contains(m, "does not answer") {
			t.Errorf("message %q", m)
		}
	}
	w := newWorld(t)
	w.agents.Fail(full)
	w.Given(newCall("backup"))
	w.settle()
	says(w)
	w.agents.Fail(nil)
	w.clock.Step(waitRetry)
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallRunning)
	w.agents.Fail(full)
	w.settle()
	w.clock.Step(silentGrace)
	w.settle()
	says(w)
}

// TestNoLimitRunsOutWhileTheOperatorIsAway: after a power failure of the whole cluster the
// operator is back before the agents are.
func TestNoLimitRunsOutWhileTheOperatorIsAway(t *testing.T) {
	silent := func(w *world) {
		w.agents.Fail(func(_ string, t agentclient.Target) error { return fake.Unavailable(t) })
	}
	for name, tc := range map[string]struct {
		given func(w *world)
		phase v1alpha1.GrpcCallPhase
		ends  func(w *world)
	}{
		"an operation that runs": {
			given: func(w *world) {
				w.Given(newCall("backup"))
				w.settle()
				silent(w)
				w.settle()
				w.clock.Step(silentGrace)
			},
			phase: v1alpha1.GrpcCallRunning,
			ends:  func(w *world) { w.wantFailed("backup", v1alpha1.ReasonOutcomeUnknown) },
		},
		"a call that waits": {
			given: func(w *world) {
				silent(w)
				w.Given(newCall("backup"))
			},
			phase: v1alpha1.GrpcCallPending,
			ends:  func(w *world) { w.wantFailed("backup", v1alpha1.ReasonAgentUnavailable) },
		},
		"a call whose Secret is missing since its intent": {
			given: func(w *world) {
				w.intended(newCall("backup"))
				w.dropSecret("backup-storage")
			},
			phase: v1alpha1.GrpcCallPending,
			ends:  func(w *world) { w.wantFailed("backup", v1alpha1.ReasonSecretMissing) },
		},
		"a call that is deleted": {
			given: func(w *world) {
				w.Given(newCall("backup"))
				w.settle()
				silent(w)
				w.remove("backup")
			},
			phase: v1alpha1.GrpcCallCancelling,
			ends: func(w *world) {
				if _, ok := w.lookup("backup"); ok {
					t.Error("the call is still there")
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.given(w)
			w.settle()
			w.wantPhase("backup", tc.phase)
			w.clock.Step(24 * time.Hour)
			w.restart()
			w.settle()
			w.wantPhase("backup", tc.phase)
			w.clock.Step(returnGrace - time.Second)
			if again := w.settle(); again <= 0 || again > waitRetry+silentRetry {
				t.Errorf("looked at again after %v", again)
			}
			w.wantPhase("backup", tc.phase)
			w.clock.Step(2 * time.Second)
			w.settle()
			tc.ends(w)
		})
	}
}
