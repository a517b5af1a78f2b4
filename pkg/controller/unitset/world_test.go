// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	upmfake "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/fake"
)

const testNamespace = "ns"

var errInjected = errors.New("the API server went away")

// world is a controller over fake clients that behave like an API server in what
// the controller relies on: UIDs, resourceVersions, preconditions and finalizers.
// Informers see nothing before refresh.
type world struct {
	t    *testing.T
	kube *kubefake.Clientset
	upm  *upmfake.Clientset

	mu      sync.Mutex
	version int64
	uids    int
	// writes that were made, as "verb resource/name".
	writes []string
	// attempts at writes; the one numbered failAt fails, after it took effect if
	// failAfter is set.
	attempts, failAt int
	failAfter        bool
	// refuse makes a write fail if it returns an error.
	refuse func(write string) error

	sets       *slim.Informer[*v1alpha2.UnitSet]
	mysqls     *slim.Informer[*v1alpha1.MysqlReplication]
	postgreses *slim.Informer[*v1alpha1.PostgresReplication]
	children   *slim.Informers
	packages   packageStore
	references *referenceMap
	clock      *testingclock.FakeClock
	events     *events.FakeRecorder

	controller *Controller
	key        cache.ObjectName
}

func newWorld(t *testing.T, set *v1alpha2.UnitSet) *world {
	t.Helper()
	w := &world{
		t: t, kube: kubefake.NewClientset(), upm: upmfake.NewSimpleClientset(),
		sets:       slim.NewStatic[*v1alpha2.UnitSet](nil),
		mysqls:     slim.NewStatic(slim.MysqlMembers()),
		postgreses: slim.NewStatic(slim.PostgresMembers()),
		children: &slim.Informers{
			Units:       slim.NewStatic(slim.LabelIndexes[*slim.Unit]()),
			Services:    slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			ConfigMaps:  slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			Revisions:   slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			Disruptions: slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
		},
		packages: packageStore{},
		clock:    testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		events:   events.NewFakeRecorder(1000),
		key:      cache.MetaObjectToName(set),
	}
	w.kube.PrependReactor("*", "*", w.react(w.kube.Tracker()))
	w.upm.PrependReactor("*", "*", w.react(w.upm.Tracker()))
	w.packages.install("mysql-8.4", "mysql", "mysql:$(VERSION)")
	w.restart()
	w.given(set)
	return w
}

// restart the operator: nothing that it kept in memory is left.
func (w *world) restart() {
	w.t.Helper()
	w.references = &referenceMap{seen: map[slim.Reference]slim.Seen{}}
	c, err := NewController(w.t.Context(), Config{
		Kube: w.kube, Upm: w.upm, UnitSets: w.sets, MysqlReplications: w.mysqls, PostgresReplications: w.postgreses,
		Children: w.children, Packages: w.packages, References: w.references, Recorder: w.events, Clock: w.clock,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.controller = c
}

// all that the API server has of a resource.
func all[T runtime.Object](w *world, gvr schema.GroupVersionResource, kind string) []T {
	w.t.Helper()
	l, err := w.tracker(gvr).List(gvr, gvr.GroupVersion().WithKind(kind), "")
	if err != nil {
		w.t.Fatal(err)
	}
	items, err := meta.ExtractList(l)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []T
	for _, item := range items {
		out = append(out, item.(T))
	}
	return out
}

func get[T runtime.Object](w *world, gvr schema.GroupVersionResource, name string) (T, bool) {
	obj, err := w.tracker(gvr).Get(gvr, testNamespace, name)
	if err != nil {
		var none T
		return none, false
	}
	return obj.(T), true
}

func must[T runtime.Object](w *world, gvr schema.GroupVersionResource, name string) T {
	w.t.Helper()
	obj, ok := get[T](w, gvr, name)
	if !ok {
		w.t.Fatalf("%s %s does not exist", gvr.Resource, name)
	}
	return obj
}

func (w *world) set() *v1alpha2.UnitSet { return must[*v1alpha2.UnitSet](w, unitSetsGVR, w.key.Name) }

func (w *world) unit(i int32) *v1alpha2.Unit {
	w.t.Helper()
	return must[*v1alpha2.Unit](w, unitsGVR, unitName(w.key.Name, i))
}

// edit the set as a user does.
func (w *world) edit(f func(*v1alpha2.UnitSet)) {
	w.t.Helper()
	set := w.set()
	spec := set.Spec.DeepCopy()
	f(set)
	if !equality.Semantic.DeepEqual(spec, &set.Spec) {
		set.Generation++
	}
	w.given(set)
}

// refresh shows informers what the API server has.
func (w *world) refresh() {
	w.t.Helper()
	w.refreshSet()
	var units []*slim.Unit
	for _, u := range all[*v1alpha2.Unit](w, unitsGVR, "Unit") {
		units = append(units, slim.FromUnit(u))
	}
	fill(w, w.children.Units, units)
	fill(w, w.children.Services, slimObjects(w, all[*corev1.Service](w, servicesGVR, "Service")))
	fill(w, w.children.ConfigMaps, slimObjects(w, all[*corev1.ConfigMap](w, configMapsGVR, "ConfigMap")))
	fill(w, w.children.Revisions, slimObjects(w, all[*appsv1.ControllerRevision](w, revisionsGVR, "ControllerRevision")))
	fill(w, w.children.Disruptions, slimObjects(w, all[*policyv1.PodDisruptionBudget](w, pdbsGVR, "PodDisruptionBudget")))
}

// refreshSet shows informers the sets only.
func (w *world) refreshSet() { fill(w, w.sets, all[*v1alpha2.UnitSet](w, unitSetsGVR, "UnitSet")) }

// slimObjects are those that the informers' label selector lets through.
func slimObjects[T metav1.Object](w *world, objs []T) []*slim.Object {
	w.t.Helper()
	var out []*slim.Object
	for _, obj := range objs {
		if obj.GetLabels()[v1alpha2.LabelManaged] != "true" {
			continue
		}
		o, err := slim.FromObject(obj)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}

func fill[T slim.Type](w *world, informer *slim.Informer[T], objs []T) {
	w.t.Helper()
	wanted := map[cache.ObjectName]bool{}
	for _, obj := range objs {
		wanted[cache.MetaObjectToName(obj)] = true
	}
	for _, obj := range informer.List() {
		if wanted[cache.MetaObjectToName(obj)] {
			continue
		}
		// The event of a deletion has a version of its own.
		last := obj.DeepCopyObject().(T)
		w.bump(last)
		if err := informer.Unset(last); err != nil {
			w.t.Fatal(err)
		}
	}
	versionOf := func(obj T) int64 { n, _ := strconv.ParseInt(obj.GetResourceVersion(), 10, 64); return n }
	slices.SortFunc(objs, func(a, b T) int { return cmp.Compare(versionOf(a), versionOf(b)) })
	for _, obj := range objs {
		if err := informer.Set(obj); err != nil {
			w.t.Fatal(err)
		}
	}
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
		before := w.attempts
		if _, err := w.sync(); err != nil {
			w.t.Fatal(err)
		}
		if w.attempts == before {
			return
		}
	}
	w.t.Fatalf("it never comes to rest; last writes: %v", w.writes[max(0, len(w.writes)-10):])
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
	for _, u := range all[*v1alpha2.Unit](w, unitsGVR, "Unit") {
		old := u.DeepCopy()
		if u.DeletionTimestamp != nil {
			if err := w.upm.Tracker().Delete(unitsGVR, u.Namespace, u.Name); err != nil {
				w.t.Fatal(err)
			}
			worked = true
			continue
		}
		u.Finalizers = []string{v1alpha2.FinalizerUnit}
		u.Status.Phase = v1alpha2.UnitReady
		u.Status.Revision = u.Annotations[v1alpha2.AnnotationRevision]
		u.Status.PersistentVolumeClaim = nil
		for _, c := range u.Spec.VolumeClaimTemplates {
			u.Status.PersistentVolumeClaim = append(u.Status.PersistentVolumeClaim, v1alpha2.PvcInfo{
				Name:     claimName(u.Name, c.Name),
				Capacity: v1alpha2.PvcCapacity{Storage: c.Spec.Resources.Requests[corev1.ResourceStorage]},
			})
		}
		if !equality.Semantic.DeepEqual(old, u) {
			w.given(u)
			worked = true
		}
	}
	return worked
}

// written are the writes since the last call.
func (w *world) written() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.writes
	w.writes = nil
	return out
}

// said are the events since the last call.
func (w *world) said() []string {
	var out []string
	for {
		select {
		case e := <-w.events.Events:
			out = append(out, e)
		default:
			return out
		}
	}
}

func (w *world) condition(conditionType string) *metav1.Condition {
	w.t.Helper()
	return meta.FindStatusCondition(w.set().Status.Conditions, conditionType)
}

// wantCondition that is True, for that reason, and says so.
func (w *world) wantCondition(conditionType, reason string, mentions ...string) {
	w.t.Helper()
	c := w.condition(conditionType)
	if c == nil || c.Status != metav1.ConditionTrue || c.Reason != reason {
		w.t.Fatalf("condition %s is %+v, want True for %s", conditionType, c, reason)
	}
	for _, m := range mentions {
		if !strings.Contains(c.Message, m) {
			w.t.Errorf("condition %s does not mention %q: %s", conditionType, m, c.Message)
		}
	}
}

func (w *world) wantNoCondition(conditionType string) {
	w.t.Helper()
	if c := w.condition(conditionType); c != nil {
		w.t.Errorf("condition %s is there: %+v", conditionType, c)
	}
}

// objects are all that there is, without what differs from run to run.
func (w *world) objects() map[string]any {
	w.t.Helper()
	out := map[string]any{}
	add := func(obj runtime.Object) {
		m := accessor(obj)
		m.SetManagedFields(nil)
		m.SetUID("")
		m.SetResourceVersion("")
		var refs []metav1.OwnerReference
		for _, ref := range m.GetOwnerReferences() {
			ref.UID = ""
			refs = append(refs, ref)
		}
		m.SetOwnerReferences(refs)
		out[gvrOf(obj).Resource+"/"+m.GetName()] = obj
	}
	for _, o := range all[*v1alpha2.UnitSet](w, unitSetsGVR, "UnitSet") {
		add(o)
	}
	for _, o := range all[*v1alpha2.Unit](w, unitsGVR, "Unit") {
		add(o)
	}
	for _, o := range all[*corev1.Service](w, servicesGVR, "Service") {
		add(o)
	}
	for _, o := range all[*corev1.ConfigMap](w, configMapsGVR, "ConfigMap") {
		add(o)
	}
	for _, o := range all[*appsv1.ControllerRevision](w, revisionsGVR, "ControllerRevision") {
		add(o)
	}
	for _, o := range all[*policyv1.PodDisruptionBudget](w, pdbsGVR, "PodDisruptionBudget") {
		add(o)
	}
	return out
}

func (w *world) names() []string { return slices.Sorted(maps.Keys(w.objects())) }

// newSet of three MySQL units with one storage.
func newSet(edits ...func(*v1alpha2.UnitSet)) *v1alpha2.UnitSet {
	set := &v1alpha2.UnitSet{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: testNamespace, Generation: 1},
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
