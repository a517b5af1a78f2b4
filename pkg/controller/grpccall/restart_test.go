// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// pending says in a Unit's status what becomes of its pod.
func pending(reason string) func(*slim.Unit) {
	return func(u *slim.Unit) {
		u.Status.Conditions = []metav1.Condition{{Type: v1alpha2.ConditionUpdatePending, Status: metav1.ConditionTrue, Reason: reason}}
	}
}

// started says whether the agent of a pod has heard of a call's operation.
func (w *world) started(pod string, call *v1alpha1.GrpcCall) bool {
	return w.operation(pod, call.UID) != nil
}

func TestACallWaitsForTheRestartThatIsDueBeforeItsTurn(t *testing.T) {
	for reason, taken := range map[string]func(*world){
		v1alpha2.ReasonRestarting:       func(w *world) { w.unit("orders-0", pending(v1alpha2.ReasonRestarting)) },
		v1alpha2.ReasonOperationRunning: func(w *world) { w.unit("orders-0", pending(v1alpha2.ReasonOperationRunning)) },
		"evacuate": func(w *world) {
			w.unit("orders-0", func(u *slim.Unit) {
				u.Annotations = map[string]string{v1alpha2.AnnotationEvacuate: v1alpha2.EvacuateRemove}
			})
		},
		"evacuate for a restart": func(w *world) {
			w.unit("orders-0", func(u *slim.Unit) {
				u.Annotations = map[string]string{v1alpha2.AnnotationEvacuate: v1alpha2.EvacuateRestart}
			})
		},
	} {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t)
			taken(w)
			call := newCall("backup")
			w.Given(call)
			w.settle()
			w.wantPhase("backup", v1alpha1.GrpcCallPending)
			if s := w.call("backup").Status; s.Operation != nil || s.Message == "" || w.started("pod-1", call) {
				t.Errorf("status %+v", s)
			}
			w.unit("orders-0")
			w.pod("orders-0", "pod-2")
			w.settle()
			w.wantPhase("backup", v1alpha1.GrpcCallRunning)
			if !w.started("pod-2", call) {
				t.Error("the next pod's agent has nothing")
			}
		})
	}
}

func TestAPodThatWaitsForItsUserHoldsNoCall(t *testing.T) {
	w := newWorld(t)
	w.unit("orders-0", pending("UpdatePending"))
	w.Given(newCall("backup"))
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallRunning)
}

// intended brings a call to its recorded intent; the agent has not heard of it.
func (w *world) intended(call *v1alpha1.GrpcCall) {
	w.t.Helper()
	w.Given(call)
	for range 5 {
		if _, err := w.sync(call.Name); err != nil {
			w.t.Fatal(err)
		}
		if interlock.InProgress(w.call(call.Name)) {
			return
		}
	}
	w.t.Fatal("the call gets no intent")
}

func TestARestartThatTheCacheHasNotSeenHoldsTheDispatch(t *testing.T) {
	for name, restart := range map[string]func(*world, *v1alpha2.Unit){
		"the pod is being replaced": func(w *world, u *v1alpha2.Unit) {
			u.Status.Conditions = []metav1.Condition{{Type: v1alpha2.ConditionUpdatePending, Status: metav1.ConditionTrue, Reason: v1alpha2.ReasonRestarting}}
			w.stored(u)
		},
		"the Unit is being deleted": func(w *world, u *v1alpha2.Unit) { u.DeletionTimestamp = new(metav1.Now()); w.stored(u) },
		"the Unit is another one":   func(w *world, u *v1alpha2.Unit) { u.UID = "another"; w.stored(u) },
		"the pod is on its way out": func(w *world, _ *v1alpha2.Unit) {
			w.pod("orders-0", "pod-1", func(p *slim.Pod) { p.DeletionTimestamp = new(metav1.Now()) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			call := newCall("backup")
			w.intended(call)
			unit, err := w.Upm.UpmV1alpha2().Units(controllertest.Namespace).Get(t.Context(), "orders-0", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			restart(w, unit.DeepCopy())
			w.settle()
			w.wantPhase("backup", v1alpha1.GrpcCallPending)
			if w.started("pod-1", call) {
				t.Fatal("it was handed to an agent that is being stopped")
			}
			if c := meta.FindStatusCondition(w.call("backup").Status.Conditions, v1alpha1.ConditionRunning); c == nil || c.Reason != v1alpha1.ReasonUnitRestarting || c.Status != metav1.ConditionUnknown {
				t.Errorf("condition %+v", c)
			}
			w.unit("orders-0")
			w.pod("orders-0", "pod-2")
			w.agents.With("pod-2", func(a *fake.Agent) { a.Status.JournalID = "journal-pod-1" })
			w.settle()
			w.wantPhase("backup", v1alpha1.GrpcCallRunning)
			if !w.started("pod-2", call) {
				t.Error("the next pod's agent has nothing")
			}
		})
	}
}

func TestACallWithAnIntentGoesOnWhenTheRestartGivesWay(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.intended(call)
	w.unit("orders-0", pending(v1alpha2.ReasonRestarting))
	w.settle()
	if w.started("pod-1", call) {
		t.Fatal("it was started")
	}
	w.unit("orders-0", pending(v1alpha2.ReasonOperationRunning))
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallRunning)
	if !w.started("pod-1", call) {
		t.Error("the agent has nothing")
	}
}

func TestARestartThatNeverEndsIsNotWaitedForForEver(t *testing.T) {
	w := newWorld(t)
	w.intended(newCall("backup"))
	w.pod("orders-0", "pod-1", func(p *slim.Pod) { p.DeletionTimestamp = new(metav1.Now()) })
	w.settle()
	w.clock.Step(silentLimit - time.Second)
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallPending)
	w.clock.Step(time.Second)
	w.settle()
	w.wantFailed("backup", v1alpha1.ReasonOutcomeUnknown)
}
