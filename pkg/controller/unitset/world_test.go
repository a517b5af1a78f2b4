// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"maps"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// world is a controller over fake clients that behave like an API server in what
// the controller relies on: UIDs, resourceVersions, preconditions and finalizers.
// Informers see nothing before refresh.
type world struct {
	*controllertest.APIServer
	t *testing.T

	sets       *slim.Informer[*v1alpha2.UnitSet]
	mysqls     *slim.Informer[*v1alpha1.MysqlReplication]
	postgreses *slim.Informer[*v1alpha1.PostgresReplication]
	calls      *slim.Informer[*v1alpha1.GrpcCall]
	children   *slim.Informers
	packages   controllertest.Packages
	references *controllertest.References
	clock      *testingclock.FakeClock
	events     *events.FakeRecorder

	controller *Controller
	key        cache.ObjectName
}

func newWorld(t *testing.T, set *v1alpha2.UnitSet) *world {
	t.Helper()
	w := &world{
		t:          t,
		sets:       slim.NewStatic[*v1alpha2.UnitSet](nil),
		mysqls:     slim.NewStatic(slim.MysqlMembers()),
		postgreses: slim.NewStatic(slim.PostgresMembers()),
		calls:      slim.NewStatic(slim.CallTargets()),
		children: &slim.Informers{
			Units:       slim.NewStatic(slim.LabelIndexes[*slim.Unit]()),
			Services:    slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			ConfigMaps:  slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			Revisions:   slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			Disruptions: slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
		},
		packages: controllertest.Packages{},
		clock:    testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		events:   events.NewFakeRecorder(1000),
		key:      cache.MetaObjectToName(set),
	}
	w.APIServer = controllertest.NewAPIServer(t, w.clock)
	w.packages.Install("mysql-8.4", "mysql", "mysql:$(VERSION)")
	w.restart()
	w.Given(set)
	return w
}

// restart the operator: nothing that it kept in memory is left.
func (w *world) restart() {
	w.t.Helper()
	w.references = controllertest.NewReferences()
	c, err := NewController(w.t.Context(), Config{
		Kube: w.Kube, Upm: w.Upm, UnitSets: w.sets, MysqlReplications: w.mysqls, PostgresReplications: w.postgreses, Calls: w.calls,
		Children: w.children, Revisions: revision.NewReader(w.Kube, w.children), Packages: w.packages, References: w.references, Recorder: w.events, Clock: w.clock,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.controller = c
}

func (w *world) set() *v1alpha2.UnitSet {
	return controllertest.Must[*v1alpha2.UnitSet](w.APIServer, w.key.Name)
}

func (w *world) unit(i int32) *v1alpha2.Unit {
	w.t.Helper()
	return controllertest.Must[*v1alpha2.Unit](w.APIServer, unitName(w.key.Name, i))
}

// edit the set as a user does.
func (w *world) edit(f func(*v1alpha2.UnitSet)) {
	w.t.Helper()
	controllertest.Edit(w.APIServer, w.key.Name, f)
}

// refresh shows informers what the API server has.
func (w *world) refresh() {
	w.t.Helper()
	w.refreshSet()
	var units []*slim.Unit
	for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		units = append(units, slim.FromUnit(u))
	}
	controllertest.Show(w.APIServer, w.children.Units, units)
	w.refreshReplications()
	controllertest.Show(w.APIServer, w.calls, controllertest.All[*v1alpha1.GrpcCall](w.APIServer))
	controllertest.Show(w.APIServer, w.children.Services, controllertest.SlimObjects(w.t, controllertest.All[*corev1.Service](w.APIServer)))
	controllertest.Show(w.APIServer, w.children.ConfigMaps, controllertest.SlimObjects(w.t, controllertest.All[*corev1.ConfigMap](w.APIServer)))
	controllertest.Show(w.APIServer, w.children.Revisions, controllertest.SlimObjects(w.t, controllertest.All[*appsv1.ControllerRevision](w.APIServer)))
	controllertest.Show(w.APIServer, w.children.Disruptions, controllertest.SlimObjects(w.t, controllertest.All[*policyv1.PodDisruptionBudget](w.APIServer)))
}

// refreshReplications shows informers the Replications.
func (w *world) refreshReplications() {
	controllertest.Show(w.APIServer, w.mysqls, controllertest.All[*v1alpha1.MysqlReplication](w.APIServer))
	controllertest.Show(w.APIServer, w.postgreses, controllertest.All[*v1alpha1.PostgresReplication](w.APIServer))
}

// refreshSet shows informers the sets only.
func (w *world) refreshSet() {
	controllertest.Show(w.APIServer, w.sets, controllertest.All[*v1alpha2.UnitSet](w.APIServer))
}

// sync once, on caches that are up to date.
func (w *world) sync() (time.Duration, error) {
	w.t.Helper()
	w.refresh()
	return w.controller.sync(w.t.Context(), w.key)
}

// settle syncs until nothing is written any more.
func (w *world) settle() {
	w.t.Helper()
	for range 20 {
		before := w.Attempts
		if _, err := w.sync(); err != nil {
			w.t.Fatal(err)
		}
		if w.Attempts == before {
			return
		}
	}
	w.t.Fatalf("it never comes to rest; last writes: %v", w.Writes[max(0, len(w.Writes)-10):])
}

// settleUnits lets the Unit controller's part happen too, until all is at rest.
func (w *world) settleUnits() {
	w.t.Helper()
	for range 20 {
		w.settle()
		if !w.unitController() {
			return
		}
	}
	w.t.Fatal("the units never come to rest")
}

// unitController does to Units what the Unit controller does, and tells whether
// there was anything to do.
func (w *world) unitController() (worked bool) {
	w.t.Helper()
	for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		old := u.DeepCopy()
		if u.DeletionTimestamp != nil {
			w.Erase(controllertest.Must[*v1alpha2.Unit](w.APIServer, u.Name))
			worked = true
			continue
		}
		u.Finalizers = []string{v1alpha2.FinalizerUnit}
		u.Status.Phase = v1alpha2.UnitReady
		u.Status.Revision = u.Annotations[v1alpha2.AnnotationRevision]
		u.Status.PersistentVolumeClaim = nil
		for _, c := range u.Spec.VolumeClaimTemplates {
			u.Status.PersistentVolumeClaim = append(u.Status.PersistentVolumeClaim, v1alpha2.PvcInfo{
				Name:     podspec.ClaimName(u.Name, c.Name),
				Capacity: v1alpha2.PvcCapacity{Storage: c.Spec.Resources.Requests[corev1.ResourceStorage]},
			})
		}
		if !equality.Semantic.DeepEqual(old, u) {
			w.Given(u)
			worked = true
		}
	}
	return worked
}

// said are the events since the last call.
func (w *world) said() []string { return controllertest.Said(w.events) }

func (w *world) condition(conditionType string) *metav1.Condition {
	w.t.Helper()
	return meta.FindStatusCondition(w.set().Status.Conditions, conditionType)
}

// wantCondition that is True, for that reason, and says so.
func (w *world) wantCondition(conditionType, reason string, mentions ...string) {
	w.t.Helper()
	controllertest.WantCondition(w.t, w.set().Status.Conditions, conditionType, reason, mentions...)
}

func (w *world) wantNoCondition(conditionType string) {
	w.t.Helper()
	controllertest.WantNoCondition(w.t, w.set().Status.Conditions, conditionType)
}

// objects are all that there is, without what differs from run to run.
func (w *world) objects() map[string]any {
	w.t.Helper()
	out := map[string]any{}
	add := func(obj runtime.Object) {
		controllertest.Anonymous(obj)
		out[controllertest.Resource(obj)+"/"+obj.(metav1.Object).GetName()] = obj
	}
	for _, o := range controllertest.All[*v1alpha2.UnitSet](w.APIServer) {
		add(o)
	}
	for _, o := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		add(o)
	}
	for _, o := range controllertest.All[*corev1.Service](w.APIServer) {
		add(o)
	}
	for _, o := range controllertest.All[*corev1.ConfigMap](w.APIServer) {
		add(o)
	}
	for _, o := range controllertest.All[*appsv1.ControllerRevision](w.APIServer) {
		add(o)
	}
	for _, o := range controllertest.All[*policyv1.PodDisruptionBudget](w.APIServer) {
		add(o)
	}
	return out
}

func (w *world) names() []string { return slices.Sorted(maps.Keys(w.objects())) }

// newSet of three MySQL units with one storage.
func newSet(edits ...func(*v1alpha2.UnitSet)) *v1alpha2.UnitSet {
	set := &v1alpha2.UnitSet{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: controllertest.Namespace, Generation: 1},
		Spec: v1alpha2.UnitSetSpec{
			Type: v1alpha2.UnitTypeMySQL, Version: "8.4.6", Units: new(int32(3)),
			Storages: []v1alpha2.StorageSpec{{Name: "data", MountPath: "/DATA_MOUNT", Size: "10Gi"}},
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi"),
			}},
		},
	}
	for _, edit := range edits {
		edit(set)
	}
	return set
}
