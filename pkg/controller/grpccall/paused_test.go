// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func (w *world) pause(name, value string) {
	w.t.Helper()
	controllertest.Edit(w.APIServer, name, func(c *v1alpha1.GrpcCall) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha2.AnnotationPaused, value)
	})
}

func (w *world) wantPaused(name string, want bool) {
	w.t.Helper()
	if got := meta.IsStatusConditionTrue(w.call(name).Status.Conditions, v1alpha1.ConditionPaused); got != want {
		w.t.Errorf("call %s is Paused: %t", name, got)
	}
}

func TestAPausedCallDoesNotStartAndHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	w.Given(newCall("a", func(c *v1alpha1.GrpcCall) { c.Annotations = map[string]string{v1alpha2.AnnotationPaused: "true"} }))
	w.clock.Step(time.Second)
	w.Given(newCall("b"))
	w.settle()
	w.wantPhase("a", v1alpha1.GrpcCallPending)
	w.wantPaused("a", true)
	w.wantPhase("b", v1alpha1.GrpcCallRunning)
	w.clock.Step(time.Hour)
	w.settle()
	w.wantPhase("a", v1alpha1.GrpcCallPending)
	w.succeed("pod-1", w.call("b").UID)
	w.settle()
	w.pause("a", "false")
	w.settle()
	w.wantPaused("a", false)
	w.wantPhase("a", v1alpha1.GrpcCallRunning)
}

func TestAPausedCallThatRunsIsFollowedAndItsAgentToldNothing(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup", func(c *v1alpha1.GrpcCall) { c.Spec.TTLSecondsAfterFinished = new(int32(60)) })
	w.Given(call)
	w.settle()
	w.pause("backup", "true")
	w.remove("backup")
	w.settle()
	w.agents.ResetCalls()
	w.clock.Step(time.Hour)
	w.settle()
	w.wantPaused("backup", true)
	if methods := w.methods(); len(methods) > 0 {
		t.Errorf("the agent of a call whose deletion waits is told %v", methods)
	}
	if op := w.operation("pod-1", call.UID); op.State != agentclient.OperationRunning {
		t.Errorf("operation %+v", op)
	}
	w.pause("backup", "false")
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallCancelling)

	other := newCall("other", func(c *v1alpha1.GrpcCall) {
		c.Spec.TargetUnit, c.Spec.TTLSecondsAfterFinished = "orders-1", new(int32(60))
	})
	w.unit("orders-1")
	w.pod("orders-1", "pod-2")
	w.Given(other)
	w.settle()
	w.pause("other", "true")
	w.agents.ResetCalls()
	w.succeed("pod-2", other.UID)
	w.settle()
	w.wantSuccess("other")
	w.clock.Step(time.Hour)
	w.settle()
	if _, ok := w.lookup("other"); !ok {
		t.Error("a paused call was deleted")
	}
	for _, c := range w.agents.Calls() {
		if c.Target.PodUID == "pod-2" && !slices.Contains([]string{"GetOperation"}, c.Method) {
			t.Errorf("the agent is told %s", c.Method)
		}
	}
}
