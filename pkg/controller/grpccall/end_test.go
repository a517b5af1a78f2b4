// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestADeletedCallIsCancelledBeforeItGoes(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.settle()
	w.remove("backup")
	if again := w.settle(); again != cancelRetry {
		t.Errorf("looked at again after %v", again)
	}
	w.wantPhase("backup", v1alpha1.GrpcCallCancelling)
	if op := w.operation("pod-1", call.UID); op.State != agentclient.OperationCancelling {
		t.Fatalf("operation %+v", op)
	}
	w.agents.With("pod-1", func(a *fake.Agent) { a.Finish(string(call.UID), agentclient.OperationCancelled, "", "cancelled", nil) })
	w.settle()
	if _, ok := w.lookup("backup"); ok {
		t.Error("the call is still there")
	}
	if op := w.operation("pod-1", call.UID); !op.Acknowledged || op.Runs != 1 {
		t.Errorf("operation %+v", op)
	}
	if said := strings.Join(w.said(), "\n"); !strings.Contains(said, v1alpha1.ReasonCancelling) || !strings.Contains(said, "Warning "+v1alpha1.ReasonCancelled) {
		t.Errorf("events:\n%s", said)
	}
}

func TestADeletedCallWhoseAgentIsAwayGoesAfterFiveMinutesWithAnEvent(t *testing.T) {
	for name, away := range map[string]func(*world){
		"the pod is gone": func(w *world) { unset(w, w.pods, "orders-0") },
		"the agent does not answer": func(w *world) {
			w.agents.Fail(func(_ string, t agentclient.Target) error { return fake.Unavailable(t) })
		},
		"it does not end": func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Given(newCall("backup"))
			w.settle()
			away(w)
			w.remove("backup")
			w.settle()
			w.restart()
			w.clock.Step(cancelLimit - time.Second)
			if again := w.settle(); again <= 0 || again > cancelRetry {
				t.Errorf("looked at again after %v", again)
			}
			w.wantPhase("backup", v1alpha1.GrpcCallCancelling)
			w.said()
			w.clock.Step(time.Second)
			w.settle()
			if _, ok := w.lookup("backup"); ok {
				t.Error("the call is still there")
			}
			if said := strings.Join(w.said(), "\n"); !strings.Contains(said, "Warning "+v1alpha1.ReasonCancelAbandoned) {
				t.Errorf("events:\n%s", said)
			}
		})
	}
}

// The limit counts from the first try: an operator that was away has not tried.
func TestACallThatWasDeletedWhileTheOperatorWasAwayIsCancelledAllTheSame(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.settle()
	w.remove("backup")
	w.clock.Step(2 * cancelLimit)
	w.restart()
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallCancelling)
	if op := w.operation("pod-1", call.UID); op.State != agentclient.OperationCancelling {
		t.Fatalf("operation %+v", op)
	}
	// It is tried once more before it is given up.
	w.restart()
	w.agents.ResetCalls()
	w.clock.Step(cancelLimit)
	w.settle()
	if _, ok := w.lookup("backup"); ok || !slices.Contains(w.methods(), "CancelOperation") {
		t.Errorf("the call is there: %t, calls %v", ok, w.methods())
	}
}

func TestADeletedCallThatNeverStartedGoesAtOnce(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"with an intent": func(w *world) {
			w.agents.Fail(func(m string, t agentclient.Target) error {
				if m == "StartOperation" {
					return fake.Unavailable(t)
				}
				return nil
			})
		},
		"with the finalizer only": func(w *world) { w.FailAt = 2 },
		"of a unit that is gone": func(w *world) {
			unset(w, w.units, "orders-0")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			call := newCall("backup", func(c *v1alpha1.GrpcCall) { c.Finalizers = nil })
			w.Given(call)
			prepare(w)
			for range 3 {
				_, _ = w.sync("backup")
			}
			w.agents.Fail(nil)
			w.remove("backup")
			if _, ok := w.lookup("backup"); ok {
				w.settle()
			}
			if _, ok := w.lookup("backup"); ok {
				t.Error("the call is still there")
			}
			if op := w.operation("pod-1", call.UID); op != nil {
				t.Errorf("it was started: %+v", op)
			}
		})
	}
}

func TestAFinalizerOfSomebodyElseIsLeft(t *testing.T) {
	w := newWorld(t)
	w.Given(newCall("backup", func(c *v1alpha1.GrpcCall) {
		c.Finalizers = []string{"example.com/keep"}
		c.Spec.TTLSecondsAfterFinished = new(int32(0))
		c.Spec.Parameters = nil
	}))
	w.settle()
	if f := w.call("backup").Finalizers; len(f) != 1 || f[0] != "example.com/keep" {
		t.Errorf("finalizers %v", f)
	}
	if w.call("backup").DeletionTimestamp == nil {
		t.Error("it was not deleted")
	}
}

func TestTheTTLIsToTheSecond(t *testing.T) {
	for _, ttl := range []int32{0, 1, 600} {
		for _, failed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d s, failed %v", ttl, failed), func(t *testing.T) {
				w := newWorld(t)
				call := newCall("backup", func(c *v1alpha1.GrpcCall) {
					c.Spec.TTLSecondsAfterFinished = new(ttl)
					if failed {
						c.Spec.Parameters = nil
					}
				})
				w.Given(call)
				if !failed {
					w.settle()
					w.succeed("pod-1", call.UID)
				}
				again := w.settle()
				if ttl > 0 {
					if want := time.Duration(ttl) * time.Second; again != want {
						t.Errorf("looked at again after %v, want %v", again, want)
					}
					w.clock.Step(time.Duration(ttl)*time.Second - time.Millisecond)
					w.settle()
					if _, ok := w.lookup("backup"); !ok {
						t.Fatal("it went too early")
					}
					w.clock.Step(time.Millisecond)
					w.settle()
				}
				if _, ok := w.lookup("backup"); ok {
					t.Error("it is still there")
				}
				reason := v1alpha1.ReasonSucceeded
				if failed {
					reason = v1alpha1.ReasonInvalidParameters
				}
				if said := strings.Join(w.said(), "\n"); !strings.Contains(said, reason) {
					t.Errorf("it went without its event:\n%s", said)
				}
			})
		}
	}
}

func TestAnAgentThatIsAwayDoesNotHoldUpTheTTL(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup", func(c *v1alpha1.GrpcCall) { c.Spec.TTLSecondsAfterFinished = new(int32(60)) })
	w.Given(call)
	w.settle()
	w.succeed("pod-1", call.UID)
	w.agents.Fail(func(m string, t agentclient.Target) error {
		if m == "AcknowledgeOperation" {
			return fake.Unavailable(t)
		}
		return nil
	})
	if again := w.settle(); again != acknowledgeRetry {
		t.Errorf("looked at again after %v", again)
	}
	w.wantSuccess("backup")
	w.clock.Step(time.Minute)
	w.settle()
	if _, ok := w.lookup("backup"); ok {
		t.Error("it is still there")
	}
}

func TestAnAcknowledgementIsGivenUpInTheEnd(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup", func(c *v1alpha1.GrpcCall) { c.Spec.TTLSecondsAfterFinished = new(int32(86400)) })
	w.Given(call)
	w.settle()
	w.succeed("pod-1", call.UID)
	w.agents.Fail(func(m string, t agentclient.Target) error {
		if m == "AcknowledgeOperation" {
			return fake.Unavailable(t)
		}
		return nil
	})
	w.settle()
	if f := w.call("backup").Finalizers; len(f) != 1 || f[0] != v1alpha2.FinalizerGrpcCall {
		t.Fatalf("finalizers %v", f)
	}
	w.clock.Step(acknowledgeLimit)
	w.settle()
	if f := w.call("backup").Finalizers; len(f) > 0 {
		t.Errorf("finalizers %v", f)
	}
}

func TestAResultIsFinal(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.settle()
	w.succeed("pod-1", call.UID)
	w.settle()
	want := w.call("backup").Status
	w.agents.With("pod-1", func(a *fake.Agent) { a.LoseJournal() })
	unset(w, w.pods, "orders-0")
	w.restart()
	w.clock.Step(5 * time.Minute)
	w.settle()
	if got := w.call("backup").Status; got.Result != want.Result || got.Message != want.Message || !got.CompletionTime.Equal(want.CompletionTime) {
		t.Errorf("status %+v, want %+v", got, want)
	}
}
