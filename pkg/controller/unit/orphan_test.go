// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

// ofOrders makes a Unit one that the set orders made.
func ofOrders(u *v1alpha2.Unit) {
	u.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: v1alpha2.SchemeGroupVersion.String(), Kind: "UnitSet", Name: "orders", UID: "set", Controller: new(true),
	}}
	u.Labels[v1alpha2.LabelUnitSet], u.Labels[v1alpha2.LabelOrdinal] = "orders", "0"
	u.Annotations = map[string]string{
		v1alpha2.AnnotationRevision: "orders-1", v1alpha2.AnnotationVersion: "8.4.6", v1alpha2.AnnotationEdition: "community",
	}
}

// kubectl delete unitset orders --cascade=orphan takes the owner references off. The
// Services' selectors stay, and must go on finding the pods.
func TestAUnitWhoseSetWasDeletedWithoutItStaysWhatItIs(t *testing.T) {
	w := newWorld(t, newUnit(ofOrders))
	w.givenRevision("orders-1", "port = {{ .Port }}\n")
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	pod, claim := w.pod(), controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data")
	config := w.unit().Status.ConfigSyncStatus
	w.agents.ResetCalls()
	w.edit(func(u *v1alpha2.Unit) { u.OwnerReferences = nil })
	w.restart()
	w.live()
	if p := w.pod(); p.UID != pod.UID || cmp.Diff(pod.Labels, p.Labels) != "" {
		t.Errorf("pod %s (was %s): -labels before +after:\n%s", p.UID, pod.UID, cmp.Diff(pod.Labels, p.Labels))
	}
	after := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data")
	if d := cmp.Diff(claim.Labels, after.Labels); d != "" {
		t.Errorf("claim: -labels before +after:\n%s", d)
	}
	if d := cmp.Diff(config, w.unit().Status.ConfigSyncStatus); d != "" || len(w.agents.Calls()) > 0 {
		t.Errorf("-configSyncStatus before +after:\n%s\ncalls %+v", d, w.agents.Calls())
	}
	// Its next pod belongs to the set, too.
	w.Erase(pod)
	if next := w.replaced(pod); cmp.Diff(pod.Labels, next.Labels) != "" || next.Spec.Subdomain != pod.Spec.Subdomain {
		t.Errorf("the next pod has labels %v and subdomain %q", next.Labels, next.Spec.Subdomain)
	}
}

// A pod with a set's labels would get that set's clients.
func TestAStandaloneUnitWithASetsLabelIsNoUnitOfThatSet(t *testing.T) {
	for name, edit := range map[string]func(*v1alpha2.Unit){
		"the label alone":       func(u *v1alpha2.Unit) { u.Labels[v1alpha2.LabelUnitSet] = "orders" },
		"a copy of another one": func(u *v1alpha2.Unit) { ofOrders(u); u.OwnerReferences, u.Labels[v1alpha2.LabelOrdinal] = nil, "1" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newUnit(edit))
			w.settle()
			if got, there := w.pod().Labels[v1alpha2.LabelUnitSet]; there {
				t.Errorf("the pod has the label of set %s", got)
			}
		})
	}
}
