// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

// endings are what may be deleted, as a user or the namespace's own controller does it.
var endings = map[string]struct {
	do func(*world)
	// serverless: nothing of the members is left.
	serverless bool
}{
	"the Replication": {do: func(w *world) { w.Delete(w.replication()) }},
	"the Replication after the Secret of its channels": {do: func(w *world) {
		eraseAll[*corev1.Secret](w)
		w.Delete(w.replication())
	}},
	"the Replication and its Secrets, with the operator restarted": {do: func(w *world) {
		w.Delete(w.replication())
		eraseAll[*corev1.Secret](w)
		w.restart()
	}},
	"the set and then the Replication": {serverless: true, do: func(w *world) {
		eraseAll[*v1alpha2.UnitSet](w)
		w.deleteUnits()
		w.try(3)
		w.endPods()
		w.try(3)
		eraseAll[*v1alpha2.Unit](w)
		w.try(3)
		w.Delete(w.replication())
	}},
	"the namespace, whose pods end at once": {serverless: true, do: func(w *world) {
		w.endNamespace()
		w.endPods()
		eraseAll[*v1alpha2.Unit](w)
	}},
	"the namespace, whose pods take their time": {serverless: true, do: func(w *world) {
		w.endNamespace()
		w.try(5)
		w.endPods()
		w.try(5)
		eraseAll[*v1alpha2.Unit](w)
	}},
	"the namespace, with the operator restarted and agents that answer nobody": {serverless: true, do: func(w *world) {
		w.endNamespace()
		w.restart()
		w.agents.Fail(func(_ string, target agentclient.Target) error { return fake.Unavailable(target) })
		w.try(5)
		w.endPods()
	}},
}

// eraseAll objects of a kind.
func eraseAll[T runtime.Object](w *world) {
	for _, obj := range controllertest.All[T](w.APIServer) {
		w.Erase(obj)
	}
}

// deleteUnits marks them: their finalizer keeps them until their pods have ended.
func (w *world) deleteUnits() {
	w.t.Helper()
	for _, unit := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		unit.Finalizers = []string{v1alpha2.FinalizerUnit}
		w.Given(unit)
		w.Delete(unit)
	}
}

// endPods does the kubelet's and the Unit controller's part.
func (w *world) endPods() {
	w.t.Helper()
	for _, pod := range controllertest.All[*corev1.Pod](w.APIServer) {
		w.servers.stop(pod.UID)
		w.Erase(pod)
		if unit, ok := controllertest.Get[*v1alpha2.Unit](w.APIServer, pod.Name); ok {
			unit.Status.LastPod = &v1alpha2.UnitLastPod{UID: pod.UID, Ended: v1alpha2.PodEndKubelet}
			w.Given(unit)
		}
	}
}

// endNamespace as its controller does: everything is deleted in no order, and nothing
// new is admitted.
func (w *world) endNamespace() {
	w.t.Helper()
	w.Refuse = func(write string) error {
		if !strings.HasPrefix(write, "create ") {
			return nil
		}
		err := apierrors.NewForbidden(corev1.Resource("objects"), "any", nil)
		err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
		return err
	}
	eraseAll[*corev1.Secret](w)
	eraseAll[*corev1.Service](w)
	eraseAll[*v1alpha2.UnitSet](w)
	w.Delete(w.replication())
	w.deleteUnits()
}

// try so many rounds, of five seconds each, of syncs and passes, whatever comes of them.
func (w *world) try(rounds int) {
	w.t.Helper()
	for range rounds {
		if w.gone() {
			return
		}
		for _, step := range []func() error{w.sync, func() error {
			w.refresh()
			_, err := w.controller.pass(w.t.Context(), w.key)
			return err
		}, w.sync} {
			if err := step(); err != nil {
				w.t.Logf("tried: %v", err)
			}
		}
		w.clock.Step(5 * time.Second)
	}
}

// wantOneSource that continues, and two replicas that follow it.
func (w *world) wantOneSource() {
	w.t.Helper()
	open, follows := 0, 0
	for i := range 3 {
		w.agents.With(w.podUID(i), func(a *fake.Agent) {
			switch r := a.Status.Record; {
			case r == nil || !r.Released:
				w.t.Errorf("%s is not released: %+v", unitName(i), r)
			case r.Role == agentclient.RoleSource && r.Open:
				open++
			case r.Role == agentclient.RoleReplica && r.Upstream != nil:
				follows++
			}
		})
	}
	if open != 1 || follows != 2 {
		w.t.Errorf("%d open sources and %d replicas that follow go on", open, follows)
	}
}

func TestWhateverIsDeletedNothingHangs(t *testing.T) {
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Run("at rest", func(t *testing.T) {
				w := newWorld(t)
				w.live()
				end.do(w)
				w.wantItEnds(end.serverless)
			})
			t.Run("before there is a source", func(t *testing.T) {
				w := newWorld(t)
				w.settle()
				w.adopt()
				end.do(w)
				w.try(20)
				if !w.gone() {
					t.Errorf("it stays: %+v", w.replication().Status.Conditions)
				}
			})
			t.Run("at each write of a switchover", func(t *testing.T) {
				for at := 1; ; at++ {
					w := newWorld(t)
					w.live()
					w.edit(func(r *v1alpha1.MysqlReplication) {
						r.Spec.Source, r.Spec.Replica[0].MysqlReplicationMember = r.Spec.Replica[0].MysqlReplicationMember, r.Spec.Source
					})
					w.FailAt, w.FailAfter = w.Attempts+at, at%2 == 0
					failed := w.FailAt
					for range 3 {
						_ = w.sync()
						w.refresh()
						_, _ = w.controller.pass(t.Context(), w.key)
						if w.Attempts >= failed {
							break
						}
					}
					if w.Attempts < failed {
						if at < 5 {
							t.Errorf("a switchover had %d writes", at-1)
						}
						return
					}
					t.Logf("write %d failed, operation %+v", at, w.replication().Status.Operation)
					end.do(w)
					w.wantItEnds(end.serverless)
					if t.Failed() {
						return
					}
				}
			})
		})
	}
}

func (w *world) wantItEnds(serverless bool) {
	w.t.Helper()
	// Longer than an operation has until its deadline.
	w.try(15)
	if !w.gone() {
		w.t.Errorf("it stays: operation %+v, %+v", w.replication().Status.Operation, w.replication().Status.Conditions)
	} else if !serverless {
		w.wantOneSource()
	}
}

// Nobody could ever tell such a member that the Replication goes.
func TestASourceWhosePodNeverStartedKeepsNoReplication(t *testing.T) {
	for name, tc := range map[string]struct {
		node   string
		before *v1alpha2.UnitLastPod
		stays  bool
	}{
		"it has no node":                       {},
		"its image cannot be pulled":           {node: "n1"},
		"the pod before it was seen to end":    {node: "n1", before: &v1alpha2.UnitLastPod{UID: "before", Ended: v1alpha2.PodEndKubelet}},
		"the end of the one before is unknown": {before: &v1alpha2.UnitLastPod{UID: "before"}, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t)
			pod := w.pod(0)
			pod.Spec.NodeName, pod.Status = tc.node, corev1.PodStatus{Phase: corev1.PodPending}
			w.Given(pod)
			unit := w.theUnit(0)
			unit.Status.LastPod = tc.before
			w.Given(unit)
			w.Delete(w.replication())
			w.try(5)
			if w.gone() == tc.stays {
				t.Errorf("gone: %t", w.gone())
			}
		})
	}
}
