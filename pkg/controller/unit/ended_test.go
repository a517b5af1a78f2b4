// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// newMember is a unit with a pod that runs, owned by a Replication.
func newMember(t *testing.T) (*world, *v1alpha1.MysqlReplication) {
	t.Helper()
	w := newWorld(t, newUnit())
	r := newReplication("orders", "r1", w.clock.Now())
	w.replicate(r)
	w.live()
	w.said()
	w.Written()
	return w, r
}

func (w *world) there() bool {
	_, there := controllertest.Get[*corev1.Pod](w.APIServer, w.key.Name)
	return there
}

// syncs without a kubelet that does anything.
func (w *world) syncs(n int) {
	w.t.Helper()
	for range n {
		if _, err := w.sync(); err != nil {
			w.t.Fatal(err)
		}
	}
}

var outOfService = corev1.Taint{Key: corev1.TaintNodeOutOfService, Value: "nodeshutdown", Effect: corev1.TaintEffectNoExecute}

func TestThePodOfAMemberIsHeldAndThatOfAStandaloneUnitIsNot(t *testing.T) {
	t.Run("at creation", func(t *testing.T) {
		w, _ := newMember(t)
		if !slices.Contains(w.pod().Finalizers, v1alpha2.FinalizerPodEnded) {
			t.Errorf("finalizers %v", w.pod().Finalizers)
		}
	})
	t.Run("a pod that runs, before its Replication may act, and no longer than it is a member", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		if f := w.pod().Finalizers; len(f) > 0 {
			t.Errorf("a standalone unit's pod has finalizers %v", f)
		}
		w.Refuse = func(write string) error {
			if write == "patch units/orders-0/status" && !slices.Contains(w.pod().Finalizers, v1alpha2.FinalizerPodEnded) {
				t.Error("the Replication is recorded before the pod is held")
			}
			return nil
		}
		r := newReplication("orders", "r1", w.clock.Now())
		w.replicate(r)
		w.live()
		w.Refuse = nil
		if !slices.Contains(w.pod().Finalizers, v1alpha2.FinalizerPodEnded) {
			t.Errorf("finalizers %v", w.pod().Finalizers)
		}
		w.unreplicate(r)
		w.live()
		if f := w.pod().Finalizers; len(f) > 0 {
			t.Errorf("it is nobody's member and its pod has finalizers %v", f)
		}
	})
	t.Run("not one that is being deleted: the next one is the member", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		old := w.pod()
		w.Delete(old)
		w.replicate(newReplication("orders", "r1", w.clock.Now()))
		w.settle()
		if got := w.unit().Status.Replication; got != nil {
			t.Errorf("owner %+v", got)
		}
		w.replaced(old)
		if got := w.unit().Status.Replication; got == nil || !slices.Contains(w.pod().Finalizers, v1alpha2.FinalizerPodEnded) {
			t.Errorf("owner %+v, finalizers %v", got, w.pod().Finalizers)
		}
	})
}

func TestTheEndOfAMembersPodIsRecordedBeforeItGoes(t *testing.T) {
	w, _ := newMember(t)
	old := w.pod()
	w.Delete(old)
	w.settle()
	if !w.there() {
		t.Fatal("the pod is let go before it has ended")
	}
	w.wantNoCondition(v1alpha2.ConditionPodEndUnproven)
	// A Replication sees that the pod is being deleted by itself.
	if got, there := w.unit().Annotations[v1alpha2.AnnotationEvacuate]; there {
		t.Errorf("the UnitSet's request is written here, too: %s", got)
	}
	w.end(w.pod())
	w.Refuse = func(write string) error {
		if last := w.unit().Status.LastPod; write == "patch pods/orders-0" && (last == nil || last.Ended != v1alpha2.PodEndKubelet) {
			t.Errorf("the pod is let go while the status says %+v", last)
		}
		return nil
	}
	next := w.replaced(old)
	want := &v1alpha2.UnitLastPod{UID: old.UID, NodeName: "n1", Ended: v1alpha2.PodEndKubelet}
	if d := cmp.Diff(want, w.unit().Status.LastPod, cmpopts.IgnoreFields(v1alpha2.UnitLastPod{}, "Time")); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if next.UID == old.UID {
		t.Error("there is no new pod")
	}
	w.wantPhase(v1alpha2.UnitReady)
}

// The node is cut off from the API server only: the server runs on.
func TestAMembersPodThatWasDeletedByForceStaysUntilItsEndIsProven(t *testing.T) {
	for name, tc := range map[string]struct {
		prove func(w *world, pod *corev1.Pod)
		want  v1alpha2.PodEnd
	}{
		"its kubelet reports": {func(w *world, pod *corev1.Pod) { w.end(w.pod()) }, v1alpha2.PodEndKubelet},
		"its node is deleted": {func(w *world, _ *corev1.Pod) { w.removeNode("n1") }, v1alpha2.PodEndNodeGone},
		"its node is tainted": {func(w *world, _ *corev1.Pod) { w.node("n1", corev1.ConditionUnknown, outOfService) }, v1alpha2.PodEndOutOfService},
		"a person confirms it": {func(w *world, pod *corev1.Pod) {
			w.edit(func(u *v1alpha2.Unit) {
				metav1.SetMetaDataAnnotation(&u.ObjectMeta, v1alpha2.AnnotationConfirmEnded, string(pod.UID))
			})
		}, v1alpha2.PodEndConfirmed},
	} {
		for how, remove := range map[string]func(*world){
			"deleted by force":                        func(w *world) { w.ForceDelete(w.pod()) },
			"deleted, and its grace period is over":   func(w *world) { w.Delete(w.pod()); w.clock.Step(time.Hour) },
			"deleted, and the operator was restarted": func(w *world) { w.Delete(w.pod()); w.clock.Step(time.Hour); w.restart() },
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				w, _ := newMember(t)
				pod := w.pod()
				w.node("n1", corev1.ConditionUnknown)
				remove(w)
				w.settle()
				w.syncs(10)
				if !w.there() || w.pod().UID != pod.UID {
					t.Fatal("the pod is let go, or another one was made")
				}
				w.wantCondition(v1alpha2.ConditionPodEndUnproven, v1alpha2.ConditionPodEndUnproven,
					"kubelet", "deleted", corev1.TaintNodeOutOfService, v1alpha2.AnnotationConfirmEnded+"="+string(pod.UID))
				if said := w.said(); !slices.ContainsFunc(said, func(e string) bool { return strings.Contains(e, v1alpha2.ConditionPodEndUnproven) }) {
					t.Errorf("said %v", said)
				}
				// That of another pod says nothing of this one.
				w.edit(func(u *v1alpha2.Unit) {
					metav1.SetMetaDataAnnotation(&u.ObjectMeta, v1alpha2.AnnotationConfirmEnded, "another")
				})
				w.settle()
				if !w.there() || w.pod().UID != pod.UID {
					t.Fatal("the confirmation of another pod counts")
				}
				tc.prove(w, pod)
				w.settle()
				if w.pod().UID == pod.UID {
					t.Fatalf("the pod stays: %+v", w.pod().ObjectMeta)
				}
				want := &v1alpha2.UnitLastPod{UID: pod.UID, NodeName: "n1", Ended: tc.want}
				if d := cmp.Diff(want, w.unit().Status.LastPod, cmpopts.IgnoreFields(v1alpha2.UnitLastPod{}, "Time")); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
				w.wantNoCondition(v1alpha2.ConditionPodEndUnproven)
			})
		}
	}
}

// Somebody took the finalizer off, or etcd was restored from a backup.
func TestAMembersPodWhoseObjectIsGoneHasNotEnded(t *testing.T) {
	w, _ := newMember(t)
	pod := w.pod()
	w.Erase(pod)
	w.live()
	w.restart()
	w.live()
	if w.there() {
		t.Fatal("another pod was made")
	}
	w.wantCondition(v1alpha2.ConditionPodEndUnproven, v1alpha2.ConditionPodEndUnproven, string(pod.UID), "n1")
	w.node("n1", corev1.ConditionUnknown, outOfService)
	w.live()
	if !w.there() || w.pod().UID == pod.UID {
		t.Error("no other pod is made after the proof")
	}
	if got := w.unit().Status.LastPod; got == nil || got.UID != pod.UID || got.Ended != v1alpha2.PodEndOutOfService {
		t.Errorf("lastPod %+v", got)
	}
}

// A node that has just come is not in the cache yet.
func TestANodeThatOnlyTheCacheMissesProvesNothing(t *testing.T) {
	w, _ := newMember(t)
	pod := w.pod()
	cached, _ := w.nodes.Get(cache.NewObjectName("", "n1"))
	if err := w.nodes.Unset(cached); err != nil {
		t.Fatal(err)
	}
	w.ForceDelete(pod)
	w.settle()
	if !w.there() || w.pod().UID != pod.UID {
		t.Error("the pod is let go")
	}
}

func TestAMemberThatIsDeletedWaitsForTheEndOfItsPod(t *testing.T) {
	deleteUnit := func(w *world) {
		if err := w.Upm.UpmV1alpha2().Units(controllertest.Namespace).Delete(w.t.Context(), "orders-0", metav1.DeleteOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
	gone := func(w *world) {
		w.t.Helper()
		if _, there := controllertest.Get[*v1alpha2.Unit](w.APIServer, "orders-0"); there || w.there() {
			w.t.Errorf("the Unit is there: %t, its pod: %t", there, w.there())
		}
	}
	t.Run("and goes with it", func(t *testing.T) {
		w, _ := newMember(t)
		deleteUnit(w)
		w.live()
		gone(w)
	})
	t.Run("and says so while nothing proves it", func(t *testing.T) {
		w, _ := newMember(t)
		deleteUnit(w)
		w.settle()
		w.clock.Step(time.Hour)
		w.settle()
		w.wantCondition(v1alpha2.ConditionPodEndUnproven, v1alpha2.ConditionPodEndUnproven, "the Unit stays", v1alpha2.AnnotationConfirmEnded)
		w.removeNode("n1")
		w.settle()
		gone(w)
	})
	// The namespace controller deletes all objects at once, and nothing can be created.
	t.Run("in a namespace that is being deleted", func(t *testing.T) {
		w, _ := newMember(t)
		w.Refuse = func(write string) error {
			if strings.HasPrefix(write, "create ") {
				t.Errorf("%s in a namespace that is being deleted", write)
			}
			return nil
		}
		w.Delete(w.pod())
		deleteUnit(w)
		w.live()
		gone(w)
	})
	// Its finalizer was taken off, or it was deleted with --cascade=orphan.
	t.Run("and its pod goes too if it is gone first", func(t *testing.T) {
		w, _ := newMember(t)
		w.Erase(w.unit())
		w.Delete(w.pod())
		w.syncs(3)
		if !w.there() {
			t.Fatal("the pod is let go before it has ended")
		}
		w.end(w.pod())
		w.syncs(3)
		gone(w)
	})
	t.Run("and so it does under another Unit of its name", func(t *testing.T) {
		w, _ := newMember(t)
		old := w.pod()
		w.Erase(w.unit())
		w.Given(newUnit())
		w.Delete(old)
		w.end(w.pod())
		w.syncs(10)
		if p, there := controllertest.Get[*corev1.Pod](w.APIServer, "orders-0"); there && p.UID == old.UID {
			t.Error("the pod stays")
		}
	})
}

func TestKubeletEnded(t *testing.T) {
	request := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	terminated := func(at time.Time) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(at)}}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	after, before := terminated(request.Add(time.Second)), terminated(request.Add(-time.Second))
	for name, tc := range map[string]struct {
		phase           corev1.PodPhase
		agent, database corev1.ContainerState
		want            bool
	}{
		"both run":                                {corev1.PodRunning, running, running, false},
		"the agent runs":                          {corev1.PodRunning, running, after, false},
		"both ended since the deletion":           {corev1.PodRunning, after, after, true},
		"one ended before: it may run again":      {corev1.PodRunning, after, before, false},
		"one waits for its next start":            {corev1.PodRunning, after, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}, false},
		"the pod is over":                         {corev1.PodFailed, before, before, true},
		"it is said to be while a container runs": {corev1.PodFailed, after, running, false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &slim.Pod{
				ObjectMeta:     metav1.ObjectMeta{DeletionTimestamp: new(metav1.NewTime(request.Add(10 * time.Minute))), DeletionGracePeriodSeconds: new(int64(600))},
				Phase:          tc.phase,
				InitContainers: []slim.Container{{Name: "agent", State: tc.agent}},
				Containers:     []slim.Container{{Name: "mysql", State: tc.database}},
			}
			if got := kubeletEnded(pod); got != tc.want {
				t.Errorf("%t", got)
			}
		})
	}
	if kubeletEnded(&slim.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID("p"), DeletionTimestamp: new(metav1.NewTime(request))}, Phase: corev1.PodPending}) {
		t.Error("a pod of which the kubelet has reported nothing has ended")
	}
}
