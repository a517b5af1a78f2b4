// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	upmfake "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/fake"
	"github.com/upmio/unit-operator/pkg/packages"
)

const testNamespace = "ns"

var (
	errInjected = errors.New("the API server went away")
	errQuota    = errors.New("exceeded quota: pods, requested: pods=1, used: pods=3, limited: pods=3")
	errPolicy   = errors.New("violates PodSecurity \"restricted\"")
)

// world is a controller over fake clients that behave like an API server in what
// the controller relies on: UIDs, resourceVersions, generations, preconditions,
// finalizers and graceful deletion of pods. Informers see nothing before refresh;
// pods do nothing before kubelet.
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

	mysqls     *slim.Informer[*v1alpha1.MysqlReplication]
	postgreses *slim.Informer[*v1alpha1.PostgresReplication]
	nodes      *slim.Informer[*slim.Node]
	children   *slim.Informers
	packages   packageStore
	references *referenceMap
	clock      *testingclock.FakeClock
	events     *events.FakeRecorder
	agents     *fake.Agents
	ca         *agenttls.CA
	agentImage string

	controller *Controller
	key        cache.ObjectName
}

func newWorld(t *testing.T, unit *v1alpha2.Unit) *world {
	t.Helper()
	w := &world{
		t: t, kube: kubefake.NewClientset(), upm: upmfake.NewSimpleClientset(),
		mysqls:     slim.NewStatic(slim.MysqlMembers()),
		postgreses: slim.NewStatic(slim.PostgresMembers()),
		nodes:      slim.NewStatic[*slim.Node](nil),
		children: &slim.Informers{
			Units:      slim.NewStatic(slim.LabelIndexes[*slim.Unit]()),
			Pods:       slim.NewStatic(slim.LabelIndexes[*slim.Pod]()),
			Claims:     slim.NewStatic(slim.LabelIndexes[*slim.Claim]()),
			Secrets:    slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			ConfigMaps: slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
		},
		packages:   packageStore{},
		clock:      testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		events:     events.NewFakeRecorder(1000),
		agents:     fake.New(),
		agentImage: "unit-agent:1",
		key:        cache.MetaObjectToName(unit),
	}
	data, err := agenttls.NewCA(w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if w.ca, err = agenttls.LoadCA(data); err != nil {
		t.Fatal(err)
	}
	w.kube.PrependReactor("*", "*", w.react(w.kube.Tracker()))
	w.upm.PrependReactor("*", "*", w.react(w.upm.Tracker()))
	w.packages.install("mysql-8.4", "mysql", "mysql:$(VERSION)")
	w.node("n1", corev1.ConditionTrue)
	w.restart()
	w.given(unit)
	w.given(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "users", Namespace: testNamespace}, Data: map[string][]byte{"root": []byte("r")}})
	return w
}

// restart the operator: nothing that it kept in memory is left.
func (w *world) restart() {
	w.t.Helper()
	w.references = &referenceMap{seen: map[slim.Reference]slim.Seen{}}
	c, err := NewController(w.t.Context(), Config{
		Kube: w.kube, Upm: w.upm, MysqlReplications: w.mysqls, PostgresReplications: w.postgreses, Nodes: w.nodes,
		Children: w.children, Packages: w.packages, References: w.references, Recorder: w.events, Clock: w.clock,
		Agents: w.agents, CA: w.ca, AgentImage: w.agentImage,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.controller = c
}

func (w *world) node(name string, ready corev1.ConditionStatus) {
	w.t.Helper()
	if err := w.nodes.Set(&slim.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Ready: ready}); err != nil {
		w.t.Fatal(err)
	}
}

// tracked is where a resource is kept.
func (w *world) tracker(gvr schema.GroupVersionResource) clienttesting.ObjectTracker {
	if gvr.Group == v1alpha2.GroupName {
		return w.upm.Tracker()
	}
	return w.kube.Tracker()
}

var (
	unitsGVR      = v1alpha2.SchemeGroupVersion.WithResource("units")
	podsGVR       = corev1.SchemeGroupVersion.WithResource("pods")
	claimsGVR     = corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	configMapsGVR = corev1.SchemeGroupVersion.WithResource("configmaps")
	secretsGVR    = corev1.SchemeGroupVersion.WithResource("secrets")
	revisionsGVR  = appsv1.SchemeGroupVersion.WithResource("controllerrevisions")
)

func gvrOf(obj runtime.Object) schema.GroupVersionResource {
	switch obj.(type) {
	case *v1alpha2.Unit:
		return unitsGVR
	case *corev1.Pod:
		return podsGVR
	case *corev1.PersistentVolumeClaim:
		return claimsGVR
	case *corev1.ConfigMap:
		return configMapsGVR
	case *corev1.Secret:
		return secretsGVR
	case *appsv1.ControllerRevision:
		return revisionsGVR
	default:
		panic(fmt.Sprintf("no resource of %T", obj))
	}
}

// given puts an object into the API server as somebody else does.
func (w *world) given(obj runtime.Object) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	m := accessor(obj)
	w.bump(m)
	tracker, gvr := w.tracker(gvrOf(obj)), gvrOf(obj)
	err := tracker.Update(gvr, obj, m.GetNamespace(), metav1.UpdateOptions{FieldManager: "somebody"})
	if apierrors.IsNotFound(err) {
		m.SetUID(w.newUID())
		err = tracker.Create(gvr, obj, m.GetNamespace(), metav1.CreateOptions{FieldManager: "somebody"})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newUID() types.UID { w.uids++; return types.UID(fmt.Sprintf("uid-%d", w.uids)) }

func (w *world) bump(m metav1.Object) {
	w.version++
	m.SetResourceVersion(strconv.FormatInt(w.version, 10))
}

func accessor(obj runtime.Object) metav1.Object {
	m, err := meta.Accessor(obj)
	if err != nil {
		panic(err)
	}
	return m
}

// react is the API server's side of a write.
func (w *world) react(tracker clienttesting.ObjectTracker) clienttesting.ReactionFunc {
	base := clienttesting.ObjectReaction(tracker)
	return func(action clienttesting.Action) (bool, runtime.Object, error) {
		if v := action.GetVerb(); v == "get" || v == "list" || v == "watch" {
			return false, nil, nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		name, precondition := target(action)
		write := action.GetVerb() + " " + action.GetResource().Resource + "/" + name
		if sub := action.GetSubresource(); sub != "" {
			write += "/" + sub
		}
		w.attempts++
		fails := w.attempts == w.failAt
		if fails && !w.failAfter {
			return true, nil, errInjected
		}
		if w.refuse != nil {
			if err := w.refuse(write); err != nil {
				return true, nil, err
			}
		}
		obj, err := w.write(tracker, base, action, name, precondition)
		if err == nil {
			w.writes = append(w.writes, write)
		}
		if fails {
			return true, nil, errInjected
		}
		return true, obj, err
	}
}

// target of a write, and the UID that it asks for.
func target(action clienttesting.Action) (name string, uid types.UID) {
	switch a := action.(type) {
	case clienttesting.CreateActionImpl:
		return accessor(a.Object).GetName(), ""
	case clienttesting.UpdateActionImpl:
		return accessor(a.Object).GetName(), accessor(a.Object).GetUID()
	case clienttesting.DeleteActionImpl:
		if p := a.DeleteOptions.Preconditions; p != nil && p.UID != nil {
			uid = *p.UID
		}
		return a.Name, uid
	case clienttesting.PatchActionImpl:
		var body struct {
			Metadata struct{ UID types.UID }
		}
		// A JSON patch is a list, and tests the UID itself.
		_ = json.Unmarshal(a.Patch, &body)
		return a.Name, body.Metadata.UID
	default:
		panic(fmt.Sprintf("no target of %T", action))
	}
}

func (w *world) write(tracker clienttesting.ObjectTracker, base clienttesting.ReactionFunc, action clienttesting.Action, name string, uid types.UID) (runtime.Object, error) {
	gvr, ns := action.GetResource(), action.GetNamespace()
	before, err := tracker.Get(gvr, ns, name)
	if err == nil && uid != "" && accessor(before).GetUID() != uid {
		return nil, apierrors.NewConflict(gvr.GroupResource(), name, errors.New("the UID differs"))
	}
	if p, ok := action.(clienttesting.PatchActionImpl); ok && err == nil {
		var body struct {
			Metadata struct{ ResourceVersion string }
		}
		if json.Unmarshal(p.Patch, &body) == nil && body.Metadata.ResourceVersion != "" && body.Metadata.ResourceVersion != accessor(before).GetResourceVersion() {
			return nil, apierrors.NewConflict(gvr.GroupResource(), name, errors.New("the resourceVersion differs"))
		}
	}
	if err != nil && uid != "" {
		return nil, apierrors.NewNotFound(gvr.GroupResource(), name)
	}
	if action.GetVerb() == "delete" {
		if before == nil || err != nil {
			return nil, apierrors.NewNotFound(gvr.GroupResource(), name)
		}
		if pod, ok := before.(*corev1.Pod); ok && pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded && pod.Spec.NodeName != "" {
			pod.DeletionTimestamp = new(metav1.NewTime(w.clock.Now()))
			return w.store(tracker, gvr, pod)
		}
		if m := accessor(before); len(m.GetFinalizers()) > 0 {
			m.SetDeletionTimestamp(new(metav1.NewTime(w.clock.Now())))
			return w.store(tracker, gvr, before)
		}
		return nil, tracker.Delete(gvr, ns, name)
	}
	if create, ok := action.(clienttesting.CreateActionImpl); ok {
		create.Object = create.Object.DeepCopyObject()
		accessor(create.Object).SetUID(w.newUID())
		accessor(create.Object).SetCreationTimestamp(metav1.NewTime(w.clock.Now()))
		w.bump(accessor(create.Object))
		action = create
	}
	_, after, err := base(action)
	if err != nil || action.GetVerb() == "create" {
		return after, err
	}
	m := accessor(after)
	if before == nil || accessor(before).GetName() == "" {
		m.SetUID(w.newUID())
	} else if equality.Semantic.DeepEqual(before, after) {
		return after, nil
	}
	if u, ok := after.(*v1alpha2.Unit); ok && !equality.Semantic.DeepEqual(before.(*v1alpha2.Unit).Spec, u.Spec) {
		u.Generation++
	}
	if m.GetDeletionTimestamp() != nil && len(m.GetFinalizers()) == 0 {
		return after, tracker.Delete(gvr, ns, name)
	}
	return w.store(tracker, gvr, after)
}

func (w *world) store(tracker clienttesting.ObjectTracker, gvr schema.GroupVersionResource, obj runtime.Object) (runtime.Object, error) {
	w.bump(accessor(obj))
	return obj, tracker.Update(gvr, obj, accessor(obj).GetNamespace(), metav1.UpdateOptions{FieldManager: "apiserver"})
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

func (w *world) unit() *v1alpha2.Unit {
	w.t.Helper()
	return must[*v1alpha2.Unit](w, unitsGVR, w.key.Name)
}

func (w *world) pod() *corev1.Pod { w.t.Helper(); return must[*corev1.Pod](w, podsGVR, w.key.Name) }

// edit the Unit as a user does.
func (w *world) edit(f func(*v1alpha2.Unit)) {
	w.t.Helper()
	unit := w.unit()
	spec := unit.Spec.DeepCopy()
	f(unit)
	if !equality.Semantic.DeepEqual(spec, &unit.Spec) {
		unit.Generation++
	}
	w.given(unit)
}

// remove an object as somebody else does, at once.
func (w *world) remove(obj runtime.Object) {
	w.t.Helper()
	gvr := gvrOf(obj)
	if err := w.tracker(gvr).Delete(gvr, accessor(obj).GetNamespace(), accessor(obj).GetName()); err != nil {
		w.t.Fatal(err)
	}
}

// refresh shows informers what the API server has.
func (w *world) refresh() {
	w.t.Helper()
	w.refreshUnit()
	var pods []*slim.Pod
	for _, p := range all[*corev1.Pod](w, podsGVR, "Pod") {
		if p.Labels[v1alpha2.LabelManaged] == "true" {
			pods = append(pods, slim.FromPod(p))
		}
	}
	fill(w, w.children.Pods, pods)
	var claims []*slim.Claim
	for _, c := range all[*corev1.PersistentVolumeClaim](w, claimsGVR, "PersistentVolumeClaim") {
		if c.Labels[v1alpha2.LabelManaged] == "true" {
			claims = append(claims, slim.FromClaim(c))
		}
	}
	fill(w, w.children.Claims, claims)
	fill(w, w.children.Secrets, slimObjects(w, all[*corev1.Secret](w, secretsGVR, "Secret")))
	fill(w, w.children.ConfigMaps, slimObjects(w, all[*corev1.ConfigMap](w, configMapsGVR, "ConfigMap")))
}

// refreshUnit shows informers the Unit only.
func (w *world) refreshUnit() {
	var units []*slim.Unit
	for _, u := range all[*v1alpha2.Unit](w, unitsGVR, "Unit") {
		units = append(units, slim.FromUnit(u))
	}
	fill(w, w.children.Units, units)
}

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

// live lets kubelets and agents do their part too, until all is at rest.
func (w *world) live() {
	w.t.Helper()
	for range 20 {
		w.settle()
		if !w.kubelet() {
			return
		}
		// What waits for a moment is looked at again.
		w.clock.Step(time.Minute)
	}
	w.t.Fatal("the unit never comes to rest")
}

// kubelet does to pods what the cluster does, and tells whether there was anything
// to do. A server is ready if its agent says that it runs.
func (w *world) kubelet() (worked bool) {
	w.t.Helper()
	for _, claim := range all[*corev1.PersistentVolumeClaim](w, claimsGVR, "PersistentVolumeClaim") {
		if claim.Status.Phase == corev1.ClaimBound {
			continue
		}
		claim.Spec.VolumeName, claim.Status.Phase = "pv-"+claim.Name, corev1.ClaimBound
		claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]}
		w.given(claim)
		worked = true
	}
	for _, pod := range all[*corev1.Pod](w, podsGVR, "Pod") {
		old := pod.DeepCopy()
		if pod.DeletionTimestamp != nil {
			w.remove(pod)
			worked = true
			continue
		}
		if pod.Status.Phase == corev1.PodFailed {
			continue
		}
		if pod.Spec.NodeName == "" {
			pod.Spec.NodeName = "n1"
		}
		pod.Status.Phase, pod.Status.HostIP, pod.Status.PodIPs = corev1.PodRunning, "192.0.2.1", []corev1.PodIP{{IP: "10.0.0.1"}}
		running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: pod.CreationTimestamp}}
		pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "agent", State: running, Ready: true}}
		ready := corev1.ConditionFalse
		w.agents.With(pod.UID, func(a *fake.Agent) {
			if a.Status.State == agentclient.StateRunning {
				ready = corev1.ConditionTrue
			}
		})
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "mysql", State: running, Ready: ready == corev1.ConditionTrue}}
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
		if !equality.Semantic.DeepEqual(old, pod) {
			w.given(pod)
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
	return meta.FindStatusCondition(w.unit().Status.Conditions, conditionType)
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

// objects are all that there is, without what differs from run to run: UIDs,
// times, keys.
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
		m.SetCreationTimestamp(metav1.Time{})
		out[gvrOf(obj).Resource+"/"+m.GetName()] = obj
	}
	for _, o := range all[*v1alpha2.Unit](w, unitsGVR, "Unit") {
		o.Status.PodUID, o.Status.ConfigSyncStatus.PodUID, o.Status.ConfigSyncStatus.LastTransitionTime = "", "", nil
		if d := o.Status.DataIdentity; d != nil {
			d.SystemID, d.ClaimUIDs = "", nil
		}
		for i := range o.Status.Conditions {
			o.Status.Conditions[i].LastTransitionTime = metav1.Time{}
		}
		add(o)
	}
	for _, o := range all[*corev1.Pod](w, podsGVR, "Pod") {
		o.Status = corev1.PodStatus{}
		add(o)
	}
	for _, o := range all[*corev1.PersistentVolumeClaim](w, claimsGVR, "PersistentVolumeClaim") {
		add(o)
	}
	for _, o := range all[*corev1.Secret](w, secretsGVR, "Secret") {
		o.Data = nil
		delete(o.Annotations, annotationLeaf)
		add(o)
	}
	return out
}

// packageStore is a packages.Lister.
type packageStore map[string]runtime.Object

func (s packageStore) install(name, unitType, image string) {
	labels := map[string]string{packages.LabelPackage: "true", v1alpha2.LabelType: unitType}
	objectMeta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: "upm-system", Labels: labels}
	}
	s["configmap/"+name+packages.TemplateSuffix] = &corev1.ConfigMap{
		ObjectMeta: objectMeta(name + packages.TemplateSuffix), Data: map[string]string{unitType: "port = {{ .Port }}\n"},
	}
	s["configmap/"+name+packages.ValueSuffix] = &corev1.ConfigMap{
		ObjectMeta: objectMeta(name + packages.ValueSuffix), Data: map[string]string{unitType: "max_connections: 500\n"},
	}
	s["podtemplate/"+name] = &corev1.PodTemplate{
		ObjectMeta: objectMeta(name),
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: unitType, Image: image,
			Ports: []corev1.ContainerPort{{Name: unitType, ContainerPort: 3306}, {Name: "admin", ContainerPort: 33062}},
		}}}},
	}
}

func (s packageStore) uninstall(name string) { delete(s, "podtemplate/"+name) }

func (s packageStore) PodTemplate(name string) (*corev1.PodTemplate, error) {
	if o, ok := s["podtemplate/"+name]; ok {
		return o.(*corev1.PodTemplate), nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("podtemplates"), name)
}

func (s packageStore) ConfigMap(name string) (*corev1.ConfigMap, error) {
	if o, ok := s["configmap/"+name]; ok {
		return o.(*corev1.ConfigMap), nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("configmaps"), name)
}

func (s packageStore) PodTemplates() ([]*corev1.PodTemplate, error) {
	var out []*corev1.PodTemplate
	for _, o := range s {
		if p, ok := o.(*corev1.PodTemplate); ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// referenceMap is References without a watch.
type referenceMap struct {
	seen map[slim.Reference]slim.Seen
	refs []slim.Reference
}

func (r *referenceMap) Set(_ cache.ObjectName, refs []slim.Reference) { r.refs = refs }
func (r *referenceMap) Forget(cache.ObjectName)                       { r.refs = nil }
func (r *referenceMap) Learn(ref slim.Reference, seen slim.Seen)      { r.seen[ref] = seen }
func (r *referenceMap) Get(ref slim.Reference) (slim.Seen, bool) {
	seen, known := r.seen[ref]
	return seen, known
}

// forget is what the watch does when something changed.
func (r *referenceMap) changed() { clear(r.seen) }

// newUnit is a standalone one as users write them.
func newUnit(edits ...func(*v1alpha2.Unit)) *v1alpha2.Unit {
	unit := &v1alpha2.Unit{
		ObjectMeta: metav1.ObjectMeta{Name: "orders-0", Namespace: testNamespace, Generation: 1, Labels: map[string]string{"team": "shop"}},
		Spec: v1alpha2.UnitSpec{
			UnbindNode: new(true),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{
					Name: "mysql", Image: "mysql:8.4.6",
					Ports: []corev1.ContainerPort{{Name: "mysql", ContainerPort: 3306}},
					VolumeMounts: []corev1.VolumeMount{
						{Name: "data", MountPath: "/DATA_MOUNT"},
						{Name: "secret", MountPath: "/SECRET_MOUNT"},
					},
				}},
				Volumes: []corev1.Volume{
					{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "orders-0-data"}}},
					{Name: "secret", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "users"}}},
				},
			}},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
				ObjectMeta: metav1.ObjectMeta{Name: "data"},
				Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
					Resources: corev1.VolumeResourceRequirements{
						Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")},
					},
				},
			}},
		},
	}
	for _, edit := range edits {
		edit(unit)
	}
	return unit
}

// onEmptyDir has its data on a volume that dies with the pod.
func onEmptyDir(unit *v1alpha2.Unit) {
	unit.Spec.VolumeClaimTemplates = nil
	unit.Spec.Template.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
}
