// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func newImage(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Image = "mysql:8.4.7" }

// heard are the events about a reason since the last call.
func (w *world) heard(reason string) []string {
	return slices.DeleteFunc(w.said(), func(e string) bool { return !strings.Contains(e, reason) })
}

func (w *world) wantSamePod(old *corev1.Pod) {
	w.t.Helper()
	if p := w.pod(); p.UID != old.UID || p.DeletionTimestamp != nil {
		w.t.Fatalf("pod %s is there, deleted at %v", p.UID, p.DeletionTimestamp)
	}
}

func TestARestartWaitsForTheCallThatRunsAndGoesOnByItself(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	call := w.GivenBackup("nightly", "orders-0")
	w.StartCall(call)
	w.said()
	w.edit(newImage)
	w.live()
	w.wantSamePod(old)
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ReasonOperationRunning, "GrpcCall nightly (physical-backup), running since "+call.Status.StartTime.UTC().Format(time.RFC3339), "deleting the call cancels it")
	w.wantPhase(v1alpha2.UnitReady)
	// Another operator says nothing again, and at rest nothing is written.
	w.restart()
	w.live()
	w.Written()
	w.live()
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("while it waits it writes %v", writes)
	}
	if heard := w.heard(v1alpha2.ReasonOperationRunning); len(heard) != 1 {
		t.Errorf("events: %q", heard)
	}

	w.EndCall(call)
	w.GivenBackup("queued", "orders-0")
	if p := w.replaced(old); p.Spec.Containers[0].Image != "mysql:8.4.7" {
		t.Errorf("the new pod runs %s", p.Spec.Containers[0].Image)
	}
	w.wantNoCondition(v1alpha2.ConditionUpdatePending)
}

func TestWhatDoesNotRunHoldsNoRestart(t *testing.T) {
	for name, f := range map[string]func(*world){
		"a call that is queued":      func(w *world) { w.GivenBackup("queued", "orders-0") },
		"a call that has its result": func(w *world) { c := w.GivenBackup("done", "orders-0"); w.StartCall(c); w.EndCall(c) },
		"a call of another unit": func(w *world) {
			c := w.GivenBackup("other", "orders-0")
			c.Spec.TargetUnit = "orders-1"
			w.StartCall(c)
		},
		"one whose node is gone":      func(w *world) { w.StartCall(w.GivenBackup("running", "orders-0")); w.nodeGone("n1") },
		"one whose agent fails again": func(w *world) { w.StartCall(w.GivenBackup("running", "orders-0")); w.agentWaits("CrashLoopBackOff") },
		"one whose agent never came":  func(w *world) { w.StartCall(w.GivenBackup("running", "orders-0")); w.agentWaits("ErrImagePull") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newUnit())
			w.live()
			old := w.pod()
			f(w)
			w.edit(newImage)
			w.settle()
			if w.pod().UID != old.UID || w.pod().DeletionTimestamp == nil {
				t.Error("the pod is not being stopped")
			}
		})
	}
}

// nodeGone takes a node out of the cluster.
func (w *world) nodeGone(name string) {
	w.t.Helper()
	if err := w.nodes.Unset(&slim.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		w.t.Fatal(err)
	}
}

// agentWaits makes the agent's container one that the kubelet has not started.
func (w *world) agentWaits(reason string) {
	w.t.Helper()
	p := w.pod()
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{{
		Name: "agent", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}},
	}}
	w.Given(p)
}

func TestAnOperationHoldsTheRestartOfAServerThatItHasStopped(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	call := w.GivenBackup("restore", "orders-0")
	w.StartCall(call)
	// A restore stops the server, and its agent may be restarted meanwhile.
	w.agents.With(old.UID, func(a *fake.Agent) { a.Status.State = agentclient.StateHeld })
	old.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	old.Status.InitContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137}}
	w.Given(old)
	w.edit(newImage)
	w.settle()
	w.wantSamePod(old)
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ReasonOperationRunning, "GrpcCall restore")
}

func TestARestartTellsCallsBeforeItTakesThePodDown(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	w.edit(newImage)
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	w.wantSamePod(old)
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ReasonRestarting)
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	if w.pod().DeletionTimestamp == nil {
		t.Fatal("the pod is not being stopped")
	}
	// They are told until it is gone.
	w.settle()
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ReasonRestarting)
	w.replaced(old)
	w.wantNoCondition(v1alpha2.ConditionUpdatePending)
}

func TestARestartGivesWayToACallThatTheCacheHasNotSeen(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	call := w.GivenBackup("nightly", "orders-0")
	w.edit(newImage)
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	w.refresh()
	w.StartCall(call)
	if _, err := w.controller.sync(t.Context(), w.key); err != nil {
		t.Fatal(err)
	}
	w.wantSamePod(old)
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ReasonOperationRunning, "GrpcCall nightly")
	// Until the cache has it there is nothing to decide on.
	w.refreshUnit()
	if _, err := w.controller.sync(t.Context(), w.key); err == nil {
		t.Error("it goes on with a cache that is behind what was read")
	}
	w.live()
	w.wantSamePod(old)
	w.EndCall(call)
	w.replaced(old)
}

func TestACallHoldsNeitherADeletionNorAPodThatEnded(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	w.StartCall(w.GivenBackup("nightly", "orders-0"))
	old.Status.Phase = corev1.PodFailed
	w.Given(old)
	next := w.replaced(old)
	if err := w.Upm.UpmV1alpha2().Units(controllertest.Namespace).Delete(t.Context(), w.key.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if p := w.pod(); p.UID != next.UID || p.DeletionTimestamp == nil {
		t.Error("the pod of a deleted Unit is not being stopped")
	}
}

func TestATemplateThatIsTakenBackRestartsNothing(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	w.edit(newImage)
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Image = old.Spec.Containers[0].Image })
	w.live()
	w.wantSamePod(old)
	w.wantNoCondition(v1alpha2.ConditionUpdatePending)
}
