// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"errors"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

var (
	errQuota  = errors.New("exceeded quota: pods, requested: pods=1, used: pods=3, limited: pods=3")
	errPolicy = errors.New("violates PodSecurity \"restricted\"")
)

// world is a controller over fake clients that behave like an API server in what
// the controller relies on: UIDs, resourceVersions, generations, preconditions,
// finalizers and graceful deletion of pods. Informers see nothing before refresh;
// pods do nothing before kubelet.
type world struct {
	*controllertest.APIServer
	t *testing.T

	mysqls     *slim.Informer[*v1alpha1.MysqlReplication]
	postgreses *slim.Informer[*v1alpha1.PostgresReplication]
	calls      *slim.Informer[*v1alpha1.GrpcCall]
	nodes      *slim.Informer[*slim.Node]
	children   *slim.Informers
	packages   controllertest.Packages
	references *controllertest.References
	clock      *testingclock.FakeClock
	events     *events.FakeRecorder
	agents     *fake.Agents
	ca         *agenttls.CA
	agentImage string
	clusterUID types.UID
	// seq is the number of the last call that changes an agent.
	seq int64
	// givesRoles are the kinds of Replications whose controllers run beside this one.
	givesRoles []v1alpha2.ReplicationKind

	controller *Controller
	key        cache.ObjectName
}

func newWorld(t *testing.T, unit *v1alpha2.Unit) *world {
	t.Helper()
	w := &world{
		t:          t,
		mysqls:     slim.NewStatic(slim.MysqlMembers()),
		postgreses: slim.NewStatic(slim.PostgresMembers()),
		calls:      slim.NewStatic(slim.CallTargets()),
		nodes:      slim.NewStatic[*slim.Node](nil),
		children: &slim.Informers{
			Units:      slim.NewStatic(slim.LabelIndexes[*slim.Unit]()),
			Pods:       slim.NewStatic(slim.LabelIndexes[*slim.Pod]()),
			Claims:     slim.NewStatic(slim.LabelIndexes[*slim.Claim]()),
			Secrets:    slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			ConfigMaps: slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
			Revisions:  slim.NewStatic(slim.LabelIndexes[*slim.Object]()),
		},
		packages:   controllertest.Packages{},
		clock:      testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		events:     events.NewFakeRecorder(1000),
		agents:     fake.New(),
		agentImage: "unit-agent:1",
		clusterUID: "the-cluster",
		givesRoles: []v1alpha2.ReplicationKind{v1alpha2.KindMysqlReplication},
		key:        cache.MetaObjectToName(unit),
	}
	data, err := agenttls.NewCA(w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if w.ca, err = agenttls.LoadCA(data); err != nil {
		t.Fatal(err)
	}
	w.APIServer = controllertest.NewAPIServer(t, w.clock)
	w.packages.Install("mysql-8.4", "mysql", "mysql:$(VERSION)")
	w.node("n1", corev1.ConditionTrue)
	w.restart()
	w.Given(unit)
	w.Given(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "users", Namespace: controllertest.Namespace}, Data: map[string][]byte{"root": []byte("r")}})
	return w
}

// givenRevision of the unit's set, with the configuration of the installed package.
func (w *world) givenRevision(name, templates string) {
	w.t.Helper()
	raw, err := revision.Encode(&revision.Data{
		Inputs:      revision.Inputs{Type: v1alpha2.UnitTypeMySQL},
		Template:    corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "mysql"}}}},
		ConfigFiles: map[string]string{"mysql": templates},
		Values:      map[string]any{"max_connections": 500},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Given(&appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace}, Data: raw, Revision: 1})
}

// restart the operator: nothing that it kept in memory is left.
func (w *world) restart() {
	w.t.Helper()
	w.references = controllertest.NewReferences()
	c, err := NewController(w.t.Context(), Config{
		Kube: w.Kube, Upm: w.Upm, MysqlReplications: w.mysqls, PostgresReplications: w.postgreses, Calls: w.calls, Nodes: w.nodes,
		Children: w.children, Revisions: revision.NewReader(w.Kube, w.children), Packages: w.packages, References: w.references, Recorder: w.events, Clock: w.clock,
		Agents: w.agents, CA: w.ca, AgentImage: w.agentImage, ClusterUID: w.clusterUID,
		Order: func() (term, seq int64) { w.seq++; return 7, w.seq }, GivesRoles: w.givesRoles,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.controller = c
}

func (w *world) node(name string, ready corev1.ConditionStatus, taints ...corev1.Taint) {
	w.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Taints: taints}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
	w.Given(node)
	if err := w.nodes.Set(slim.FromNode(node)); err != nil {
		w.t.Fatal(err)
	}
}

// removeNode as its provider does with a machine that is gone.
func (w *world) removeNode(name string) {
	w.t.Helper()
	node, ok := w.nodes.Get(cache.NewObjectName("", name))
	if !ok {
		w.t.Fatalf("there is no node %s", name)
	}
	w.Erase(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if err := w.nodes.Unset(node); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) unit() *v1alpha2.Unit {
	w.t.Helper()
	return controllertest.Must[*v1alpha2.Unit](w.APIServer, w.key.Name)
}

func (w *world) pod() *corev1.Pod {
	w.t.Helper()
	return controllertest.Must[*corev1.Pod](w.APIServer, w.key.Name)
}

// edit the Unit as a user does.
func (w *world) edit(f func(*v1alpha2.Unit)) {
	w.t.Helper()
	controllertest.Edit(w.APIServer, w.key.Name, f)
}

// refresh shows informers what the API server has.
func (w *world) refresh() {
	w.t.Helper()
	w.refreshUnit()
	var pods []*slim.Pod
	for _, p := range controllertest.All[*corev1.Pod](w.APIServer) {
		if p.Labels[v1alpha2.LabelManaged] == "true" {
			pods = append(pods, slim.FromPod(p))
		}
	}
	controllertest.Show(w.APIServer, w.children.Pods, pods)
	var claims []*slim.Claim
	for _, c := range controllertest.All[*corev1.PersistentVolumeClaim](w.APIServer) {
		if c.Labels[v1alpha2.LabelManaged] == "true" {
			claims = append(claims, slim.FromClaim(c))
		}
	}
	controllertest.Show(w.APIServer, w.children.Claims, claims)
	controllertest.Show(w.APIServer, w.calls, controllertest.All[*v1alpha1.GrpcCall](w.APIServer))
	controllertest.Show(w.APIServer, w.children.Secrets, controllertest.SlimObjects(w.t, controllertest.All[*corev1.Secret](w.APIServer)))
	controllertest.Show(w.APIServer, w.children.ConfigMaps, controllertest.SlimObjects(w.t, controllertest.All[*corev1.ConfigMap](w.APIServer)))
}

// refreshUnit shows informers the Unit only.
func (w *world) refreshUnit() {
	var units []*slim.Unit
	for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		units = append(units, slim.FromUnit(u))
	}
	controllertest.Show(w.APIServer, w.children.Units, units)
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

// live lets kubelets and agents do their part too, until all is at rest.
func (w *world) live() {
	w.t.Helper()
	for range 20 {
		before := w.Attempts
		w.settle()
		if !w.kubelet() && w.Attempts == before {
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
	for _, claim := range controllertest.All[*corev1.PersistentVolumeClaim](w.APIServer) {
		if claim.Status.Phase == corev1.ClaimBound {
			continue
		}
		claim.Spec.VolumeName, claim.Status.Phase = "pv-"+claim.Name, corev1.ClaimBound
		claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]}
		w.Given(claim)
		worked = true
	}
	for _, pod := range controllertest.All[*corev1.Pod](w.APIServer) {
		old := pod.DeepCopy()
		if pod.DeletionTimestamp != nil {
			worked = w.end(pod) || worked
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
			w.Given(pod)
			worked = true
		}
	}
	return worked
}

// end a pod that is being deleted as its kubelet does: its object goes with the last of
// its finalizers.
func (w *world) end(pod *corev1.Pod) (worked bool) {
	w.t.Helper()
	if len(pod.Finalizers) == 0 {
		w.Erase(pod)
		return true
	}
	if pod.Status.Phase == corev1.PodSucceeded {
		return false
	}
	pod.Status.Phase = corev1.PodSucceeded
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range list {
			list[i].Ready = false
			list[i].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(w.clock.Now())}}
		}
	}
	w.Given(pod)
	return true
}

// said are the events since the last call.
func (w *world) said() []string { return controllertest.Said(w.events) }

func (w *world) condition(conditionType string) *metav1.Condition {
	w.t.Helper()
	return meta.FindStatusCondition(w.unit().Status.Conditions, conditionType)
}

// wantCondition that is True, for that reason, and says so.
func (w *world) wantCondition(conditionType, reason string, mentions ...string) {
	w.t.Helper()
	controllertest.WantCondition(w.t, w.unit().Status.Conditions, conditionType, reason, mentions...)
}

func (w *world) wantNoCondition(conditionType string) {
	w.t.Helper()
	controllertest.WantNoCondition(w.t, w.unit().Status.Conditions, conditionType)
}

// objects are all that there is, without what differs from run to run: UIDs,
// times, keys.
func (w *world) objects() map[string]any {
	w.t.Helper()
	out := map[string]any{}
	add := func(obj runtime.Object) {
		controllertest.Anonymous(obj)
		out[controllertest.Resource(obj)+"/"+obj.(metav1.Object).GetName()] = obj
	}
	for _, o := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		o.Status.PodUID, o.Status.ConfigSyncStatus.PodUID, o.Status.ConfigSyncStatus.LastTransitionTime = "", "", nil
		if d := o.Status.DataIdentity; d != nil {
			d.SystemID, d.ClaimUIDs = "", nil
		}
		for i := range o.Status.Conditions {
			o.Status.Conditions[i].LastTransitionTime = metav1.Time{}
		}
		add(o)
	}
	for _, o := range controllertest.All[*corev1.Pod](w.APIServer) {
		o.Status = corev1.PodStatus{}
		add(o)
	}
	for _, o := range controllertest.All[*corev1.PersistentVolumeClaim](w.APIServer) {
		add(o)
	}
	for _, o := range controllertest.All[*corev1.Secret](w.APIServer) {
		o.Data = nil
		delete(o.Annotations, annotationLeaf)
		add(o)
	}
	return out
}

// newUnit is a standalone one as users write them.
func newUnit(edits ...func(*v1alpha2.Unit)) *v1alpha2.Unit {
	unit := &v1alpha2.Unit{
		ObjectMeta: metav1.ObjectMeta{Name: "orders-0", Namespace: controllertest.Namespace, Generation: 1, Labels: map[string]string{"team": "shop"}},
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
