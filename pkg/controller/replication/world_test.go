// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// world is a controller over a fake API server and fake agents. Informers see nothing
// before refresh; a pass runs when a test says so.
type world struct {
	*controllertest.APIServer
	t    *testing.T
	kind *kind

	replications *slim.Informer[*v1alpha1.MysqlReplication]
	postgreses   *slim.Informer[*v1alpha1.PostgresReplication]
	unitSets     *slim.Informer[*v1alpha2.UnitSet]
	calls        *slim.Informer[*v1alpha1.GrpcCall]
	children     *slim.Informers
	references   *controllertest.References
	clock        *testingclock.FakeClock
	events       *events.FakeRecorder
	agents       *fake.Agents
	servers      *servers
	seq          int64

	controller *Controller
	key        cache.ObjectName
}

// newWorld with the document's example: a set of three, and its Replication.
func newWorld(t *testing.T, edits ...func(*v1alpha1.MysqlReplication)) *world {
	t.Helper()
	r := newReplication("orders")
	for _, edit := range edits {
		edit(r)
	}
	return newWorldOf(t, &mysqlKind, r)
}

// newWorldOf a kind: a set of three, and a Replication named orders.
func newWorldOf(t *testing.T, kind *kind, r runtime.Object) *world {
	t.Helper()
	w := &world{
		t:            t,
		kind:         kind,
		replications: slim.NewStatic(slim.MysqlMembers()),
		postgreses:   slim.NewStatic(slim.PostgresMembers()),
		unitSets:     slim.NewStatic[*v1alpha2.UnitSet](nil),
		calls:        slim.NewStatic(slim.CallTargets()),
		children: &slim.Informers{
			Units:    slim.NewStatic(slim.LabelIndexes[*slim.Unit]()),
			Pods:     slim.NewStatic(slim.LabelIndexes[*slim.Pod]()),
			Services: slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			Secrets:  slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
		},
		clock:  testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		events: events.NewFakeRecorder(1000),
		agents: fake.New(),
		key:    cache.NewObjectName(controllertest.Namespace, "orders"),
	}
	w.servers = newServers(w.agents)
	w.APIServer = controllertest.NewAPIServer(t, w.clock)
	w.restart()
	w.Given(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "users", Namespace: controllertest.Namespace}, Data: map[string][]byte{"replication": []byte("the-users-password")},
	})
	w.Given(&v1alpha2.UnitSet{
		ObjectMeta: metav1.ObjectMeta{Name: string(kind.unitType), Namespace: controllertest.Namespace},
		Spec:       v1alpha2.UnitSetSpec{Type: kind.unitType, Units: new(int32(3))},
	})
	w.Given(r)
	for i := range 3 {
		w.unit(i)
	}
	return w
}

// newReplication is the document's.
func newReplication(name string) *v1alpha1.MysqlReplication {
	member := func(i int) v1alpha1.MysqlReplicationMember {
		unit := fmt.Sprintf("mysql-%d", i)
		return v1alpha1.MysqlReplicationMember{Name: unit, Host: unit + ".mysql-headless-svc.ns", Port: 3306}
	}
	return &v1alpha1.MysqlReplication{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace, Generation: 1},
		Spec: v1alpha1.MysqlReplicationSpec{
			Mode:    v1alpha1.MysqlReplicationSemiSync,
			Secret:  v1alpha1.MysqlReplicationSecret{Name: "users", Mysql: "replication", Replication: "replication"},
			Source:  member(0),
			Replica: []v1alpha1.MysqlReplicaMember{{MysqlReplicationMember: member(1)}, {MysqlReplicationMember: member(2)}},
			Service: &v1alpha1.ReplicationServiceSpec{Type: corev1.ServiceTypeNodePort},
		},
	}
}

// restart the operator: nothing that it kept in memory is left.
func (w *world) restart() {
	w.t.Helper()
	w.references = controllertest.NewReferences()
	makes := map[*kind]func(context.Context, Config) (*Controller, error){&mysqlKind: NewMysqlController, &postgresKind: NewPostgresController}
	c, err := makes[w.kind](w.t.Context(), Config{
		Kube: w.Kube, Upm: w.Upm, MysqlReplications: w.replications, PostgresReplications: w.postgreses, UnitSets: w.unitSets, Calls: w.calls,
		Children: w.children, References: w.references, Recorder: w.events, Clock: w.clock, Agents: w.servers,
		Order: func() (term, seq int64) { w.seq++; return 7, w.seq },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	c.sleep = func(_ context.Context, d time.Duration) error {
		w.clock.Step(d)
		return nil
	}
	w.controller = c
}

func unitName(i int) string { return fmt.Sprintf("mysql-%d", i) }

func (w *world) unitName(i int) string { return fmt.Sprintf("%s-%d", w.kind.unitType, i) }

// unit with a pod that runs, owned by nobody yet.
func (w *world) unit(i int) {
	w.t.Helper()
	set, name := string(w.kind.unitType), w.unitName(i)
	labels := map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelUnitSet: set, v1alpha2.LabelUnit: name, v1alpha2.LabelOrdinal: fmt.Sprint(i)}
	unit := &v1alpha2.Unit{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: controllertest.Namespace, Generation: 1, Labels: labels,
		Annotations: map[string]string{v1alpha2.AnnotationRevision: set + "-1"},
	}}
	unit.Spec.Template.Spec.Containers = []corev1.Container{{Name: set, Image: set + ":9.7.0"}}
	w.Given(unit)
	w.startPod(i)
}

// startPod makes another pod of a unit.
func (w *world) startPod(i int) {
	w.t.Helper()
	unit := w.theUnit(i)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: unit.Name, Namespace: unit.Namespace, Labels: unit.Labels,
			OwnerReferences: []metav1.OwnerReference{*ownerref.New(unit, v1alpha2.SchemeGroupVersion.WithKind("Unit"))},
		},
		Spec: corev1.PodSpec{NodeName: "n1"},
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(w.clock.Now())}}
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: fmt.Sprintf("10.0.0.%d", i+1)}},
		InitContainerStatuses: []corev1.ContainerStatus{{Name: "agent", State: running}},
		ContainerStatuses:     []corev1.ContainerStatus{{Name: string(w.kind.unitType), State: running, Ready: true}},
		Conditions:            []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	w.Given(pod)
	unit.Status.PodUID = w.pod(i).UID
	w.Given(unit)
	w.servers.start(w.pod(i).UID, w.unitName(i))
}

// adopt does the Unit controller's part: units are owned by who lists them.
func (w *world) adopt() {
	w.t.Helper()
	for i := range 10 {
		unit, ok := controllertest.Get[*v1alpha2.Unit](w.APIServer, w.unitName(i))
		if !ok || unit.Status.Replication != nil {
			continue
		}
		owner := w.owner().UID
		unit.Status.Replication = &v1alpha2.UnitReplication{Kind: v1alpha2.ReplicationKind(w.kind.Kind), Name: "orders", UID: owner}
		w.Given(unit)
		w.servers.own(w.pod(i).UID, unit.UID, owner)
	}
}

func (w *world) theUnit(i int) *v1alpha2.Unit {
	w.t.Helper()
	return controllertest.Must[*v1alpha2.Unit](w.APIServer, w.unitName(i))
}

func (w *world) pod(i int) *corev1.Pod {
	w.t.Helper()
	return controllertest.Must[*corev1.Pod](w.APIServer, w.unitName(i))
}

func (w *world) replication() *v1alpha1.MysqlReplication {
	w.t.Helper()
	return controllertest.Must[*v1alpha1.MysqlReplication](w.APIServer, "orders")
}

func (w *world) postgres() *v1alpha1.PostgresReplication {
	w.t.Helper()
	return controllertest.Must[*v1alpha1.PostgresReplication](w.APIServer, "orders")
}

// owner is the Replication of whichever kind, as the controller sees it.
func (w *world) owner() owner {
	w.t.Helper()
	if w.kind == &postgresKind {
		return viewPostgres(w.postgres())
	}
	return viewMysql(w.replication())
}

// edit the Replication as a user does.
func (w *world) edit(f func(*v1alpha1.MysqlReplication)) {
	w.t.Helper()
	controllertest.Edit(w.APIServer, "orders", f)
}

// refresh shows informers what the API server has.
func (w *world) refresh() {
	w.t.Helper()
	controllertest.Show(w.APIServer, w.replications, controllertest.All[*v1alpha1.MysqlReplication](w.APIServer))
	controllertest.Show(w.APIServer, w.postgreses, controllertest.All[*v1alpha1.PostgresReplication](w.APIServer))
	controllertest.Show(w.APIServer, w.unitSets, controllertest.All[*v1alpha2.UnitSet](w.APIServer))
	var units []*slim.Unit
	for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		units = append(units, slim.FromUnit(u))
	}
	controllertest.Show(w.APIServer, w.children.Units, units)
	var pods []*slim.Pod
	for _, p := range controllertest.All[*corev1.Pod](w.APIServer) {
		pods = append(pods, slim.FromPod(p))
	}
	controllertest.Show(w.APIServer, w.children.Pods, pods)
	controllertest.Show(w.APIServer, w.children.Services, controllertest.SlimObjects(w.t, controllertest.All[*corev1.Service](w.APIServer)))
	controllertest.Show(w.APIServer, w.children.Secrets, controllertest.SlimObjects(w.t, controllertest.All[*corev1.Secret](w.APIServer)))
}

// sync once, on caches that are up to date.
func (w *world) sync() error {
	w.t.Helper()
	w.refresh()
	_, err := w.controller.sync(w.t.Context(), w.key)
	return err
}

// settle syncs until nothing is written any more.
func (w *world) settle() {
	w.t.Helper()
	for range 30 {
		before := w.Attempts
		if err := w.sync(); err != nil {
			w.t.Fatal(err)
		}
		if w.Attempts == before {
			return
		}
	}
	w.t.Fatalf("it never stops writing; last writes: %v", w.Writes[max(0, len(w.Writes)-10):])
}

// pass once, and what follows from it.
func (w *world) pass() {
	w.t.Helper()
	w.refresh()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if _, err := w.controller.pass(ctx, w.key); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
}

// live lets everybody do their part until nothing is written any more.
func (w *world) live() {
	w.t.Helper()
	for range 30 {
		before := w.Attempts
		w.settle()
		w.adopt()
		w.pass()
		w.clock.Step(10 * time.Second)
		if w.Attempts == before {
			return
		}
	}
	w.t.Fatalf("it never stops writing; last writes: %v", w.Writes[max(0, len(w.Writes)-10):])
}

// roles are the pods' role labels, by unit.
func (w *world) roles() map[string]string {
	out := map[string]string{}
	for _, p := range controllertest.All[*corev1.Pod](w.APIServer) {
		if role := p.Labels[v1alpha2.LabelRole]; role != "" {
			out[p.Name] = role
		}
	}
	return out
}

// said are the events since the last call.
func (w *world) said() []string { return controllertest.Said(w.events) }

func (w *world) condition(conditionType string) *metav1.Condition {
	w.t.Helper()
	return meta.FindStatusCondition(w.owner().Status.Conditions, conditionType)
}

func (w *world) wantCondition(conditionType, reason string, mentions ...string) {
	w.t.Helper()
	controllertest.WantCondition(w.t, w.owner().Status.Conditions, conditionType, reason, mentions...)
}

func (w *world) wantNoCondition(conditionType string) {
	w.t.Helper()
	controllertest.WantNoCondition(w.t, w.owner().Status.Conditions, conditionType)
}

func (w *world) podUID(i int) types.UID { return w.pod(i).UID }
