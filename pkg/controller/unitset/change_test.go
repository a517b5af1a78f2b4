// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func TestLabelsAndAnnotationsFollowInPlaceAndChangeNoTemplate(t *testing.T) {
	w := newWorld(t, newSet(withServices, func(set *v1alpha2.UnitSet) { set.Labels = map[string]string{"team": "a", "gone": "soon"} }))
	w.settleUnits()
	before, revision := w.unit(0), w.set().Status.UpdateRevision
	// A label that the user put on the Unit stays.
	u := w.unit(1)
	u.Labels["mine"] = "too"
	w.Given(u)
	w.edit(func(set *v1alpha2.UnitSet) {
		set.Labels = map[string]string{"team": "b"}
		set.Annotations = map[string]string{v1alpha2.AnnotationBackupEnabled: "false", v1alpha2.AnnotationMonitoringEnabled: "false"}
	})
	w.settleUnits()
	after := w.unit(0)
	if _, there := after.Labels["gone"]; there || after.Labels["team"] != "b" || after.Annotations[v1alpha2.AnnotationBackupEnabled] != "false" {
		t.Errorf("labels %v, annotations %v", after.Labels, after.Annotations)
	}
	if w.unit(1).Labels["mine"] != "too" {
		t.Error("a label of the user's is gone")
	}
	if d := cmp.Diff(before.Spec, after.Spec); d != "" {
		t.Errorf("the unit's spec: -before +after:\n%s", d)
	}
	if slim.TemplateHash(&before.Spec.Template) != slim.TemplateHash(&after.Spec.Template) || before.UID != after.UID {
		t.Error("the pod would be made anew")
	}
	if got := w.set().Status.UpdateRevision; got != revision || len(controllertest.All[*corev1.Service](w.APIServer)) != 5 {
		t.Errorf("revision %s became %s", revision, got)
	}
	svc := controllertest.Must[*corev1.Service](w.APIServer, "orders-headless-svc")
	if _, there := svc.Labels["gone"]; there || svc.Labels["team"] != "b" {
		t.Errorf("labels of the Service: %v", svc.Labels)
	}
	if slices.ContainsFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == metricsPortName }) {
		t.Error("metrics are published although monitoring is off")
	}
	if c := w.condition(v1alpha2.ConditionUpdatePending); c != nil {
		t.Errorf("an update is pending: %s", c.Message)
	}
}

func TestAnEditedPackageCutsNoRevisionUntilItIsAdopted(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	revision := w.set().Status.UpdateRevision
	w.packages.Install("mysql-8.4", "mysql", "mirror/mysql:$(VERSION)")
	w.settleUnits()
	status := w.set().Status
	if status.UpdateRevision != revision || status.AvailableRevision == "" {
		t.Fatalf("revision %s, available %q", status.UpdateRevision, status.AvailableRevision)
	}
	w.wantCondition(v1alpha2.ConditionRevisionAvailable, v1alpha2.ConditionRevisionAvailable, status.AvailableRevision)
	// A unit that is lost is made again from what is pinned.
	w.Erase(controllertest.Must[*v1alpha2.Unit](w.APIServer, "orders-1"))
	w.settleUnits()
	if got := w.unit(1).Spec.Template.Spec.Containers[0].Image; got != "mysql:8.4.6" {
		t.Errorf("image %s", got)
	}
	w.edit(func(set *v1alpha2.UnitSet) {
		set.Annotations = map[string]string{v1alpha2.AnnotationAdoptRevision: status.AvailableRevision}
	})
	w.settleUnits()
	if got := w.set().Status; got.UpdateRevision == revision || got.AvailableRevision != "" || got.CurrentRevision != revision {
		t.Errorf("after the adoption: %+v", got)
	}
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ReasonNotRolledOut, "orders-0, orders-1, orders-2")
	if got := w.set().Status.UnitImageSynced; got != v1alpha2.NotSynced {
		t.Errorf("unitImageSynced is %s", got)
	}
}

func TestASpecThatGoesBackUsesItsOldRevisionAgain(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	revision := w.set().Status.UpdateRevision
	env := func(value string) func(*v1alpha2.UnitSet) {
		return func(set *v1alpha2.UnitSet) {
			set.Spec.Env = nil
			if value != "" {
				set.Spec.Env = []corev1.EnvVar{{Name: "A", Value: value}}
			}
		}
	}
	w.edit(env("1"))
	w.settleUnits()
	if got := w.set().Status.UpdateRevision; got == revision {
		t.Fatal("another env is no other revision")
	}
	w.edit(env(""))
	w.settleUnits()
	if got := w.set().Status.UpdateRevision; got != revision {
		t.Errorf("back at the first spec the revision is %s, was %s", got, revision)
	}
	w.wantNoCondition(v1alpha2.ConditionUpdatePending)
}

func TestHistoryIsBounded(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	used := w.unit(0).Annotations[v1alpha2.AnnotationRevision]
	for i := range 15 {
		w.edit(func(set *v1alpha2.UnitSet) {
			set.Spec.Env = []corev1.EnvVar{{Name: "N", Value: strings.Repeat("x", i+1)}}
		})
		w.settleUnits()
	}
	var revisions []string
	for _, name := range w.names() {
		if r, ok := strings.CutPrefix(name, "controllerrevisions/"); ok {
			revisions = append(revisions, r)
		}
	}
	if len(revisions) != revisionHistoryLimit+2 || !slices.Contains(revisions, used) || !slices.Contains(revisions, w.set().Status.UpdateRevision) {
		t.Errorf("%d revisions are kept: %v", len(revisions), revisions)
	}
}

func TestEditsOfOurObjectsAreHealedAndThoseOfTheUsersAreNot(t *testing.T) {
	w := newWorld(t, newSet(withServices))
	w.settleUnits()
	want := w.objects()

	svc := controllertest.Must[*corev1.Service](w.APIServer, "orders-svc")
	svc.Spec.Ports[0].Port, svc.Spec.Selector["extra"] = 1, "label"
	svc.Labels[v1alpha2.LabelType] = "postgresql"
	w.Given(svc)
	template := controllertest.Must[*corev1.ConfigMap](w.APIServer, "orders-config-template")
	template.Data["mysql"], template.Data["other"] = "edited", "key"
	w.Given(template)
	budget := controllertest.Must[*policyv1.PodDisruptionBudget](w.APIServer, "orders")
	budget.Spec.MinAvailable.IntVal = 0
	w.Given(budget)
	w.Erase(controllertest.Must[*corev1.Service](w.APIServer, "orders-headless-svc"))
	w.Erase(controllertest.Must[*corev1.ConfigMap](w.APIServer, "orders-1-config-value"))
	u := w.unit(2)
	u.Spec.UpdatePolicy = v1alpha2.UpdatePolicyOnDelete
	delete(u.Labels, v1alpha2.LabelUnitSet)
	w.Given(u)
	w.settleUnits()
	got := w.objects()
	healed := got["services/orders-svc"].(*corev1.Service)
	if _, extra := healed.Spec.Selector["extra"]; extra {
		t.Errorf("the selector is %v", healed.Spec.Selector)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}

	value := controllertest.Must[*corev1.ConfigMap](w.APIServer, "orders-0-config-value")
	value.Data["mysql"] = "max_connections: 7\n"
	w.Given(value)
	u = w.unit(0)
	u.Spec.Startup, u.Spec.UnbindNode = new(false), new(false)
	w.Given(u)
	w.Written()
	w.settleUnits()
	// The budget no longer counts on a unit that its user has stopped.
	if d := cmp.Diff([]string{"patch poddisruptionbudgets/orders"}, w.Written()); d != "" {
		t.Errorf("what is the user's is written: -want +got:\n%s", d)
	}
}

// What a set wrote into a Unit decides what its next pod is: an edit of it would be in force
// while the set says that all is as asked.
func TestAUnitOfASetThatSomebodyEditsIsAsItsRevisionSaysAgain(t *testing.T) {
	for name, edit := range map[string]func(*v1alpha2.Unit){
		"image":         func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Image = "other:1" },
		"environment":   func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Env = nil },
		"node selector": func(u *v1alpha2.Unit) { u.Spec.Template.Spec.NodeSelector = map[string]string{"a": "b"} },
		"templates":     func(u *v1alpha2.Unit) { u.Spec.ConfigTemplateName = "mine" },
		"values":        func(u *v1alpha2.Unit) { u.Spec.ConfigValueName = "mine" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newSet())
			w.settleUnits()
			want := w.unit(1)
			controllertest.Edit(w.APIServer, "orders-1", edit)
			w.Written()
			w.settleUnits()
			if d := cmp.Diff(want.Spec, w.unit(1).Spec); d != "" {
				t.Errorf("-before +after:\n%s", d)
			}
			if d := cmp.Diff([]string{"update units/orders-1"}, w.Written()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// Its resources went with it, and are the revision's again.
func TestAUnitThatLostItsDatabaseContainerIsHealedWhole(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	want := w.unit(1)
	controllertest.Edit(w.APIServer, "orders-1", func(u *v1alpha2.Unit) {
		u.Spec.Template.Spec.Containers[0] = corev1.Container{Name: "other"}
	})
	w.settleUnits()
	if d := cmp.Diff(want.Spec, w.unit(1).Spec); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
}

// A pin that cannot be read is none that was taken away.
func TestNoUnitIsHealedWhileTheMapOfNodesCannotBeRead(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	controllertest.Edit(w.APIServer, "orders", func(s *v1alpha2.UnitSet) {
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, v1alpha2.AnnotationNodeNameMap, "{")
	})
	controllertest.Edit(w.APIServer, "orders-1", func(u *v1alpha2.Unit) { u.Spec.ConfigValueName = "mine" })
	w.Written()
	w.settleUnits()
	if slices.Contains(w.Written(), "update units/orders-1") {
		t.Error("it was healed")
	}
}

// Cpu and memory that a set does not roll out yet are no edit, nor is a Unit that an older
// operator made.
func TestWhatASetDoesNotRecordOfAUnitIsNotHealed(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	controllertest.Edit(w.APIServer, "orders-0", func(u *v1alpha2.Unit) {
		delete(u.Annotations, annotationMade)
		u.Spec.Template.Spec.Containers[0].Image = "older:1"
	})
	controllertest.Edit(w.APIServer, "orders-1", func(u *v1alpha2.Unit) {
		u.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("7")}
	})
	w.Written()
	w.settleUnits()
	if d := cmp.Diff([]string{"patch unitsets/orders/status"}, w.Written()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestResourcesAndSizesThatDifferAreNotSynced(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	w.edit(func(set *v1alpha2.UnitSet) {
		set.Spec.Resources.Limits[corev1.ResourceMemory] = resource.MustParse("2Gi")
		set.Spec.Storages[0].Size = "20Gi"
	})
	w.settleUnits()
	status := w.set().Status
	if status.UnitResourceSynced != v1alpha2.NotSynced || status.UnitPVCSynced != v1alpha2.NotSynced || status.UnitImageSynced != v1alpha2.Synced {
		t.Errorf("resources %s, claims %s, image %s", status.UnitResourceSynced, status.UnitPVCSynced, status.UnitImageSynced)
	}
	w.wantCondition(v1alpha2.ConditionResizePending, v1alpha2.ReasonNotRolledOut, "orders-0")
	w.wantCondition(v1alpha2.ConditionExpansionPending, v1alpha2.ReasonNotRolledOut, "orders-0-data")
	w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
}
