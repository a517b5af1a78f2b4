// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func TestACallRunsOnceAndItsResultIsStoredBeforeTheAgentMayForget(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.settle()

	w.wantPhase("backup", v1alpha1.GrpcCallRunning)
	op := w.operation("pod-1", call.UID)
	if op == nil || op.Runs != 1 {
		t.Fatalf("operation %+v", op)
	}
	if want := `{"backupType":"full","compression":"gzip","destination":"s3://backups/mysql/"}`; string(op.Parameters) != want {
		t.Errorf("parameters %s, want %s", op.Parameters, want)
	}
	want := agentclient.Secrets{"s3.accessKey": []byte("AKIA-access"), "s3.secretKey": []byte("very-secret-key"), "s3.endpoint": []byte("https://s3:9000")}
	if diff := cmp.Diff(map[string][]byte(want), map[string][]byte(op.Secrets)); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	status := w.call("backup").Status
	intent := status.Operation
	if intent == nil || intent.UnitUID != "unit-orders-0" || intent.PodUID != "pod-1" || intent.JournalID != "journal-pod-1" || intent.SpecHash == "" || status.StartTime == nil {
		t.Errorf("intent %+v, started %v", intent, status.StartTime)
	}

	w.succeed("pod-1", call.UID)
	w.settle()
	w.wantSuccess("backup")
	status = w.call("backup").Status
	if status.Message != "backed up 3 databases" || status.Outputs["location"] != "s3://backups/mysql/b" {
		t.Errorf("status %+v", status)
	}
	if op := w.operation("pod-1", call.UID); !op.Acknowledged || op.Runs != 1 {
		t.Errorf("operation %+v", op)
	}
	if f := w.call("backup").Finalizers; len(f) > 0 {
		t.Errorf("finalizers %v", f)
	}
	if order := w.methods(); !slices.IsSortedFunc(order, func(a, b string) int {
		if a == "AcknowledgeOperation" && b != a {
			return 1
		}
		return 0
	}) {
		t.Errorf("calls %v", order)
	}
	said := strings.Join(w.said(), "\n")
	for _, reason := range []string{"Normal Started", "Normal Succeeded"} {
		if !strings.Contains(said, reason) {
			t.Errorf("no event %s in:\n%s", reason, said)
		}
	}
	w.wantNoSecret("AKIA-access", "very-secret-key")
}

func TestTheIntentIsInTheStatusBeforeTheAgentHearsOfTheOperation(t *testing.T) {
	w := newWorld(t)
	w.Given(newCall("backup"))
	var had []bool
	w.agents.Fail(func(method string, _ agentclient.Target) error {
		if method == "StartOperation" {
			had = append(had, w.call("backup").Status.Operation != nil && slices.Contains(w.call("backup").Finalizers, v1alpha2.FinalizerGrpcCall))
		}
		return nil
	})
	w.settle()
	if diff := cmp.Diff([]bool{true}, had); diff != "" {
		t.Error(diff)
	}
}

func TestAnOperatorThatDiesAtAnyWriteRunsTheOperationOnce(t *testing.T) {
	// How many writes there are is what one undisturbed run does.
	writes := func() int {
		w := newWorld(t)
		w.live(newCall("backup"))
		return w.Attempts
	}()
	if writes < 4 {
		t.Fatalf("%d writes only", writes)
	}
	for n := 1; n <= writes; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, after its effect %v", n, after), func(t *testing.T) {
				w := newWorld(t)
				w.FailAt, w.FailAfter = n, after
				w.live(newCall("backup"))
				if w.Attempts < n {
					t.Fatalf("%d attempts only", w.Attempts)
				}
			})
		}
	}
}

func TestAnAnswerThatIsLostRunsTheOperationOnce(t *testing.T) {
	for _, method := range []string{"Info", "StartOperation", "GetOperation", "AcknowledgeOperation"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			lost := false
			w.agents.Fail(func(m string, target agentclient.Target) error {
				if m == method && !lost {
					lost = true
					return fake.Unavailable(target)
				}
				return nil
			})
			w.live(newCall("backup"))
			if !lost {
				t.Fatalf("%s was never called", method)
			}
		})
	}
}

func TestAStartThatArrivedWithoutAnAnswerIsFound(t *testing.T) {
	for name, then := range map[string]func(*world){
		"at once":                        func(*world) {},
		"when the journal may forget it": func(w *world) { w.clock.Step(startLimit + time.Second) },
		"when its Secret is gone":        func(w *world) { w.dropSecret("backup-storage") },
		"when the agent refuses the start now": func(w *world) {
			w.agents.Fail(func(m string, target agentclient.Target) error {
				if m == "StartOperation" {
					return &agentclient.Error{Class: agentclient.Final, Target: target, Err: fmt.Errorf("no")}
				}
				return nil
			})
		},
		"when its spec has changed": func(w *world) {
			changed := w.call("backup")
			changed.Spec.Parameters = parameters(`{"destination":"s3://elsewhere/"}`)
			w.Given(changed)
		},
	} {
		t.Run(name, func(t *testing.T) {
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
			// The agent has got it, the operator does not know, and dies.
			w.agents.Fail(nil)
			w.agents.With("pod-1", func(a *fake.Agent) {
				a.Operations = map[string]*fake.Operation{string(call.UID): {
					Operation: agentclient.Operation{ID: string(call.UID), Action: "logical-backup", State: agentclient.OperationRunning}, Runs: 1,
				}}
			})
			then(w)
			w.restart()
			w.settle()
			w.wantPhase("backup", v1alpha1.GrpcCallRunning)
			w.succeed("pod-1", call.UID)
			w.settle()
			if op := w.operation("pod-1", call.UID); op.Runs != 1 {
				t.Errorf("operation %+v", op)
			}
			w.wantSuccess("backup")
		})
	}
}

// live takes a call to its end, with a new operator after each failed write.
func (w *world) live(call *v1alpha1.GrpcCall) {
	w.t.Helper()
	w.Given(call)
	done := false
	for range 60 {
		if !done {
			if op := w.operation("pod-1", call.UID); op != nil && w.call(call.Name).Status.Phase == v1alpha1.GrpcCallRunning {
				w.succeed("pod-1", call.UID)
				done = true
			}
		}
		_, err := w.sync(call.Name)
		if err != nil {
			w.restart()
		}
		w.clock.Step(10 * time.Second)
		if got := w.call(call.Name); finished(got) && len(got.Finalizers) == 0 {
			break
		}
	}
	w.wantSuccess(call.Name)
	op := w.operation("pod-1", call.UID)
	if op == nil || op.Runs != 1 || !op.Acknowledged {
		w.t.Fatalf("operation %+v, want one run, acknowledged", op)
	}
	if got := w.call(call.Name); len(got.Finalizers) > 0 {
		w.t.Errorf("finalizers %v", got.Finalizers)
	}
}

func TestABusyAgentIsWaitedForByName(t *testing.T) {
	w := newWorld(t)
	w.agents.With("pod-1", func(a *fake.Agent) {
		a.Operations = map[string]*fake.Operation{"promote-7": {Operation: agentclient.Operation{ID: "promote-7", Action: "promote", State: agentclient.OperationRunning}}}
	})
	call := newCall("backup")
	w.Given(call)
	if again := w.settle(); again != busyRetry {
		t.Errorf("looked at again after %v", again)
	}
	w.wantPhase("backup", v1alpha1.GrpcCallQueued)
	if s := w.call("backup").Status; !strings.Contains(s.Message, "promote-7 (promote)") || s.QueuePosition != 1 || s.Operation != nil {
		t.Errorf("status %+v", s)
	}
	w.agents.With("pod-1", func(a *fake.Agent) { a.Finish("promote-7", agentclient.OperationSucceeded, "", "", nil) })
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallRunning)
}

func TestAnAgentThatBecomesBusyAfterTheIntentIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	busy := true
	w.agents.Fail(func(m string, _ agentclient.Target) error {
		if m == "StartOperation" && busy {
			return &agentclient.Error{Class: agentclient.Busy, Err: fmt.Errorf("operation x (demote) has the unit")}
		}
		return nil
	})
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallQueued)
	if m := w.call("backup").Status.Message; !strings.Contains(m, "demote") {
		t.Errorf("message %q", m)
	}
	busy = false
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallRunning)
	if op := w.operation("pod-1", call.UID); op.Runs != 1 {
		t.Errorf("operation %+v", op)
	}
}

func TestAFailureHasTheAgentsReason(t *testing.T) {
	for _, tc := range []struct {
		name, reason, want string
		state              agentclient.OperationState
	}{
		{"a reason", "NoSpace", "NoSpace", agentclient.OperationFailed},
		{"no reason", "", v1alpha1.ReasonFailed, agentclient.OperationFailed},
		{"a reason that is none", "no space left", v1alpha1.ReasonFailed, agentclient.OperationFailed},
		{"cancelled by somebody else", "", v1alpha1.ReasonCancelled, agentclient.OperationCancelled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			call := newCall("backup")
			w.Given(call)
			w.settle()
			w.agents.With("pod-1", func(a *fake.Agent) {
				a.Finish(string(call.UID), tc.state, tc.reason, "disk full: 3 of 9 GiB", nil)
			})
			w.settle()
			w.wantFailed("backup", tc.want, "disk full: 3 of 9 GiB")
		})
	}
}

func TestProgressIsWrittenAtMostEvery30Seconds(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.settle()
	w.Writes = nil
	for i := range 120 {
		w.agents.With("pod-1", func(a *fake.Agent) {
			op := a.Operations[string(call.UID)]
			op.Progress, op.BytesDone, op.BytesTotal = "dumping orders", int64(i)<<20, 200<<20
		})
		if _, err := w.sync("backup"); err != nil {
			t.Fatal(err)
		}
		w.clock.Step(time.Second)
	}
	if n := len(w.Writes); n < 3 || n > 4 {
		t.Errorf("%d writes in 2 minutes: %v", n, w.Writes)
	}
	if p := w.call("backup").Status.Progress; p != "dumping orders: 90.0 MiB of about 200.0 MiB" {
		t.Errorf("progress %q", p)
	}
}

func TestAtRestNothingIsWrittenAndNoAgentIsAsked(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.settle()
	w.succeed("pod-1", call.UID)
	w.settle()
	w.agents.ResetCalls()
	before := w.Attempts
	again, err := w.sync("backup")
	if err != nil || w.Attempts != before || len(w.agents.Calls()) > 0 {
		t.Errorf("%d writes, calls %v, %v", w.Attempts-before, w.methods(), err)
	}
	if again != 600*time.Second {
		t.Errorf("looked at again after %v, want the TTL", again)
	}
	// Whatever happens to the unit wakes nothing but what is open.
	unit := cache.NewObjectName(controllertest.Namespace, "orders-0")
	w.controller.enqueueOpen(unit)
	if n := w.controller.loop.Len(); n != 0 {
		t.Errorf("%d calls were woken", n)
	}
	w.Given(newCall("open"))
	w.refresh()
	w.controller.enqueueOpen(unit)
	if n := w.controller.loop.Len(); n != 1 {
		t.Errorf("%d calls were woken, want the open one", n)
	}
}

func TestAnOperatorThatSleptWritesOverNothing(t *testing.T) {
	w := newWorld(t)
	w.Given(newCall("backup"))
	if _, err := w.sync("backup"); err != nil { // the finalizer
		t.Fatal(err)
	}
	asleep := w.call("backup").DeepCopy()
	w.settle()
	want := w.call("backup").DeepCopy()
	if want.Status.Operation == nil || asleep.Status.Operation != nil {
		t.Fatal("the story is another one")
	}

	w.restart()
	w.pod("orders-0", "pod-2") // what the sleeper would record
	if err := w.calls.Set(asleep); err != nil {
		t.Fatal(err)
	}
	w.agents.ResetCalls()
	if _, err := w.controller.sync(t.Context(), cache.MetaObjectToName(asleep)); !apierrors.IsConflict(err) {
		t.Errorf("error %v, want a conflict", err)
	}
	if slices.Contains(w.methods(), "StartOperation") {
		t.Errorf("it was dispatched: %v", w.methods())
	}
	if diff := cmp.Diff(want.Status, w.call("backup").Status); diff != "" {
		t.Error(diff)
	}
}
