// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// Each thing that may be missing shows as one condition and one event that name
// it, and goes when it appears.
func TestWhatIsMissingIsNamedOnceAndHeals(t *testing.T) {
	sharedConfig := func(ports string) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "shared", Namespace: controllertest.Namespace}, Data: map[string]string{"mysql_ports": ports},
		}
	}
	tests := []struct {
		name      string
		set       func(*v1alpha2.UnitSet)
		given     func(*world)
		condition string
		reason    string
		mentions  []string
		heal      func(*world)
	}{{
		name: "no package serves the version", condition: v1alpha2.ConditionPackageNotFound, mentions: []string{"mysql 9.7.4", "installed are mysql-8.4"},
		set:  func(set *v1alpha2.UnitSet) { set.Spec.Version = "9.7.4" },
		heal: func(w *world) { w.packages.Install("mysql-9.7", "mysql", "mysql:$(VERSION)") },
	}, {
		name: "the package is broken", condition: v1alpha2.ConditionPackageNotFound, reason: v1alpha2.ReasonPackageBroken, mentions: []string{"mysql-8.4-config-value"},
		given: func(w *world) { delete(w.packages, "configmap/mysql-8.4-config-value") },
		heal:  func(w *world) { w.packages.Install("mysql-8.4", "mysql", "mysql:$(VERSION)") },
	}, {
		name: "the Secret", condition: v1alpha2.ConditionSecretMissing, mentions: []string{"orders-secret"},
		set: func(set *v1alpha2.UnitSet) {
			set.Spec.Secret = &v1alpha2.SecretInfo{Name: "orders-secret", MountPath: "/SECRET_MOUNT"}
		},
		heal: func(w *world) {
			w.Given(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-secret", Namespace: controllertest.Namespace}})
		},
	}, {
		name: "the shared ConfigMap", condition: v1alpha2.ConditionSharedConfigMissing, mentions: []string{"shared"},
		set: func(set *v1alpha2.UnitSet) { set.Spec.SharedConfigName = "shared" },
		heal: func(w *world) {
			w.Given(sharedConfig(`[{"name": "mysql", "containerPort": "3307", "protocol": "TCP"}]`))
		},
	}, {
		name: "readable ports in it", condition: v1alpha2.ConditionInvalidSharedConfig, mentions: []string{"shared", "mysql_ports"},
		set:   func(set *v1alpha2.UnitSet) { set.Spec.SharedConfigName = "shared" },
		given: func(w *world) { w.Given(sharedConfig(`3306`)) },
		heal:  func(w *world) { w.Given(sharedConfig(`[{"name": "mysql", "containerPort": 3307}]`)) },
	}, {
		name: "a readable map of nodes", condition: v1alpha2.ConditionInvalidNodeNameMap, mentions: []string{"upm.io/node-name-map"},
		set: func(set *v1alpha2.UnitSet) {
			set.Annotations = map[string]string{v1alpha2.AnnotationNodeNameMap: "node-a"}
		},
		heal: func(w *world) { w.edit(func(set *v1alpha2.UnitSet) { set.Annotations = nil }) },
	}, {
		name: "a free path", condition: v1alpha2.ConditionInvalidSpec, mentions: []string{"storage data and storage more are both mounted at /DATA_MOUNT"},
		set: func(set *v1alpha2.UnitSet) {
			set.Spec.Storages = append(set.Spec.Storages, v1alpha2.StorageSpec{Name: "more", MountPath: "/DATA_MOUNT", Size: "1Gi"})
		},
		heal: func(w *world) { w.edit(func(set *v1alpha2.UnitSet) { set.Spec.Storages = set.Spec.Storages[:1] }) },
	}}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, newSet())
			if tc.given != nil {
				tc.given(w)
			}
			if tc.set != nil {
				w.edit(tc.set)
			}
			w.settleUnits()
			reason := tc.reason
			if reason == "" {
				reason = tc.condition
			}
			w.wantCondition(tc.condition, reason, tc.mentions...)
			if got := len(unitNames(w)); got != 0 {
				t.Errorf("%d units are made", got)
			}
			if status := w.set().Status; status.UnitImageSynced != v1alpha2.NotSynced || w.condition(v1alpha2.ConditionReady).Reason != reason {
				t.Errorf("image %s, Ready %+v", status.UnitImageSynced, w.condition(v1alpha2.ConditionReady))
			}
			w.settle()
			warnings := slices.DeleteFunc(w.said(), func(e string) bool { return !strings.HasPrefix(e, "Warning ") })
			if len(warnings) != 1 || !strings.Contains(warnings[0], reason) {
				t.Errorf("warnings: %q", warnings)
			}

			tc.heal(w)
			w.references.Changed()
			w.settleUnits()
			w.wantNoCondition(tc.condition)
			w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
			if warnings := slices.DeleteFunc(w.said(), func(e string) bool { return !strings.HasPrefix(e, "Warning ") }); len(warnings) > 0 {
				t.Errorf("warnings of what is healed: %q", warnings)
			}
		})
	}
}

func TestSharedPortsAreListenedToAndPublished(t *testing.T) {
	w := newWorld(t, newSet(withServices, func(set *v1alpha2.UnitSet) { set.Spec.SharedConfigName = "shared" }))
	w.Given(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "shared", Namespace: controllertest.Namespace},
		Data:       map[string]string{"mysql_ports": `[{"name": "mysql", "containerPort": "3307", "protocol": "TCP"}]`},
	})
	w.settleUnits()
	if got := controllertest.Must[*corev1.Service](w.APIServer, "orders-svc").Spec.Ports; len(got) != 1 || got[0].Port != 3307 {
		t.Errorf("published: %+v", got)
	}
	if got := w.unit(0).Spec.Template.Spec.Containers[0].Ports; len(got) != 1 || got[0].ContainerPort != 3307 {
		t.Errorf("the container's ports: %+v", got)
	}
	if u := w.unit(0); u.Spec.SharedConfigName != "shared" {
		t.Errorf("the unit knows %q", u.Spec.SharedConfigName)
	}
}

func TestAForeignObjectIsNeitherUsedNorChanged(t *testing.T) {
	foreign := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace}
	}
	labelled := func(name string) metav1.ObjectMeta {
		m := foreign(name)
		m.Labels = map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelUnitSet: "orders"}
		m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Other", Name: "owner", UID: "other", Controller: new(true)}}
		return m
	}
	for name, tc := range map[string]struct {
		object runtime.Object
		units  int
	}{
		"headless Service":             {&corev1.Service{ObjectMeta: foreign("orders-headless-svc")}, 0},
		"labelled headless Service":    {&corev1.Service{ObjectMeta: labelled("orders-headless-svc")}, 0},
		"external Service":             {&corev1.Service{ObjectMeta: foreign("orders-svc")}, 3},
		"labelled external Service":    {&corev1.Service{ObjectMeta: labelled("orders-svc")}, 3},
		"unit's Service":               {&corev1.Service{ObjectMeta: foreign("orders-1-svc")}, 3},
		"config template":              {&corev1.ConfigMap{ObjectMeta: foreign("orders-config-template")}, 0},
		"labelled config template":     {&corev1.ConfigMap{ObjectMeta: labelled("orders-config-template")}, 0},
		"value ConfigMap":              {&corev1.ConfigMap{ObjectMeta: foreign("orders-0-config-value")}, 0},
		"labelled value ConfigMap":     {&corev1.ConfigMap{ObjectMeta: labelled("orders-0-config-value")}, 0},
		"disruption budget":            {&policyv1.PodDisruptionBudget{ObjectMeta: foreign("orders")}, 3},
		"labelled disruption budget":   {&policyv1.PodDisruptionBudget{ObjectMeta: labelled("orders")}, 3},
		"Unit":                         {&v1alpha2.Unit{ObjectMeta: foreign("orders-2")}, 2},
		"labelled Unit":                {newForeignUnit("orders-2"), 2},
		"labelled Unit that is owned":  {&v1alpha2.Unit{ObjectMeta: labelled("orders-2")}, 2},
		"Unit beyond those wanted":     {&v1alpha2.Unit{ObjectMeta: labelled("orders-9")}, 3},
		"Service of another name":      {&corev1.Service{ObjectMeta: labelled("orders-9-svc")}, 3},
		"revision that nobody asks of": {&appsv1.ControllerRevision{ObjectMeta: labelled("orders-foreign")}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newSet(withServices))
			w.Given(tc.object)
			m := tc.object.(metav1.Object)
			version := m.GetResourceVersion()
			// It comes to rest too: what is not ours is looked at, not written.
			for range 10 {
				after, err := w.sync()
				if err != nil {
					t.Fatal(err)
				}
				if w.condition(v1alpha2.ConditionNameConflict) != nil && after != child.ConflictRecheck {
					t.Errorf("it is looked at again after %s", after)
				}
			}
			w.Written()
			for range 2 {
				if _, err := w.sync(); err != nil {
					t.Fatal(err)
				}
			}
			if writes := w.Written(); len(writes) > 0 {
				t.Errorf("at rest it writes %v", writes)
			}
			if got := w.Current(tc.object); got == nil || got.GetResourceVersion() != version {
				t.Fatalf("the foreign object was touched: %v", got)
			}
			ours := 0
			for _, u := range controllertest.All[*v1alpha2.Unit](w.APIServer) {
				if metav1.IsControlledBy(u, w.set()) {
					ours++
				}
			}
			if ours != tc.units {
				t.Errorf("%d units are made, want %d", ours, tc.units)
			}
			if strings.HasSuffix(name, "wanted") || strings.HasSuffix(name, "another name") || strings.HasSuffix(name, "asks of") {
				w.wantNoCondition(v1alpha2.ConditionNameConflict)
				return
			}
			w.wantCondition(v1alpha2.ConditionNameConflict, v1alpha2.ConditionNameConflict, m.GetName())
			warnings := slices.DeleteFunc(w.said(), func(e string) bool { return !strings.HasPrefix(e, "Warning ") })
			if len(warnings) != 1 {
				t.Errorf("warnings: %q", warnings)
			}

			// Its owner takes it away.
			w.Erase(tc.object)
			w.settleUnits()
			w.wantNoCondition(v1alpha2.ConditionNameConflict)
			w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
		})
	}
}

func TestAQuotaIsNamedAndCostsOneCallAndNotOnePerUnit(t *testing.T) {
	w := newWorld(t, newSet(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(int32(9)) }))
	refused := 0
	w.Refuse = func(write string) error {
		if strings.HasPrefix(write, "create units/") {
			refused++
			return apierrors.NewForbidden(v1alpha2.Resource("units"), "orders-0", errors.New("exceeded quota: few, requested: 1, used: 0, limited: 0"))
		}
		return nil
	}
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.sync(); !apierrors.IsForbidden(errors.Unwrap(err)) && !strings.Contains(err.Error(), "exceeded quota") {
		t.Fatalf("the error is %v", err)
	}
	w.wantCondition(v1alpha2.ConditionQuotaExceeded, v1alpha2.ConditionQuotaExceeded, "exceeded quota")
	if refused != 1 {
		t.Errorf("%d calls were refused", refused)
	}
	w.Refuse = nil
	w.settleUnits()
	w.wantNoCondition(v1alpha2.ConditionQuotaExceeded)
	w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
}

func TestASetThatIsMeantToReplicateSaysThatItNeedsAReplication(t *testing.T) {
	w := newWorld(t, newSet(func(set *v1alpha2.UnitSet) {
		set.Spec.Env = []corev1.EnvVar{{Name: "ARCH_MODE", Value: "rpl_semi_sync"}}
	}))
	w.settleUnits()
	w.wantCondition(v1alpha2.ConditionNotReplicated, v1alpha2.ConditionNotReplicated, "needs a MysqlReplication")
	replication := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "r", Namespace: controllertest.Namespace}}
	replication.Spec.Source.Name = "orders-0"
	w.Given(replication)
	w.settleUnits()
	w.wantNoCondition(v1alpha2.ConditionNotReplicated)
}

func TestTheExternalServiceFollowsTheSourceOfAReplicatedSet(t *testing.T) {
	w := newWorld(t, newSet(func(set *v1alpha2.UnitSet) { set.Spec.ExternalService = &v1alpha2.ExternalServiceSpec{} }))
	w.settleUnits()
	selects := func() string {
		return controllertest.Must[*corev1.Service](w.APIServer, "orders-svc").Spec.Selector[v1alpha2.LabelRole]
	}
	if got := selects(); got != "" {
		t.Errorf("it selects role %q of independent units", got)
	}
	replication := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "r", Namespace: controllertest.Namespace}}
	replication.Spec.Mode, replication.Spec.Source.Name = v1alpha1.MysqlReplicationGroup, "orders-0"
	w.Given(replication)
	w.settleUnits()
	if got := selects(); got != "" {
		t.Errorf("it selects role %q of a group, whose roles nobody labels", got)
	}
	replication.Spec.Mode = v1alpha1.MysqlReplicationSemiSync
	w.Given(replication)
	w.settleUnits()
	if got := selects(); got != v1alpha2.RoleSource {
		t.Errorf("it selects role %q", got)
	}
	w.Erase(replication)
	w.settleUnits()
	if got := selects(); got != "" {
		t.Errorf("it selects role %q after a Replication that never gave a role has gone", got)
	}
	postgres := &v1alpha1.PostgresReplication{ObjectMeta: metav1.ObjectMeta{Name: "r", Namespace: controllertest.Namespace}}
	postgres.Spec.Primary.Name = "orders-0"
	w.Given(postgres)
	w.settleUnits()
	if got := selects(); got != v1alpha2.RoleSource {
		t.Errorf("it selects role %q under a PostgresReplication", got)
	}
}

// Clients that write would find the replicas of a deleted Replication read-only.
func TestTheExternalServiceLeadsToTheSourceThatADeletedReplicationLeft(t *testing.T) {
	w := newWorld(t, newSet(func(set *v1alpha2.UnitSet) { set.Spec.ExternalService = &v1alpha2.ExternalServiceSpec{} }))
	w.settleUnits()
	check := func(when, label, want string) {
		t.Helper()
		got := controllertest.Must[*corev1.Service](w.APIServer, "orders-svc").Spec.Selector
		for _, l := range []string{v1alpha2.LabelRole, v1alpha2.LabelUnit} {
			want := map[string]string{label: want}[l]
			if got[l] != want {
				t.Errorf("%s: it selects %s=%q, want %q", when, l, got[l], want)
			}
		}
	}
	r := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "r", Namespace: controllertest.Namespace, UID: "r1"}}
	r.Spec.Mode, r.Spec.Source.Name, r.Spec.UnitSet = v1alpha1.MysqlReplicationSemiSync, "orders-0", "orders"
	r.Status.CurrentSource, r.Status.Epoch = "orders-1", 3
	units := controllertest.All[*v1alpha2.Unit](w.APIServer)
	for _, u := range units {
		r.Status.Topology = append(r.Status.Topology, v1alpha1.ReplicationMemberStatus{Name: u.Name, UnitUID: u.UID})
	}
	record := func(recorded *v1alpha2.UnitReplication, role map[string]v1alpha2.ReleasedRole) {
		t.Helper()
		for _, u := range units {
			u := controllertest.Must[*v1alpha2.Unit](w.APIServer, u.Name)
			u.Status.Replication, u.Status.Released = recorded, nil
			if role[u.Name] != "" {
				u.Status.Released = &v1alpha2.UnitReleased{ReplicationUID: r.UID, Role: role[u.Name], Epoch: 3}
			}
			w.Given(u)
		}
		w.settleUnits()
	}
	w.Given(r)
	record(&v1alpha2.UnitReplication{Kind: v1alpha2.KindMysqlReplication, Name: "r", UID: r.UID, Epoch: 3}, nil)
	check("under the Replication", v1alpha2.LabelRole, v1alpha2.RoleSource)
	// Its labels go before it does.
	r.Finalizers = []string{v1alpha2.FinalizerReplication}
	w.Given(r)
	w.Delete(r)
	w.settleUnits()
	check("while it is being deleted", v1alpha2.LabelUnit, "orders-1")
	w.Erase(controllertest.Must[*v1alpha1.MysqlReplication](w.APIServer, "r"))
	w.settleUnits()
	check("before the units have recorded how it left them", v1alpha2.LabelUnit, "orders-1")
	record(nil, map[string]v1alpha2.ReleasedRole{"orders-0": v1alpha2.ReleasedReplica, "orders-1": v1alpha2.ReleasedSource})
	check("when they have", v1alpha2.LabelUnit, "orders-1")
	record(nil, map[string]v1alpha2.ReleasedRole{"orders-0": v1alpha2.ReleasedReplica, "orders-1": v1alpha2.ReleasedReplica})
	check("where the source was none of the set's", v1alpha2.LabelRole, v1alpha2.RoleSource)
	record(nil, nil)
	check("where no unit was given a role", "", "")
}

func TestDataOnAnEmptyDirIsWarnedOf(t *testing.T) {
	w := newWorld(t, newSet(func(set *v1alpha2.UnitSet) { set.Spec.Storages = nil }))
	w.settleUnits()
	w.wantCondition(v1alpha2.ConditionDataOnEmptyDir, v1alpha2.ConditionDataOnEmptyDir)
	if warnings := slices.DeleteFunc(w.said(), func(e string) bool { return !strings.Contains(e, v1alpha2.ConditionDataOnEmptyDir) }); len(warnings) != 1 {
		t.Errorf("warnings: %q", warnings)
	}
	volumes := w.unit(0).Spec.Template.Spec.Volumes
	if len(volumes) != 1 || volumes[0].Name != podspec.DataName || volumes[0].EmptyDir == nil {
		t.Errorf("volumes: %+v", volumes)
	}
}

func TestAHashCollisionGetsAnotherName(t *testing.T) {
	twin := newWorld(t, newSet())
	twin.settle()
	name := twin.set().Status.UpdateRevision

	w := newWorld(t, newSet())
	w.Given(&appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: controllertest.Namespace,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(w.set(), controllerKind)},
	}})
	w.settleUnits()
	status := w.set().Status
	if status.UpdateRevision == name || status.UpdateRevision == "" || deref(status.CollisionCount) != 1 {
		t.Errorf("revision %s, collisions %d", status.UpdateRevision, deref(status.CollisionCount))
	}
	w.wantCondition(v1alpha2.ConditionReady, v1alpha2.ReasonAllUnitsReady)
}

func TestAPackageThatIsGoneLeavesItsUnitsAlone(t *testing.T) {
	w := newWorld(t, newSet())
	w.settleUnits()
	want := w.objects()
	w.packages.Uninstall("mysql-8.4")
	w.Written()
	w.settleUnits()
	if d := cmp.Diff(want, w.objects()); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("it writes %v", writes)
	}
}
