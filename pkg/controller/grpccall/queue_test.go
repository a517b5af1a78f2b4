// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
)

func TestTheQueueIsByAgeThenName(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	call := func(name string, age time.Duration, edits ...func(*v1alpha1.GrpcCall)) *v1alpha1.GrpcCall {
		c := newCall(name, edits...)
		c.UID, c.CreationTimestamp = types.UID(name), metav1.NewTime(now.Add(-age))
		return c
	}
	started := func(c *v1alpha1.GrpcCall) { c.Status.Operation = &v1alpha1.OperationIntent{} }
	done := func(c *v1alpha1.GrpcCall) { started(c); c.Status.Result = v1alpha1.ResultFailed }
	deleted := func(c *v1alpha1.GrpcCall) { c.DeletionTimestamp = new(metav1.NewTime(now)) }

	self := call("m", time.Minute)
	for _, tc := range []struct {
		name     string
		others   []*v1alpha1.GrpcCall
		running  string
		before   []string
		position int
	}{
		{name: "alone"},
		{name: "younger ones come behind", others: []*v1alpha1.GrpcCall{call("a", time.Second)}},
		{name: "older ones come before", others: []*v1alpha1.GrpcCall{call("y", 2*time.Minute), call("z", 3*time.Minute)}, before: []string{"z", "y"}, position: 3},
		{name: "of the same age the names decide", others: []*v1alpha1.GrpcCall{call("l", time.Minute), call("n", time.Minute)}, before: []string{"l"}, position: 2},
		{name: "one that runs comes before, however young", others: []*v1alpha1.GrpcCall{call("a", 0, started)}, running: "a", position: 1},
		{name: "one that runs and is deleted still runs", others: []*v1alpha1.GrpcCall{call("a", 0, started, deleted)}, running: "a", position: 1},
		{name: "one that is done does not count", others: []*v1alpha1.GrpcCall{call("a", time.Hour, done)}},
		{name: "one that waits and is deleted does not count", others: []*v1alpha1.GrpcCall{call("a", time.Hour, deleted)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := queueOf(self, append(tc.others, self))
			var before []string
			for _, c := range q.before {
				before = append(before, c.Name)
			}
			running := ""
			if q.running != nil {
				running = q.running.Name
			}
			if diff := cmp.Diff(tc.before, before); diff != "" {
				t.Error(diff)
			}
			if running != tc.running || q.position() != tc.position {
				t.Errorf("%q runs, position %d, want %q, %d", running, q.position(), tc.running, tc.position)
			}
		})
	}
}

func TestTwoCallsRunOneAfterTheOther(t *testing.T) {
	w := newWorld(t)
	first, second, third := newCall("b"), newCall("a"), newCall("c")
	w.Given(first)
	w.clock.Step(time.Second)
	w.Given(second)
	w.clock.Step(time.Second)
	w.Given(third)
	w.settle()
	w.wantPhase("b", v1alpha1.GrpcCallRunning)
	w.wantPhase("a", v1alpha1.GrpcCallQueued)
	w.wantPhase("c", v1alpha1.GrpcCallQueued)
	if s := w.call("a").Status; s.QueuePosition != 1 || !strings.Contains(s.Message, "GrpcCall b (logical-backup)") {
		t.Errorf("status %+v", s)
	}
	if s := w.call("c").Status; s.QueuePosition != 2 || !strings.Contains(s.Message, "and 1 more") {
		t.Errorf("status %+v", s)
	}
	if !interlock.InProgress(w.call("b")) || interlock.InProgress(w.call("a")) {
		t.Error("a queued call counts as one that runs, or the one that runs does not")
	}
	// A queued call polls nothing.
	w.agents.ResetCalls()
	if again, err := w.sync("a"); err != nil || again != 0 || len(w.agents.Calls()) > 0 {
		t.Errorf("a queued call is looked at again after %v, calls %v, %v", again, w.methods(), err)
	}

	w.succeed("pod-1", first.UID)
	w.settle()
	w.wantSuccess("b")
	w.wantPhase("a", v1alpha1.GrpcCallRunning)
	if s := w.call("a").Status; s.QueuePosition != 0 {
		t.Errorf("status %+v", s)
	}
	if s := w.call("c").Status; s.QueuePosition != 1 {
		t.Errorf("status %+v", s)
	}
	// One that leaves the queue was never started.
	w.remove("c")
	w.settle()
	if _, ok := w.lookup("c"); ok || w.operation("pod-1", third.UID) != nil {
		t.Error("the queued call was kept, or started")
	}
}

func TestCallsOfOtherUnitsDoNotWait(t *testing.T) {
	w := newWorld(t)
	w.unit("orders-1")
	w.pod("orders-1", "pod-2")
	other := newCall("other", func(c *v1alpha1.GrpcCall) { c.Spec.TargetUnit = "orders-1" })
	w.Given(newCall("one"))
	w.Given(other)
	w.settle()
	w.wantPhase("one", v1alpha1.GrpcCallRunning)
	w.wantPhase("other", v1alpha1.GrpcCallRunning)
	if op := w.operation("pod-2", other.UID); op == nil {
		t.Error("the other unit's agent has nothing")
	}
}
