// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	upmfake "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/fake"
)

const testNamespace = "ns"

var (
	errInjected = errors.New("the API server went away")
	callsGVR    = v1alpha1.SchemeGroupVersion.WithResource("grpccalls")
	secretsGVR  = corev1.SchemeGroupVersion.WithResource("secrets")
)

// world is a controller over fake clients that behave like an API server in what it
// relies on: UIDs, resourceVersions, preconditions and finalizers. Informers see
// nothing before refresh. Agents do nothing by themselves.
type world struct {
	t    *testing.T
	kube *kubefake.Clientset
	upm  *upmfake.Clientset

	version int64
	uids    int
	writes  []string
	// attempts at writes; the one numbered failAt fails, after it took effect if
	// failAfter is set. crashed says that it has.
	attempts, failAt int
	failAfter        bool

	calls      *slim.Informer[*v1alpha1.GrpcCall]
	units      *slim.Informer[*slim.Unit]
	pods       *slim.Informer[*slim.Pod]
	mysqls     *slim.Informer[*v1alpha1.MysqlReplication]
	postgreses *slim.Informer[*v1alpha1.PostgresReplication]
	clock      *testingclock.FakeClock
	events     *events.FakeRecorder
	agents     *fake.Agents
	heard      []string

	controller *Controller
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, kube: kubefake.NewClientset(), upm: upmfake.NewSimpleClientset(),
		calls:      slim.NewStatic(slim.CallTargets()),
		units:      slim.NewStatic(slim.LabelIndexes[*slim.Unit]()),
		pods:       slim.NewStatic(slim.LabelIndexes[*slim.Pod]()),
		mysqls:     slim.NewStatic(slim.MysqlMembers()),
		postgreses: slim.NewStatic(slim.PostgresMembers()),
		clock:      testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		events:     events.NewFakeRecorder(1000),
		agents:     fake.New(),
	}
	w.kube.PrependReactor("*", "*", w.react(w.kube.Tracker()))
	w.upm.PrependReactor("*", "*", w.react(w.upm.Tracker()))
	w.unit("orders-0")
	w.pod("orders-0", "pod-1")
	w.secret("backup-storage", map[string]string{"accessKey": "AKIA-access", "secretKey": "very-secret-key", "endpoint": "https://s3:9000\n"})
	w.restart()
	return w
}

// restart the operator: nothing that it kept in memory is left.
func (w *world) restart() {
	w.t.Helper()
	c, err := NewController(w.t.Context(), Config{
		Kube: w.kube, Upm: w.upm, Calls: w.calls, Units: w.units, Pods: w.pods,
		MysqlReplications: w.mysqls, PostgresReplications: w.postgreses,
		Agents: w.agents, Recorder: w.events, Clock: w.clock,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.controller = c
}

func set[T slim.Type](w *world, informer *slim.Informer[T], obj T) {
	w.t.Helper()
	w.bump(obj)
	if err := informer.Set(obj); err != nil {
		w.t.Fatal(err)
	}
}

func unset[T slim.Type](w *world, informer *slim.Informer[T], name string) {
	w.t.Helper()
	obj, ok := informer.Get(cache.NewObjectName(testNamespace, name))
	if !ok {
		return
	}
	last := obj.DeepCopyObject().(T)
	w.bump(last)
	if err := informer.Unset(last); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) unit(name string, edits ...func(*slim.Unit)) {
	u := &slim.Unit{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: testNamespace, UID: types.UID("unit-" + name), Generation: 3,
			Labels: map[string]string{v1alpha2.LabelUnitSet: "orders"}},
		Type: v1alpha2.UnitTypeMySQL, Startup: true,
	}
	for _, edit := range edits {
		edit(u)
	}
	set(w, w.units, u)
}

func (w *world) pod(name, uid string, edits ...func(*slim.Pod)) {
	owner := &slim.Unit{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: testNamespace, UID: types.UID("unit-" + name)}}
	p := &slim.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: testNamespace, UID: types.UID(uid),
			OwnerReferences: []metav1.OwnerReference{*ownerref.New(owner, v1alpha2.SchemeGroupVersion.WithKind("Unit"))}},
		Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}},
		InitContainers: []slim.Container{{Name: "agent", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
	}
	for _, edit := range edits {
		edit(p)
	}
	set(w, w.pods, p)
}

func (w *world) secret(name string, data map[string]string) {
	w.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: testNamespace}, Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	if err := w.kube.Tracker().Create(secretsGVR, s, testNamespace); err != nil {
		w.t.Fatal(err)
	}
}

// newCall is a backup as the document has it.
func newCall(name string, edits ...func(*v1alpha1.GrpcCall)) *v1alpha1.GrpcCall {
	call := &v1alpha1.GrpcCall{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: testNamespace, Generation: 1},
		Spec: v1alpha1.GrpcCallSpec{
			TargetUnit: "orders-0", Type: "mysql", Action: v1alpha1.ActionLogicalBackup,
			TTLSecondsAfterFinished: new(int32(600)),
			Parameters:              parameters(`{"backupType":"full","compression":"gzip","destination":"s3://backups/mysql/"}`),
		},
	}
	for _, edit := range edits {
		edit(call)
	}
	return call
}

func parameters(text string) map[string]v1alpha1.JSON {
	out := map[string]v1alpha1.JSON{}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		panic(err)
	}
	return out
}

func clone(parameter string) func(*v1alpha1.GrpcCall) {
	return func(c *v1alpha1.GrpcCall) {
		c.Spec.Action = v1alpha1.ActionClone
		c.Spec.Parameters = parameters(`{"sourceHost":"h","sourceUser":"u",` + parameter + `}`)
	}
}

// given creates a call as a user does.
func (w *world) given(call *v1alpha1.GrpcCall) {
	w.t.Helper()
	w.uids++
	call.UID = types.UID(fmt.Sprintf("call-%s-%d", call.Name, w.uids))
	call.CreationTimestamp = metav1.NewTime(w.clock.Now())
	w.bump(call)
	if err := w.upm.Tracker().Create(callsGVR, call, testNamespace); err != nil {
		w.t.Fatal(err)
	}
}

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
		w.attempts++
		fails := w.attempts == w.failAt
		if fails && !w.failAfter {
			return true, nil, errInjected
		}
		obj, err := w.write(tracker, base, action)
		if fails {
			return true, nil, errInjected
		}
		return true, obj, err
	}
}

func (w *world) write(tracker clienttesting.ObjectTracker, base clienttesting.ReactionFunc, action clienttesting.Action) (runtime.Object, error) {
	gvr := action.GetResource()
	log := func(name string) {
		write := action.GetVerb() + " " + gvr.Resource + "/" + name
		if sub := action.GetSubresource(); sub != "" {
			write += "/" + sub
		}
		w.writes = append(w.writes, write)
	}
	switch a := action.(type) {
	case clienttesting.CreateActionImpl:
		log(accessor(a.Object).GetName())
		w.bump(accessor(a.Object))
		_, obj, err := base(a)
		return obj, err
	case clienttesting.DeleteActionImpl:
		before, err := tracker.Get(gvr, testNamespace, a.Name)
		if err != nil {
			return nil, err
		}
		if p := a.DeleteOptions.Preconditions; p == nil || p.UID == nil || *p.UID != accessor(before).GetUID() {
			return nil, apierrors.NewConflict(gvr.GroupResource(), a.Name, errors.New("the UID differs"))
		}
		log(a.Name)
		return nil, w.erase(before.(*v1alpha1.GrpcCall))
	case clienttesting.PatchActionImpl:
		before, err := tracker.Get(gvr, testNamespace, a.Name)
		if err != nil {
			return nil, err
		}
		var body struct {
			Metadata struct {
				UID             types.UID
				ResourceVersion string
			}
		}
		if err := json.Unmarshal(a.Patch, &body); err != nil {
			return nil, err
		}
		if m := accessor(before); m.GetUID() != body.Metadata.UID || m.GetResourceVersion() != body.Metadata.ResourceVersion {
			return nil, apierrors.NewConflict(gvr.GroupResource(), a.Name, errors.New("it was changed"))
		}
		log(a.Name)
		_, after, err := base(a)
		if err != nil || equality.Semantic.DeepEqual(before, after) {
			return after, err
		}
		if m := accessor(after); m.GetDeletionTimestamp() != nil && len(m.GetFinalizers()) == 0 {
			return after, tracker.Delete(gvr, testNamespace, a.Name)
		}
		w.bump(accessor(after))
		return after, tracker.Update(gvr, after, testNamespace)
	}
	return nil, fmt.Errorf("no %T was expected", action)
}

// erase a call: at once, or marked if there are finalizers.
func (w *world) erase(call *v1alpha1.GrpcCall) error {
	if len(call.Finalizers) == 0 {
		return w.upm.Tracker().Delete(callsGVR, testNamespace, call.Name)
	}
	call.DeletionTimestamp = new(metav1.NewTime(w.clock.Now()))
	w.bump(call)
	return w.upm.Tracker().Update(callsGVR, call, testNamespace)
}

// remove a call as a user does.
func (w *world) remove(name string) {
	w.t.Helper()
	if err := w.erase(w.call(name)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) lookup(name string) (*v1alpha1.GrpcCall, bool) {
	obj, err := w.upm.Tracker().Get(callsGVR, testNamespace, name)
	if err != nil {
		return nil, false
	}
	return obj.(*v1alpha1.GrpcCall), true
}

func (w *world) call(name string) *v1alpha1.GrpcCall {
	w.t.Helper()
	call, ok := w.lookup(name)
	if !ok {
		w.t.Fatalf("GrpcCall %s does not exist", name)
	}
	return call
}

func (w *world) all() []*v1alpha1.GrpcCall {
	l, err := w.upm.Tracker().List(callsGVR, v1alpha1.SchemeGroupVersion.WithKind("GrpcCall"), testNamespace)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []*v1alpha1.GrpcCall
	for i := range l.(*v1alpha1.GrpcCallList).Items {
		out = append(out, &l.(*v1alpha1.GrpcCallList).Items[i])
	}
	return out
}

// refresh shows informers what the API server has.
func (w *world) refresh() {
	w.t.Helper()
	there := map[string]bool{}
	// A store knows the version it saw last: in the order of versions.
	byVersion := func(a, b *v1alpha1.GrpcCall) int {
		va, _ := strconv.Atoi(a.ResourceVersion)
		vb, _ := strconv.Atoi(b.ResourceVersion)
		return va - vb
	}
	for _, call := range slices.SortedFunc(slices.Values(w.all()), byVersion) {
		there[call.Name] = true
		if err := w.calls.Set(call); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, call := range w.calls.List() {
		if !there[call.Name] {
			unset(w, w.calls, call.Name)
		}
	}
}

// sync one call on caches that are up to date.
func (w *world) sync(name string) (time.Duration, error) {
	w.t.Helper()
	w.refresh()
	return w.controller.sync(w.t.Context(), cache.NewObjectName(testNamespace, name))
}

// settle syncs all calls, as often as it takes until nothing is written any more.
// It gives when the first of them wants to be looked at again.
func (w *world) settle() (again time.Duration) {
	w.t.Helper()
	for range 30 {
		before := w.attempts
		again = 0
		for _, call := range w.all() {
			after, err := w.sync(call.Name)
			if err != nil {
				w.t.Fatal(err)
			}
			if after > 0 && (again == 0 || after < again) {
				again = after
			}
		}
		if w.attempts == before {
			return again
		}
	}
	w.t.Fatalf("it never comes to rest; last writes: %v", w.writes[max(0, len(w.writes)-10):])
	return 0
}

// operation of a call in the agent of a pod; nil if there is none.
func (w *world) operation(pod string, call types.UID) *fake.Operation {
	var out *fake.Operation
	w.agents.With(types.UID(pod), func(a *fake.Agent) {
		if op := a.Operations[string(call)]; op != nil {
			o := *op
			out = &o
		}
	})
	return out
}

func (w *world) succeed(pod string, call types.UID) {
	w.agents.With(types.UID(pod), func(a *fake.Agent) {
		a.Finish(string(call), agentclient.OperationSucceeded, "", "backed up 3 databases", map[string]string{"location": "s3://backups/mysql/b"})
	})
}

// said are the events since the last call.
func (w *world) said() []string {
	var out []string
	for {
		select {
		case e := <-w.events.Events:
			out = append(out, e)
			w.heard = append(w.heard, e)
		default:
			return out
		}
	}
}

func (w *world) methods() []string {
	var out []string
	for _, c := range w.agents.Calls() {
		out = append(out, c.Method)
	}
	return out
}

// wantFailed with that reason.
func (w *world) wantFailed(name, reason string, mentions ...string) {
	w.t.Helper()
	s := w.call(name).Status
	complete := meta.FindStatusCondition(s.Conditions, ConditionComplete)
	if s.Result != v1alpha1.ResultFailed || s.Phase != v1alpha1.GrpcCallFinished || s.CompletionTime == nil || complete == nil || complete.Reason != reason {
		w.t.Fatalf("status %+v, want Failed for %s", s, reason)
	}
	for _, m := range mentions {
		if !strings.Contains(s.Message, m) {
			w.t.Errorf("the message does not mention %q: %s", m, s.Message)
		}
	}
}

func (w *world) wantSuccess(name string) {
	w.t.Helper()
	if s := w.call(name).Status; s.Result != v1alpha1.ResultSuccess || s.Phase != v1alpha1.GrpcCallFinished || s.CompletionTime == nil {
		w.t.Fatalf("status %+v, want Success", s)
	}
}

func (w *world) wantPhase(name string, phase v1alpha1.GrpcCallPhase) {
	w.t.Helper()
	if s := w.call(name).Status; s.Phase != phase || s.Result != "" {
		w.t.Fatalf("phase %s, result %q, %q, want %s", s.Phase, s.Result, s.Message, phase)
	}
}

// wantNoSecret in anything that people can see.
func (w *world) wantNoSecret(secrets ...string) {
	w.t.Helper()
	w.said()
	var texts []string
	for _, call := range w.all() {
		raw, err := json.Marshal(call.Status)
		if err != nil {
			w.t.Fatal(err)
		}
		texts = append(texts, string(raw))
	}
	for _, text := range slices.Concat(texts, w.heard) {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				w.t.Errorf("%q shows %q", text, secret)
			}
		}
	}
}
