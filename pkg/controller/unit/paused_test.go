// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/conditions"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func TestNothingOfAPausedUnitIsChangedAndItsStatusGoesOn(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	w.annotate(v1alpha2.AnnotationPaused, "true")
	w.settle()
	w.wantCondition(v1alpha2.ConditionPaused, v1alpha2.ConditionPaused, v1alpha2.AnnotationPaused)
	w.wantPhase(v1alpha2.UnitReady)
	w.agents.ResetCalls()
	w.Written()

	w.replicate(newReplication("orders", "r1", w.clock.Now()))
	w.edit(func(u *v1alpha2.Unit) {
		u.Spec.Startup = new(false)
		u.Labels["team"] = "billing"
		u.Spec.Template.Spec.Containers[0].Image = "mysql:8.4.7"
		u.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("20Gi")
		metav1.SetMetaDataAnnotation(&u.ObjectMeta, v1alpha2.AnnotationReinit, u.Status.DataIdentity.SystemID)
	})
	w.node("n1", corev1.ConditionUnknown)
	w.live()
	w.wantPhase(v1alpha2.UnitUnknown)
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ConditionUpdatePending, "paused")
	w.node("n1", corev1.ConditionTrue)
	w.restart()
	w.live()
	w.Erase(old)
	w.live()
	w.wantPhase(v1alpha2.UnitPending)
	for _, write := range w.Written() {
		if write != "patch units/orders-0/status" {
			t.Errorf("it does %s", write)
		}
	}
	for _, call := range w.agents.Calls() {
		if call.Method != "Status" {
			t.Errorf("the agent is told %+v", call)
		}
	}
	w.wantNoCondition(v1alpha2.ConditionManaged)

	w.annotate(v1alpha2.AnnotationPaused, "")
	w.live()
	w.wantNoCondition(v1alpha2.ConditionPaused)
	if p := w.pod(); p.Labels["team"] != "billing" || w.unit().Status.Replication == nil {
		t.Errorf("pod with labels %v, owner %+v", p.Labels, w.unit().Status.Replication)
	}
}

// Who drains a node, or deletes the namespace, need not know that a unit is paused.
func TestThePodOfAPausedMemberGoesOnceItsKubeletHasReportedItsEnd(t *testing.T) {
	for name, pause := range map[string]func(*world){
		"drained": func(*world) {},
		"with its Unit": func(w *world) {
			if err := w.Upm.UpmV1alpha2().Units(controllertest.Namespace).Delete(w.t.Context(), "orders-0", metav1.DeleteOptions{}); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newMember(t)
			w.annotate(v1alpha2.AnnotationPaused, "true")
			pause(w)
			w.settle()
			old := w.pod()
			w.Delete(old)
			w.settle()
			if !w.there() {
				t.Fatal("the pod is let go before it has ended")
			}
			w.end(w.pod())
			w.settle()
			if w.there() {
				t.Error("the pod stays, or another one was made")
			}
			if got := w.unit().Status.LastPod; got == nil || got.UID != old.UID || got.Ended != v1alpha2.PodEndKubelet {
				t.Errorf("lastPod %+v", got)
			}
		})
	}
}

// Any other proof waits for the person that paused the unit.
func TestThePodOfAPausedMemberStaysWithoutItsKubeletsReport(t *testing.T) {
	w, _ := newMember(t)
	w.annotate(v1alpha2.AnnotationPaused, "true")
	w.Delete(w.pod())
	w.annotate(v1alpha2.AnnotationConfirmEnded, string(w.pod().UID))
	w.settle()
	if !w.there() {
		t.Error("the pod is let go")
	}
	w.annotate(v1alpha2.AnnotationPaused, "")
	w.settle()
	if got := w.unit().Status.LastPod; got == nil || got.Ended != v1alpha2.PodEndConfirmed {
		t.Errorf("lastPod %+v", got)
	}
}

func TestTheDeletionOfAPausedUnitWaits(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	w.annotate(v1alpha2.AnnotationPaused, "true")
	w.settle()
	if err := w.Upm.UpmV1alpha2().Units(controllertest.Namespace).Delete(t.Context(), "orders-0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.live()
	w.wantCondition(v1alpha2.ConditionPaused, v1alpha2.ConditionPaused, "the deletion waits")
	if w.pod().DeletionTimestamp != nil {
		t.Error("the pod is being deleted")
	}
	w.annotate(v1alpha2.AnnotationPaused, "")
	w.live()
	if _, there := controllertest.Get[*v1alpha2.Unit](w.APIServer, "orders-0"); there {
		t.Error("the Unit stays")
	}
}

// The API refuses longer notes of events, and they would be lost.
func TestAnEventIsNoLongerThanTheAPITakes(t *testing.T) {
	w := newWorld(t, newUnit())
	w.Refuse = func(write string) error {
		if write == "create pods/orders-0" {
			return &invalidPod{strings.Repeat("spec.containers[0]: ü ", 200)}
		}
		return nil
	}
	w.syncs(5)
	w.wantCondition(v1alpha2.ConditionRefused, v1alpha2.ConditionRefused, "spec.containers[0]")
	said := w.said()
	if !slices.ContainsFunc(said, func(e string) bool { return strings.Contains(e, v1alpha2.ConditionRefused) }) {
		t.Errorf("said %v", said)
	}
	for _, e := range said {
		// "Warning Refused ..."
		if parts := strings.SplitN(e, " ", 3); len(parts[2]) > conditions.MaxNote {
			t.Errorf("an event of %d bytes: %s", len(e), e)
		}
	}
}

// invalidPod is an API server's answer of any length.
type invalidPod struct{ message string }

func (e *invalidPod) Error() string { return e.message }

func (e *invalidPod) Status() metav1.Status {
	return metav1.Status{Reason: metav1.StatusReasonInvalid, Code: 422, Message: e.message}
}
