// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// withServices asks for every kind of child.
func withServices(set *v1alpha2.UnitSet) {
	set.Spec.ExternalService = &v1alpha2.ExternalServiceSpec{}
	set.Spec.UnitService = &v1alpha2.UnitServiceSpec{Annotations: map[string]string{"pool": "inner"}}
}

func TestCreationMakesChildrenInTheOrderInWhichUnitsNeedThem(t *testing.T) {
	w := newWorld(t, newSet(withServices))
	w.settle()
	got := w.Written()
	for i, write := range got {
		if name, ok := strings.CutPrefix(write, "create controllerrevisions/orders-"); ok && len(name) == 10 {
			got[i] = "create controllerrevisions/orders-<hash>"
		}
	}
	want := []string{
		"patch unitsets/orders",
		"create controllerrevisions/orders-<hash>",
		"create configmaps/orders-config-template",
		"create services/orders-headless-svc",
		"create services/orders-svc",
		"create services/orders-0-svc",
		"create services/orders-1-svc",
		"create services/orders-2-svc",
		"create poddisruptionbudgets/orders",
		"create configmaps/orders-0-config-value",
		"create units/orders-0",
		"create configmaps/orders-1-config-value",
		"create configmaps/orders-2-config-value",
		"create units/orders-1",
		"create units/orders-2",
	}
	got = slices.DeleteFunc(got, func(s string) bool { return strings.HasSuffix(s, "/status") })
	if d := cmp.Diff(want, sortBatch(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}

	w.settleUnits()
	w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
	w.Written()
	w.said()
	for range 2 {
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
	}
	w.restart()
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	if writes, events := w.Written(), w.said(); len(writes)+len(events) > 0 {
		t.Errorf("at rest it writes %v and says %v", writes, events)
	}
}

// sortBatch orders the writes of units that are made at once.
func sortBatch(writes []string) []string {
	i := slices.Index(writes, "create units/orders-0")
	if i >= 0 {
		slices.Sort(writes[i+1:])
	}
	return writes
}

// needs of a unit: whatever happens, a Unit exists only beside all of them.
func (w *world) checkNeeds(when string) {
	w.t.Helper()
	for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
		for _, name := range []string{headlessServiceName("orders"), unitServiceName(u.Name)} {
			if _, ok := controllertest.Get[*corev1.Service](w.APIServer, name); !ok {
				w.t.Errorf("%s: Unit %s exists and Service %s does not", when, u.Name, name)
			}
		}
		for _, name := range []string{u.Spec.ConfigTemplateName, u.Spec.ConfigValueName} {
			if _, ok := controllertest.Get[*corev1.ConfigMap](w.APIServer, name); !ok {
				w.t.Errorf("%s: Unit %s exists and ConfigMap %s does not", when, u.Name, name)
			}
		}
		if !slices.ContainsFunc(w.names(), func(n string) bool {
			return n == "controllerrevisions/"+u.Annotations[v1alpha2.AnnotationRevision]
		}) {
			w.t.Errorf("%s: Unit %s exists and its revision does not", when, u.Name)
		}
	}
}

func TestAFailedWriteIsRetriedIntoTheSameObjectsAndNoneIsMadeTwice(t *testing.T) {
	undisturbed := newWorld(t, newSet(withServices))
	undisturbed.settleUnits()
	want, attempts := undisturbed.objects(), undisturbed.Attempts

	for n := 1; n <= attempts; n++ {
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("write %d, after its effect %t", n, after)
			w := newWorld(t, newSet(withServices))
			w.FailAt, w.FailAfter = n, after
			failed := false
			for range 20 {
				before := w.Attempts
				_, err := w.sync()
				if err != nil {
					failed = true
					if !errors.Is(err, controllertest.ErrInjected) {
						t.Errorf("%s: %v", name, err)
					}
					if n%2 == 0 {
						w.restart()
					}
				}
				w.checkNeeds(name)
				if err == nil && w.Attempts == before && !w.unitController() {
					break
				}
			}
			if !failed {
				t.Errorf("%s: nothing failed", name)
			}
			if d := cmp.Diff(want, w.objects()); d != "" {
				t.Errorf("%s: -undisturbed +got:\n%s", name, d)
			}
			creates := map[string]int{}
			for _, write := range w.Written() {
				if strings.HasPrefix(write, "create ") {
					if creates[write]++; creates[write] > 1 {
						t.Errorf("%s: %s twice", name, write)
					}
				}
			}
		}
	}
}

func TestALaggingInformerMakesNothingTwice(t *testing.T) {
	w := newWorld(t, newSet(withServices))
	for range 4 {
		// Of the children, informers never see anything.
		w.refreshSet()
		if _, err := w.controller.sync(t.Context(), w.key); err != nil {
			t.Fatal(err)
		}
	}
	made := map[string]int{}
	for _, write := range w.Written() {
		if strings.HasPrefix(write, "create ") {
			made[write]++
		}
	}
	if len(made) != 1+3+3+1+5+1 {
		t.Errorf("made: %v", made)
	}
	for write, n := range made {
		if n > 1 {
			t.Errorf("%s %d times", write, n)
		}
	}
}

func TestASyncWaitsForInformersThatAreBehindItsOwnWrites(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(4)) })
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	w.Written()
	w.refreshSet()
	_, err := w.controller.sync(t.Context(), w.key)
	if _, stale := errors.AsType[*consistency.StaleError](err); !stale {
		t.Errorf("the error is %v, want a stale cache", err)
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("it wrote %v", writes)
	}
	w.settleUnits()
	w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
}

func TestUnitsServicesAndConfigMapsAreWhatTheContractSays(t *testing.T) {
	w := newWorld(t, newSet(withServices, func(set *v1alpha2.UnitSet) {
		set.Labels = map[string]string{"team": "a", "upm.api/service-group.name": "group"}
		set.Annotations = map[string]string{
			v1alpha2.AnnotationNodeNameMap: `{"orders-0": "node-a", "orders-1": "noneSet", "orders-2": ""}`,
			v1alpha2.AnnotationEnvironment: "production",
		}
		set.Spec.Secret = &v1alpha2.SecretInfo{Name: "orders-secret", MountPath: "/SECRET_MOUNT"}
		set.Spec.EmptyDir = []v1alpha2.EmptyDirSpec{{Name: "log-files", MountPath: "/LOG_MOUNT", Size: "1Gi"}}
		set.Spec.Env = []corev1.EnvVar{{Name: "ARCH_MODE", Value: "rpl_semi_sync"}, {Name: "ADM_USER", Value: "root"}}
		set.Spec.PodAntiAffinityPreset = "hard"
		set.Spec.NodeAffinityPreset = []v1alpha2.NodeAffinityPresetSpec{{Key: "kubernetes.io/arch", Values: []string{"amd64"}}}
	}))
	w.Given(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-secret", Namespace: controllertest.Namespace}})
	w.settleUnits()

	u := w.unit(0)
	spec := &u.Spec.Template.Spec
	database := spec.Containers[0]
	env := map[string]string{}
	for _, e := range database.Env {
		env[e.Name] = e.Value
	}
	if d := cmp.Diff(map[string]string{
		"DATA_MOUNT": "/DATA_MOUNT", "LOG_FILES_MOUNT": "/LOG_MOUNT", "SECRET_MOUNT": "/SECRET_MOUNT", "SECRET_NAME": "orders-secret",
		"MYSQL_PORT": "3306", "ADMIN_PORT": "33062", "ARCH_MODE": "rpl_semi_sync", "ADM_USER": "root",
	}, env); d != "" {
		t.Errorf("env: -want +got:\n%s", d)
	}
	if database.Image != "mysql:8.4.6" || database.Resources.Limits.Memory().String() != "1Gi" {
		t.Errorf("image %s, resources %v", database.Image, database.Resources)
	}
	if spec.Hostname != "orders-0" || spec.Subdomain != "orders-headless-svc" ||
		!slices.Contains(spec.DNSConfig.Searches, "orders-headless-svc.ns.svc.cluster.local") {
		t.Errorf("host %s.%s, searches %v", spec.Hostname, spec.Subdomain, spec.DNSConfig)
	}
	if !deref(u.Spec.UnbindNode) || !deref(u.Spec.Startup) {
		t.Error("a unit of a set is made bound or stopped")
	}
	term := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(term) != 1 || len(term[0].MatchExpressions) != 1 || len(term[0].MatchFields) != 1 || term[0].MatchFields[0].Values[0] != "node-a" {
		t.Errorf("the first unit's node terms are %+v", term)
	}
	for _, i := range []int32{1, 2} {
		other := w.unit(i).Spec.Template.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
		if len(other[0].MatchFields) > 0 {
			t.Errorf("unit %d is pinned: %+v", i, other)
		}
	}
	if u.Labels["team"] != "a" || u.Labels["upm.api/service-group.name"] != "group" || u.Labels["upm.api/service-group.type"] != "mysql-sg" ||
		u.Labels[v1alpha2.LabelOrdinal] != "0" || u.Annotations[v1alpha2.AnnotationEnvironment] != "production" {
		t.Errorf("labels %v, annotations %v", u.Labels, u.Annotations)
	}
	if len(u.Spec.VolumeClaimTemplates) != 1 || podspec.ClaimName(u.Name, u.Spec.VolumeClaimTemplates[0].Name) != "orders-0-data" {
		t.Errorf("claims %+v", u.Spec.VolumeClaimTemplates)
	}

	headless := controllertest.Must[*corev1.Service](w.APIServer, "orders-headless-svc")
	if headless.Spec.ClusterIP != corev1.ClusterIPNone || !headless.Spec.PublishNotReadyAddresses {
		t.Errorf("the headless Service is %+v", headless.Spec)
	}
	for name, want := range map[string][]string{
		"orders-headless-svc": {"mysql", "admin", "metrics"}, "orders-svc": {"mysql"}, "orders-1-svc": {"mysql", "admin"},
	} {
		svc := controllertest.Must[*corev1.Service](w.APIServer, name)
		var ports []string
		for _, p := range svc.Spec.Ports {
			ports = append(ports, p.Name)
		}
		if d := cmp.Diff(want, ports); d != "" {
			t.Errorf("ports of %s: -want +got:\n%s", name, d)
		}
		if name != "orders-headless-svc" && svc.Spec.Type != corev1.ServiceTypeClusterIP {
			t.Errorf("%s is a %s", name, svc.Spec.Type)
		}
	}
	unitSvc := controllertest.Must[*corev1.Service](w.APIServer, "orders-1-svc")
	if unitSvc.Annotations["pool"] != "inner" || unitSvc.Spec.Selector[v1alpha2.LabelUnit] != "orders-1" {
		t.Errorf("the Service of unit 1 is %+v", unitSvc)
	}
	for key := range headless.Spec.Selector {
		if !strings.HasPrefix(key, "unit-operator.io/") {
			t.Errorf("a Service selects by the user's label %s", key)
		}
	}

	value := controllertest.Must[*corev1.ConfigMap](w.APIServer, "orders-0-config-value").Data["mysql"]
	for line := range strings.Lines(value) {
		if !strings.HasPrefix(line, "#") {
			t.Errorf("the values that are the user's hold %q", line)
		}
	}
	if !strings.Contains(value, "max_connections: 500") {
		t.Errorf("the defaults are not named: %s", value)
	}
	if d := cmp.Diff(map[string]string{"mysql": "port = {{ .Port }}\n"}, controllertest.Must[*corev1.ConfigMap](w.APIServer, "orders-config-template").Data); d != "" {
		t.Errorf("config template: -want +got:\n%s", d)
	}
	status := w.set().Status
	if status.Units != 3 || status.ReadyUnits != 3 || status.InUpdate != "false" || status.UnitPVCSynced != v1alpha2.Synced ||
		status.UnitImageSynced != v1alpha2.Synced || status.UnitResourceSynced != v1alpha2.Synced || status.ObservedGeneration != 1 ||
		status.UpdatedUnits != 3 || status.CurrentRevision != status.UpdateRevision || status.Package == nil || status.Package.Name != "mysql-8.4" {
		t.Errorf("status %+v", status)
	}
}
