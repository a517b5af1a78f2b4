// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func identityOf(u *v1alpha2.Unit) agenttls.Identity {
	return agenttls.Identity{Namespace: u.Namespace, Name: u.Name, UID: u.UID}
}

// keepData lets the agent of the pod there is find that database on the volume.
func (w *world) keepData(systemID string) {
	w.t.Helper()
	pod, ok := controllertest.Get[*corev1.Pod](w.APIServer, w.key.Name)
	if !ok {
		return
	}
	w.agents.With(pod.UID, func(a *fake.Agent) {
		if a.Status.Data == nil {
			a.Status.Data = &agentclient.DataIdentity{SystemID: systemID}
		}
	})
}

func (w *world) recorded() *v1alpha2.DataIdentity { w.t.Helper(); return w.unit().Status.DataIdentity }

// emptied is a unit whose volume was replaced by an empty one.
func emptied(t *testing.T) (w *world, lost string) {
	t.Helper()
	w = newWorld(t, newUnit())
	w.live()
	lost = w.recorded().SystemID
	w.Erase(controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data"))
	w.Erase(w.pod())
	w.live()
	return w, lost
}

func TestAVolumeThatHeldADatabaseNeverBecomesAnEmptyOneByItself(t *testing.T) {
	w, lost := emptied(t)
	w.wantPhase(v1alpha2.UnitFailed)
	w.wantCondition(v1alpha2.ConditionDataMissing, v1alpha2.ConditionDataMissing, lost, v1alpha2.AnnotationReinit)
	if got := w.recorded(); got.SystemID != lost {
		t.Errorf("the record says %+v", got)
	}
	w.restart()
	w.Erase(w.pod())
	w.live()
	w.wantPhase(v1alpha2.UnitFailed)
	for _, call := range w.agents.Calls() {
		if call.Target.PodUID == w.pod().UID && call.Apply != nil && (call.Apply.Expected == nil || call.Apply.Expected.SystemID != lost) {
			t.Errorf("an agent was told to expect %+v", call.Apply.Expected)
		}
	}
}

func TestADatabaseIsGivenUpOnlyByItsName(t *testing.T) {
	w, lost := emptied(t)
	w.edit(func(u *v1alpha2.Unit) {
		metav1.SetMetaDataAnnotation(&u.ObjectMeta, v1alpha2.AnnotationReinit, "another")
	})
	w.live()
	w.wantPhase(v1alpha2.UnitFailed)
	if got := w.unit().Annotations[v1alpha2.AnnotationReinit]; got != "" {
		t.Errorf("a request for other data stays: %s", got)
	}
	w.said()
	w.edit(func(u *v1alpha2.Unit) { metav1.SetMetaDataAnnotation(&u.ObjectMeta, v1alpha2.AnnotationReinit, lost) })
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	w.wantNoCondition(v1alpha2.ConditionDataMissing)
	got := w.recorded()
	if got.SystemID == lost || got.SystemID == "" || got.DataGeneration != 1 {
		t.Errorf("the record says %+v", got)
	}
	if _, there := w.unit().Annotations[v1alpha2.AnnotationReinit]; there {
		t.Error("the request stays after it was carried out")
	}
	if said := w.said(); !slices.ContainsFunc(said, func(e string) bool {
		return strings.Contains(e, v1alpha2.ReasonDataGivenUp) && strings.Contains(e, lost)
	}) {
		t.Errorf("nothing is said of it: %v", said)
	}
	last := w.agents.Calls()[len(w.agents.Calls())-1]
	if last.Apply == nil || last.Apply.Expected == nil || last.Apply.Expected.SystemID != got.SystemID || last.Apply.GivenUpSystemID != "" {
		t.Errorf("the agent was told last: %+v", last.Apply)
	}
}

func TestDataOnAnEmptyDirIsMadeAnewWithItsPodUnlessAReplicationHasIt(t *testing.T) {
	w := newWorld(t, newUnit(onEmptyDir))
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	w.wantCondition(v1alpha2.ConditionDataOnEmptyDir, v1alpha2.ConditionDataOnEmptyDir)
	first := w.recorded().SystemID
	w.said()
	w.Erase(w.pod())
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	second := w.recorded()
	if second.SystemID == first || second.DataGeneration != 1 {
		t.Errorf("the record says %+v, was %s", second, first)
	}
	if said := w.said(); !slices.ContainsFunc(said, func(e string) bool {
		return strings.Contains(e, v1alpha2.ReasonDataGivenUp) && strings.Contains(e, first)
	}) {
		t.Errorf("nothing is said of it: %v", said)
	}
	// A restart of the operator is no restart of the pod.
	w.restart()
	w.live()
	if got := w.recorded(); got.SystemID != second.SystemID || got.DataGeneration != 1 {
		t.Errorf("the record says %+v", got)
	}

	replication := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: controllertest.Namespace}}
	replication.Spec.Source.Name = "orders-0"
	if err := w.mysqls.Set(replication); err != nil {
		t.Fatal(err)
	}
	w.live()
	// A member's pod goes by its kubelet: that its object is gone proves nothing.
	w.Delete(w.pod())
	w.live()
	w.wantPhase(v1alpha2.UnitFailed)
	w.wantCondition(v1alpha2.ConditionDataMissing, v1alpha2.ConditionDataMissing, "MysqlReplication orders provisions the unit anew")
	if got := w.recorded(); got.SystemID != second.SystemID {
		t.Errorf("a member's record is given up: %+v", got)
	}
}

// A crash at any write of the second pod's making: its agent is told that nothing
// is expected only after the status says so.
func TestTheRecordIsGivenUpBeforeTheAgentHearsOfIt(t *testing.T) {
	for n := 1; ; n++ {
		failed := false
		for _, after := range []bool{false, true} {
			w := newWorld(t, newUnit(onEmptyDir))
			w.live()
			first, pod := w.recorded().SystemID, w.pod().UID
			w.Erase(w.pod())
			w.Attempts, w.FailAt, w.FailAfter = 0, n, after
			w.agents.Fail(func(method string, target agentclient.Target) error {
				if method == "Apply" && target.PodUID != pod && w.recorded().SystemID == first {
					t.Errorf("write %d: the new pod's agent is told something while the record is still %s", n, first)
				}
				return nil
			})
			for range 40 {
				if _, err := w.sync(); err != nil {
					failed = true
					w.restart()
				}
				w.kubelet()
			}
			if got := w.recorded(); got.SystemID == first || got.DataGeneration != 1 {
				t.Errorf("write %d: the record says %+v", n, got)
			}
			w.wantPhase(v1alpha2.UnitReady)
		}
		if !failed {
			return
		}
	}
}

func TestAUnitIsDeletedAfterItsServerHasStopped(t *testing.T) {
	for name, tc := range map[string]struct {
		retention v1alpha2.ClaimRetention
		stays     bool
	}{
		"by default its claims stay":                {"", true},
		"retained claims stay":                      {v1alpha2.RetainClaims, true},
		"claims go with it where that is asked for": {v1alpha2.DeleteClaims, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newUnit(func(u *v1alpha2.Unit) {
				u.Spec.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenDeleted: tc.retention}
			}))
			w.live()
			claim := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data")
			if owned := len(claim.OwnerReferences) > 0; owned == tc.stays {
				t.Errorf("its owners are %v", claim.OwnerReferences)
			}
			if err := w.Upm.UpmV1alpha2().Units(controllertest.Namespace).Delete(t.Context(), "orders-0", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Written()
			w.settle()
			if w.pod().DeletionTimestamp == nil {
				t.Fatal("the pod is not stopped")
			}
			if c := w.condition(v1alpha2.ConditionReady); c.Reason != v1alpha2.ReasonDeleting {
				t.Errorf("Ready is %+v", c)
			}
			if _, there := controllertest.Get[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data"); !there {
				t.Fatal("the claim is gone before the server has stopped")
			}
			w.live()
			if _, there := controllertest.Get[*v1alpha2.Unit](w.APIServer, "orders-0"); there {
				t.Error("the Unit stays")
			}
			if _, there := controllertest.Get[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data"); there != tc.stays {
				t.Errorf("the claim is there: %t", there)
			}
			if got := deletions(w.Written()); len(got) > 0 && got[0] != "delete pods/orders-0" {
				t.Errorf("it does %v", got)
			}
		})
	}
}

func TestAKeptClaimIsUsedAgainAndNeverGoesWithAUnitThatKeepsIt(t *testing.T) {
	w := newWorld(t, newUnit(func(u *v1alpha2.Unit) {
		u.Spec.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenDeleted: v1alpha2.DeleteClaims}
	}))
	w.live()
	uid := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data").UID
	w.edit(func(u *v1alpha2.Unit) {
		u.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted = v1alpha2.RetainClaims
	})
	w.live()
	claim := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data")
	if len(claim.OwnerReferences) > 0 {
		t.Fatalf("garbage collection would take it: %v", claim.OwnerReferences)
	}
	if err := w.Upm.UpmV1alpha2().Units(controllertest.Namespace).Delete(t.Context(), "orders-0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.live()
	// Garbage collection.
	w.Erase(controllertest.Must[*corev1.Secret](w.APIServer, "orders-0-agent-tls"))
	w.Given(newUnit())
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	if got := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data").UID; got != uid {
		t.Errorf("claim %s, was %s", got, uid)
	}
}

// Somebody took our labels off a claim: its UID is in the record of the unit's data.
func TestAClaimWithoutItsLabelsIsKnownByItsUID(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	before := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data")
	controllertest.Edit(w.APIServer, before.Name, func(c *corev1.PersistentVolumeClaim) { c.Labels = nil })
	old := w.pod()
	w.Erase(old)
	w.replaced(old)
	w.wantNoCondition(v1alpha2.ConditionNameConflict)
	after := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, before.Name)
	if after.UID != before.UID || after.Labels[v1alpha2.LabelManaged] != "true" || after.Labels[v1alpha2.LabelUnit] != "orders-0" {
		t.Errorf("claim %s (was %s) with labels %v", after.UID, before.UID, after.Labels)
	}
	w.wantPhase(v1alpha2.UnitReady)
}

// Admission may put a mirror's name in the place of an image's.
func TestAnAgentFromAMirrorIsNotOutdated(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	controllertest.Edit(w.APIServer, "orders-0", func(p *corev1.Pod) {
		for i := range p.Spec.InitContainers {
			p.Spec.InitContainers[i].Image = "mirror.example.com/" + p.Spec.InitContainers[i].Image
		}
	})
	w.live()
	w.wantNoCondition(v1alpha2.ConditionAgentOutdated)
}
