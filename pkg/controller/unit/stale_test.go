// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// What happens when another operator, or a user, was there since the cache was
// filled.

// successor replaces the pod in the API server, not in the cache.
func (w *world) successor() *corev1.Pod {
	w.t.Helper()
	old := w.pod()
	w.Erase(old)
	next := old.DeepCopy()
	next.ResourceVersion, next.Status = "", corev1.PodStatus{Phase: corev1.PodRunning}
	w.Given(next)
	return w.pod()
}

func TestThePodThatIsDeletedIsTheOneThatWasSeen(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	failed := w.pod()
	failed.Status.Phase = corev1.PodFailed
	w.Given(failed)
	w.refresh()
	w.clock.Step(time.Hour)
	next := w.successor()
	if _, err := w.controller.sync(t.Context(), w.key); err != nil {
		t.Fatal(err)
	}
	if got, there := controllertest.Get[*corev1.Pod](w.APIServer, "orders-0"); !there || got.UID != next.UID || got.DeletionTimestamp != nil {
		t.Errorf("its successor was deleted")
	}
}

func TestThePodThatIsPatchedIsTheOneThatWasSeen(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	w.edit(func(u *v1alpha2.Unit) { u.Labels["team"] = "billing" })
	w.refresh()
	next := w.successor()
	if _, err := w.controller.sync(t.Context(), w.key); err != nil {
		t.Fatal(err)
	}
	if got := w.pod(); got.ResourceVersion != next.ResourceVersion {
		t.Errorf("its successor was written to: labels %v", got.Labels)
	}
}

func TestAPodOfANewerTemplateIsNotDeletedByAnOldCache(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	// Another operator carries out a change that this one has not heard of.
	stale, before := slim.FromUnit(w.unit()), *w.controller.memory(w.key)
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Image = "mysql:8.4.7" })
	w.replaced(w.pod())
	w.refresh()
	*w.controller.memory(w.key) = before
	if err := w.children.Units.Set(stale); err != nil {
		t.Fatal(err)
	}
	_, err := w.controller.sync(t.Context(), w.key)
	if _, behind := errors.AsType[*consistency.StaleError](err); !behind {
		t.Errorf("it goes on: %v", err)
	}
	if w.pod().DeletionTimestamp != nil {
		t.Error("the pod is being deleted")
	}
}

func TestAnOperatorThatSleptDoesNotOverwriteTheRecordOfTheData(t *testing.T) {
	w := newWorld(t, newUnit())
	w.settle()
	asleep := slim.FromUnit(w.unit())
	w.live()
	recorded := w.recorded().SystemID
	status := *asleep.Status.DeepCopy()
	status.Phase, status.DataIdentity = v1alpha2.UnitFailed, &v1alpha2.DataIdentity{SystemID: "dreamt"}
	if err := w.controller.patchStatus(t.Context(), asleep, status); !apierrors.IsConflict(err) {
		t.Errorf("the write gives %v", err)
	}
	if got := w.recorded().SystemID; got != recorded {
		t.Errorf("the record says %s", got)
	}
}
