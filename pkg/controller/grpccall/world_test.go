// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// world is a controller over fake clients that behave like an API server in what it
// relies on: UIDs, resourceVersions, preconditions and finalizers. Informers see
// nothing before refresh. Agents do nothing by themselves.
type world struct {
	*controllertest.APIServer
	t *testing.T

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
		t:          t,
		calls:      slim.NewStatic(slim.CallTargets()),
		units:      slim.NewStatic(slim.LabelIndexes[*slim.Unit]()),
		pods:       slim.NewStatic(slim.LabelIndexes[*slim.Pod]()),
		mysqls:     slim.NewStatic(slim.MysqlMembers()),
		postgreses: slim.NewStatic(slim.PostgresMembers()),
		clock:      testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		events:     events.NewFakeRecorder(1000),
		agents:     fake.New(),
	}
	w.APIServer = controllertest.NewAPIServer(t, w.clock)
	w.Guarded = true
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
		Kube: w.Kube, Upm: w.Upm, Calls: w.calls, Units: w.units, Pods: w.pods,
		MysqlReplications: w.mysqls, PostgresReplications: w.postgreses,
		Agents: w.agents, Recorder: w.events, Clock: w.clock,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.controller = c
}

// unset takes from an informer what is gone.
func unset[T slim.Type](w *world, informer *slim.Informer[T], name string) {
	w.t.Helper()
	if obj, ok := informer.Get(cache.NewObjectName(controllertest.Namespace, name)); ok {
		controllertest.Hide(w.APIServer, informer, obj)
	}
}

func set[T slim.Type](w *world, informer *slim.Informer[T], obj T) {
	w.t.Helper()
	w.Bump(obj)
	if err := informer.Set(obj); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) unit(name string, edits ...func(*slim.Unit)) {
	u := &slim.Unit{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace, UID: types.UID("unit-" + name), Generation: 3,
			Labels: map[string]string{v1alpha2.LabelUnitSet: "orders"}},
		Type: v1alpha2.UnitTypeMySQL, Startup: true,
	}
	for _, edit := range edits {
		edit(u)
	}
	set(w, w.units, u)
	w.stored(&v1alpha2.Unit{ObjectMeta: u.ObjectMeta, Status: u.Status})
}

// stored makes a Unit what the API server has of it, whatever the cache has.
func (w *world) stored(u *v1alpha2.Unit) {
	w.t.Helper()
	units := v1alpha2.SchemeGroupVersion.WithResource("units")
	err := w.Upm.Tracker().Update(units, u, controllertest.Namespace)
	if apierrors.IsNotFound(err) {
		err = w.Upm.Tracker().Create(units, u, controllertest.Namespace)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) pod(name, uid string, edits ...func(*slim.Pod)) {
	owner := &slim.Unit{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace, UID: types.UID("unit-" + name)}}
	p := &slim.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace, UID: types.UID(uid),
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
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace}, Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	w.Given(s)
}

// newCall is a backup as the document has it.
func newCall(name string, edits ...func(*v1alpha1.GrpcCall)) *v1alpha1.GrpcCall {
	call := &v1alpha1.GrpcCall{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace, Generation: 1},
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

// remove a call as a user does.
func (w *world) remove(name string) {
	w.t.Helper()
	w.Delete(w.call(name))
}

func (w *world) lookup(name string) (*v1alpha1.GrpcCall, bool) {
	return controllertest.Get[*v1alpha1.GrpcCall](w.APIServer, name)
}

func (w *world) call(name string) *v1alpha1.GrpcCall {
	w.t.Helper()
	return controllertest.Must[*v1alpha1.GrpcCall](w.APIServer, name)
}

func (w *world) all() []*v1alpha1.GrpcCall {
	return controllertest.All[*v1alpha1.GrpcCall](w.APIServer)
}

// refresh shows informers what the API server has.
func (w *world) refresh() {
	w.t.Helper()
	controllertest.Show(w.APIServer, w.calls, w.all())
}

// sync one call on caches that are up to date.
func (w *world) sync(name string) (time.Duration, error) {
	w.t.Helper()
	w.refresh()
	return w.controller.sync(w.t.Context(), cache.NewObjectName(controllertest.Namespace, name))
}

// settle syncs all calls, as often as it takes until nothing is written any more.
// It gives when the first of them wants to be looked at again.
func (w *world) settle() (again time.Duration) {
	w.t.Helper()
	for range 30 {
		before := w.Attempts
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
		if w.Attempts == before {
			return again
		}
	}
	w.t.Fatalf("it never comes to rest; last writes: %v", w.Writes[max(0, len(w.Writes)-10):])
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
	said := controllertest.Said(w.events)
	w.heard = append(w.heard, said...)
	return said
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
	complete := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionComplete)
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
