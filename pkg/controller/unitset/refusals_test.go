// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func TestARefusedChild(t *testing.T) {
	refuse := func(w *world, writes ...string) {
		w.Refuse = func(write string) error {
			for _, prefix := range writes {
				if strings.HasPrefix(write, prefix) {
					return apierrors.NewForbidden(corev1.Resource("services"), "orders", errors.New("policy no-load-balancers"))
				}
			}
			return nil
		}
	}
	// try a few times, as the queue does.
	try := func(w *world) {
		for range 5 {
			if _, err := w.sync(); err == nil {
				w.t.Error("the sync is not tried again")
			}
			w.unitController()
		}
	}

	t.Run("keeps no unit from being made", func(t *testing.T) {
		w := newWorld(t, newSet(withServices))
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
		refuse(w, "create services/orders-svc", "create services/orders-1-svc", "create poddisruptionbudgets/")
		try(w)
		if d := cmp.Diff([]string{"orders-0", "orders-1", "orders-2"}, unitNames(w)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if _, there := controllertest.Get[*corev1.Service](w.APIServer, "orders-2-svc"); !there {
			t.Error("one refused Service keeps the others from being made")
		}
		w.wantCondition(v1alpha2.ConditionRefused, v1alpha2.ReasonRefused, "no-load-balancers")
		said := strings.Join(w.said(), "\n")
		if !strings.Contains(said, "Warning FailedCreate Error creating Service orders-svc") {
			t.Errorf("events: %s", said)
		}
		w.Refuse = nil
		w.settleUnits()
		w.wantNoCondition(v1alpha2.ConditionRefused)
	})

	t.Run("that units need keeps them from being made, and none from being removed", func(t *testing.T) {
		w := newWorld(t, newSet())
		w.settleUnits()
		w.Erase(controllertest.Must[*corev1.Service](w.APIServer, "orders-headless-svc"))
		w.Erase(w.unit(0))
		w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(2)) })
		refuse(w, "create services/orders-headless-svc")
		try(w)
		if d := cmp.Diff([]string{"orders-1"}, unitNames(w)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})

	t.Run("that is a Unit is an event and a condition", func(t *testing.T) {
		w := newWorld(t, newSet())
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
		refuse(w, "create units/")
		try(w)
		w.wantCondition(v1alpha2.ConditionRefused, v1alpha2.ReasonRefused, "policy")
		if said := strings.Join(w.said(), "\n"); !strings.Contains(said, "Warning FailedCreate Error creating Unit orders-0") {
			t.Errorf("events: %s", said)
		}
	})
}
