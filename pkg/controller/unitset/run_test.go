// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/packages"
)

func TestHandlersWakeTheSetThatIsMeant(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	set := w.set()
	owned := func(uid string) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Namespace: controllertest.Namespace, Name: "child"}
		m.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, controllerKind)}
		if uid != "" {
			m.OwnerReferences[0].UID = "another"
		}
		return m
	}
	labelled := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: controllertest.Namespace, Name: "child", Labels: map[string]string{v1alpha2.LabelUnitSet: name}}
	}
	child := func(m metav1.ObjectMeta) func(*Controller) {
		return func(c *Controller) { c.enqueueOwner(&slim.Object{ObjectMeta: m}) }
	}
	replication := func(member string) func(*Controller) {
		return func(c *Controller) { c.enqueueMembers([]string{controllertest.Namespace + "/" + member}) }
	}
	for _, tc := range []struct {
		name string
		wake func(*Controller)
		want bool
	}{
		{"a child", child(owned("")), true},
		{"a child of an older set of that name", child(owned("another")), false},
		{"a foreign object with our label", child(labelled("orders")), true},
		{"an object of a set that is not there", child(labelled("others")), false},
		{"an object of nobody", child(metav1.ObjectMeta{}), false},
		{"a Replication of its unit", replication("orders-7"), true},
		{"a Replication of another's", replication("others-0"), false},
		{"a Replication of a unit without an ordinal", replication("orders"), false},
		{"a package", (*Controller).enqueueAll, true},
		{"a reference", func(c *Controller) { c.Enqueue(w.key) }, true},
	} {
		w.restart()
		tc.wake(w.controller)
		if got := w.controller.loop.Len() > 0; got != tc.want {
			t.Errorf("%s: wakes the set is %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestBothSidesOfAChangeAreHandledAndAResyncIsNot(t *testing.T) {
	var got []string
	h := slim.OnChange(func(u *slim.Unit) { got = append(got, u.ResourceVersion) })
	unit := func(version string) *slim.Unit {
		return &slim.Unit{ObjectMeta: metav1.ObjectMeta{Name: "u", ResourceVersion: version}}
	}
	h.OnAdd(unit("1"), false)
	h.OnUpdate(unit("1"), unit("1"))
	h.OnUpdate(unit("1"), unit("2"))
	h.OnDelete(cache.DeletedObject[*slim.Unit]{OptionalObj: unit("3")})
	h.OnDelete(cache.DeletedObject[*slim.Unit]{FinalStateUnknown: &cache.DeletedFinalStateUnknown{Key: "ns/u"}})
	if len(got) != 4 || got[0] != "1" || got[1] != "1" || got[2] != "2" || got[3] != "3" {
		t.Errorf("handled: %v", got)
	}
}

// The controller as the operator runs it: real informers, a queue, workers.
func TestTheControllerRunsOnInformers(t *testing.T) {
	w := newWorld(t, newSet(withServices))
	all := slim.AllNamespaces
	sets, err := slim.NewUnitSets(w.Upm, all)
	if err != nil {
		t.Fatal(err)
	}
	mysqls, err := slim.NewMysqlReplications(w.Upm, all)
	if err != nil {
		t.Fatal(err)
	}
	postgreses, err := slim.NewPostgresReplications(w.Upm, all)
	if err != nil {
		t.Fatal(err)
	}
	calls, err := slim.NewGrpcCalls(w.Upm, all)
	if err != nil {
		t.Fatal(err)
	}
	children, err := slim.NewInformers(w.Kube, w.Upm, all)
	if err != nil {
		t.Fatal(err)
	}
	factory := informers.NewSharedInformerFactory(w.Kube, 0)
	podTemplates, configMaps := factory.Core().V1().PodTemplates(), factory.Core().V1().ConfigMaps()
	c, err := NewController(t.Context(), Config{
		Kube: w.Kube, Upm: w.Upm, UnitSets: sets, MysqlReplications: mysqls, PostgresReplications: postgreses, Calls: calls, Children: children, Revisions: revision.NewReader(w.Kube, children),
		Packages:         packages.NewLister(podTemplates.Lister().PodTemplates("upm-system"), configMaps.Lister().ConfigMaps("upm-system")),
		PackageInformers: []cache.SharedInformer{podTemplates.Informer(), configMaps.Informer()}, References: w.references, Recorder: w.events,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var runs []func(context.Context)
	runs = append(runs, sets.Run, mysqls.Run, postgreses.Run, calls.Run, children.Run, podTemplates.Informer().RunWithContext, configMaps.Informer().RunWithContext)
	runs = append(runs, func(ctx context.Context) {
		if err := c.Run(ctx, 2); err != nil {
			t.Error(err)
		}
	})
	done := make(chan struct{}, len(runs))
	for _, run := range runs {
		go func() { run(ctx); done <- struct{}{} }()
	}
	defer func() {
		cancel()
		for range runs {
			<-done
		}
	}()
	eventually := func(what string, ok func() bool) {
		t.Helper()
		deadline := time.Now().Add(2 * time.Minute)
		for !ok() {
			if time.Now().After(deadline) {
				t.Fatalf("waited for %s; writes: %v", what, w.Written())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	hasUnits := func(n int) func() bool { return func() bool { return len(unitNames(w)) == n } }
	eventually("the condition", func() bool { return w.condition(v1alpha2.ConditionPackageNotFound) != nil })

	for _, object := range w.packages {
		if err := w.Kube.Tracker().Add(object); err != nil {
			t.Fatal(err)
		}
	}
	eventually("three units", hasUnits(3))
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(4)) })
	eventually("four units", hasUnits(4))
	eventually("Ready", func() bool {
		w.unitController()
		c := w.condition(v1alpha2.ConditionReady)
		return c != nil && c.Status == metav1.ConditionTrue
	})
	replication := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "r", Namespace: controllertest.Namespace, ResourceVersion: "1"}}
	replication.Spec.Source.Name = "orders-3"
	if err := w.Upm.Tracker().Add(replication); err != nil {
		t.Fatal(err)
	}
	eventually("the Replication to be seen", func() bool {
		return len(mysqls.ByIndex(slim.ByMember, controllertest.Namespace+"/orders-3")) == 1
	})
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(3)) })
	eventually("the member to be asked to leave", func() bool {
		return w.unit(3).Annotations[v1alpha2.AnnotationEvacuate] == v1alpha2.EvacuateRemove
	})
}
