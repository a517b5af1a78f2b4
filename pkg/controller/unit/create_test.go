// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func (w *world) phase() v1alpha2.UnitPhase { w.t.Helper(); return w.unit().Status.Phase }

// count of live pods, whatever their names.
func (w *world) pods() int { w.t.Helper(); return len(controllertest.All[*corev1.Pod](w.APIServer)) }

func (w *world) wantPhase(want v1alpha2.UnitPhase) {
	w.t.Helper()
	if got := w.phase(); got != want {
		w.t.Fatalf("phase %s, want %s; conditions %+v", got, want, w.unit().Status.Conditions)
	}
}

func TestAUnitIsMadeInTheOrderInWhichItsPodNeedsThingsAndThenRests(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	got := slices.DeleteFunc(w.Written(), func(s string) bool { return strings.HasSuffix(s, "/status") })
	if d := cmp.Diff([]string{
		"patch units/orders-0",
		"create secrets/orders-0-agent-tls",
		"create persistentvolumeclaims/orders-0-data",
		"create pods/orders-0",
		"create configmaps/orders-0-config-applied",
	}, got); d != "" {
		t.Errorf("writes (-want +got):\n%s", d)
	}
	w.wantPhase(v1alpha2.UnitReady)
	w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonServerReady)

	status := w.unit().Status
	pod, claim := w.pod(), controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data")
	if status.NodeName != "n1" || status.PodUID != pod.UID || len(status.PodIPs) != 1 || status.Agent == nil || status.Agent.Version != "fake" {
		t.Errorf("status %+v", status)
	}
	if c := status.ConfigSyncStatus; c.Status != v1alpha2.Synced || c.AppliedHash == "" || c.AppliedHash != c.WantedHash || c.PodUID != pod.UID || c.AppliedGeneration != 1 {
		t.Errorf("configSyncStatus %+v", c)
	}
	if d := status.DataIdentity; d == nil || d.SystemID != "system-"+string(pod.UID) || d.ClaimUIDs["data"] != claim.UID || !d.Virgin {
		t.Errorf("dataIdentity %+v", d)
	}
	if p := status.PersistentVolumeClaim; len(p) != 1 || p[0].Name != "orders-0-data" || p[0].Phase != corev1.ClaimBound || p[0].Capacity.Storage.String() != "10Gi" {
		t.Errorf("persistentVolumeClaim %+v", p)
	}

	w.Written()
	w.said()
	w.agents.ResetCalls()
	for range 2 {
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
	}
	w.restart()
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	if writes, events, calls := w.Written(), w.said(), w.agents.Calls(); len(writes)+len(events)+len(calls) > 0 {
		t.Errorf("at rest it writes %v, says %v and calls %v", writes, events, calls)
	}
}

func TestAtRestNothingIsReadLive(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	w.Kube.ClearActions()
	w.Upm.ClearActions()
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	if reads := append(w.Kube.Actions(), w.Upm.Actions()...); len(reads) > 0 {
		t.Errorf("it reads %v", reads)
	}
}

func TestTheAgentIsToldWhatTheServerNeeds(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	calls := w.agents.Calls()
	applies := 0
	for _, call := range calls {
		if call.Apply == nil {
			continue
		}
		applies++
		unit, pod := w.unit(), w.pod()
		if call.Target.UnitUID != unit.UID || call.Target.PodUID != pod.UID || call.Target.PodIP != "10.0.0.1" {
			t.Errorf("target %+v", call.Target)
		}
		a := call.Apply
		if a.Generation != 1 || a.StartupHold || a.Managed || a.Expected != nil || len(a.ClaimUIDs) != 1 {
			t.Errorf("request %+v", a)
		}
		if d := cmp.Diff(map[string][]byte{"my.cnf": []byte("port = 3306\n")}, a.Files); d != "" {
			t.Errorf("files (-want +got):\n%s", d)
		}
	}
	if applies != 1 {
		t.Errorf("%d times: %+v", applies, calls)
	}
}

func TestAFailedWriteIsRetriedIntoTheSameObjectsAndNoneIsMadeTwice(t *testing.T) {
	bound := func(u *v1alpha2.Unit) { u.Spec.UnbindNode = new(false) }
	undisturbed := newWorld(t, newUnit(bound))
	undisturbed.live()
	want, attempts := undisturbed.objects(), undisturbed.Attempts
	if attempts < 8 {
		t.Fatalf("only %d writes", attempts)
	}
	for n := 1; n <= attempts; n++ {
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("write %d, after its effect %t", n, after)
			w := newWorld(t, newUnit(bound))
			w.FailAt, w.FailAfter = n, after
			failed, waited := false, false
			for range 60 {
				before := w.Attempts
				_, err := w.sync()
				if errors.Is(err, controllertest.ErrInjected) {
					failed = true
					// The worst that an operator can do then is to die.
					w.restart()
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if w.pods() > 1 {
					t.Fatalf("%s: %d pods", name, w.pods())
				}
				if w.Attempts > before {
					waited = false
					continue
				}
				worked := w.kubelet()
				if !worked && waited {
					break
				}
				// What waits for a moment is looked at again.
				waited = !worked
				w.clock.Step(keepAfter)
			}
			if !failed {
				t.Errorf("%s: nothing failed", name)
			}
			creates := map[string]int{}
			for _, write := range w.Written() {
				if strings.HasPrefix(write, "create ") {
					creates[write]++
				}
			}
			for write, times := range creates {
				if times > 1 {
					t.Errorf("%s: %s %d times", name, write, times)
				}
			}
			if d := cmp.Diff(want, w.objects()); d != "" {
				t.Errorf("%s: (-undisturbed +disturbed):\n%s", name, d)
			}
		}
	}
}

func TestALaggingCacheMakesNothingTwice(t *testing.T) {
	w := newWorld(t, newUnit())
	for range 4 {
		w.refreshUnit()
		_, err := w.controller.sync(t.Context(), w.key)
		if _, stale := errors.AsType[*consistency.StaleError](err); err != nil && !stale {
			t.Fatal(err)
		}
	}
	// An operator that has forgotten what it wrote, over the same old caches.
	w.restart()
	for range 3 {
		w.refreshUnit()
		_, err := w.controller.sync(t.Context(), w.key)
		if _, stale := errors.AsType[*consistency.StaleError](err); err != nil && !stale {
			t.Fatal(err)
		}
	}
	creates := slices.DeleteFunc(w.Written(), func(s string) bool { return !strings.HasPrefix(s, "create ") })
	if len(creates) != 3 {
		t.Errorf("it makes %v", creates)
	}
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
}

func TestAPodMadeFromANewerUnitThanTheCacheShowsIsNotReplaced(t *testing.T) {
	w := newWorld(t, newUnit())
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	w.refresh()
	// The Unit changes after the cache was filled and before it is read live.
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Image = "mysql:8.4.7" })
	_, err := w.controller.sync(t.Context(), w.key)
	if _, stale := errors.AsType[*consistency.StaleError](err); !stale {
		t.Fatalf("it goes on with an old cache: %v", err)
	}
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	for _, write := range w.Written() {
		if strings.HasPrefix(write, "delete") {
			t.Errorf("it does %s", write)
		}
	}
	if got := w.pod().Spec.Containers[0].Image; got != "mysql:8.4.7" {
		t.Errorf("the pod runs %s", got)
	}
}

func TestAUnitWithoutUnbindNodeStaysOnItsNodeUntilTheNodeIsGone(t *testing.T) {
	w := newWorld(t, newUnit(func(u *v1alpha2.Unit) { u.Spec.UnbindNode = new(false) }))
	w.live()
	if u := w.unit(); u.Spec.NodeName != "n1" || u.Annotations[v1alpha2.AnnotationBoundNode] != "n1" {
		t.Fatalf("bound to %q, annotation %q", u.Spec.NodeName, u.Annotations[v1alpha2.AnnotationBoundNode])
	}
	w.Erase(w.pod())
	w.settle()
	if a := w.pod().Spec.Affinity; a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		t.Errorf("the next pod may go anywhere: %+v", a)
	}
	w.live()

	w.said()
	if err := w.nodes.Unset(w.nodes.List()[0]); err != nil {
		t.Fatal(err)
	}
	w.Erase(w.pod())
	w.settle()
	if u := w.unit(); u.Spec.NodeName != "" || u.Annotations[v1alpha2.AnnotationBoundNode] != "" {
		t.Errorf("still bound to %q", u.Spec.NodeName)
	}
	if a := w.pod().Spec.Affinity; a != nil {
		t.Errorf("the next pod is still bound: %+v", a)
	}
	if said := w.said(); !slices.ContainsFunc(said, func(e string) bool { return strings.Contains(e, v1alpha2.ReasonUnbound) }) {
		t.Errorf("nothing is said of it: %v", said)
	}
}

func TestAUnitOfASetFollowsItsLabelsAndSaysItsRevision(t *testing.T) {
	set := metav1.OwnerReference{APIVersion: v1alpha2.SchemeGroupVersion.String(), Kind: "UnitSet", Name: "orders", UID: "set", Controller: new(true)}
	w := newWorld(t, newUnit(func(u *v1alpha2.Unit) {
		u.OwnerReferences = []metav1.OwnerReference{set}
		u.Labels[v1alpha2.LabelUnitSet], u.Labels[v1alpha2.LabelOrdinal] = "orders", "0"
		u.Annotations = map[string]string{
			v1alpha2.AnnotationRevision: "orders-1", v1alpha2.AnnotationVersion: "8.4.6", v1alpha2.AnnotationEdition: "community",
		}
	}))
	w.givenRevision("orders-1", "port = {{ .Port }}\n")
	w.givenRevision("orders-2", "port = {{ .Port }}\n")
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	pod := w.pod()
	w.Written()
	w.edit(func(u *v1alpha2.Unit) {
		u.Labels["team"] = "billing"
		u.Annotations[v1alpha2.AnnotationRevision] = "orders-2"
	})
	w.live()
	after := w.pod()
	if after.UID != pod.UID || after.Labels["team"] != "billing" || after.Labels[v1alpha2.LabelUnitSet] != "orders" {
		t.Errorf("pod %s (was %s) with labels %v", after.UID, pod.UID, after.Labels)
	}
	if c := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data"); c.Labels["team"] != "billing" {
		t.Errorf("claim with labels %v", c.Labels)
	}
	if got := w.unit().Status.Revision; got != "orders-2" {
		t.Errorf("a pod of the same template is at revision %q", got)
	}
}
