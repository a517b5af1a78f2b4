// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/replication/postgresql"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// newPostgresReplication is the document's.
func newPostgresReplication(name string) *v1alpha1.PostgresReplication {
	member := func(i int) v1alpha1.PostgresReplicationMember {
		unit := fmt.Sprintf("postgresql-%d", i)
		return v1alpha1.PostgresReplicationMember{Name: unit, Host: unit + ".postgresql-headless-svc.ns", Port: 5432}
	}
	return &v1alpha1.PostgresReplication{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace, Generation: 1},
		Spec: v1alpha1.PostgresReplicationSpec{
			Mode:    v1alpha1.PostgresReplicationSync,
			Secret:  v1alpha1.PostgresReplicationSecret{Name: "users", Postgres: "admin", Replication: "replication"},
			Primary: member(0),
			Standby: []v1alpha1.PostgresStandbyMember{{PostgresReplicationMember: member(1)}, {PostgresReplicationMember: member(2)}},
		},
	}
}

func newPostgresWorld(t *testing.T, edits ...func(*v1alpha1.PostgresReplication)) *world {
	t.Helper()
	r := newPostgresReplication("orders")
	for _, edit := range edits {
		edit(r)
	}
	w := newWorldOf(t, &postgresKind, r)
	w.Given(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "users", Namespace: controllertest.Namespace},
		Data:       map[string][]byte{"admin": []byte("the-admins-password"), "replication": []byte("the-users-password")},
	})
	return w
}

// converged is a pass that records the first unit as the primary, and finds all well.
func converged(ctx context.Context, _ *Controller, j *journal, agents worker.Agents, _ *topology.Memory) (worker.Outcome, error) {
	loaded, err := j.Load(ctx)
	if err != nil {
		return worker.Outcome{}, err
	}
	to := loaded.Recorded
	plan := topology.Plan{State: postgresql.Healthy, Reason: postgresql.ReasonHealthy, Labels: map[string]topology.Role{}}
	for i := range loaded.Members {
		m := &loaded.Members[i]
		if !m.Owned {
			return worker.Outcome{}, fmt.Errorf("%s is not owned yet", m.Name)
		}
		row := v1alpha1.ReplicationMemberStatus{Name: m.Name, UnitUID: m.UnitUID, PodUID: m.PodUID, Role: v1alpha2.RoleReplica, Lag: v1alpha1.LagUnder10s}
		label := topology.RoleReplica
		if i == 0 {
			row.Role, row.Lag, label = v1alpha2.RoleSource, "", topology.RoleSource
		}
		plan.Members, plan.Labels[m.Name] = append(plan.Members, row), label
	}
	if to.Source == "" {
		to.Source, to.Epoch, to.Members = loaded.Members[0].Name, 1, plan.Members
		to.Data = v1alpha1.ReplicationData{SystemID: "7000", Timeline: 3, BeginLSN: "0/3000060"}
		change := topology.Change{Kind: topology.ChangeCommit, To: to, Reason: postgresql.EventAdopted, Message: "it is the primary"}
		if err := j.Save(ctx, loaded.Recorded, change); err != nil {
			return worker.Outcome{}, err
		}
	}
	for i := range loaded.Members {
		fence, target := agentclient.RoleFence{ReplicationUID: loaded.Request.UID, Epoch: to.Epoch}, loaded.Targets[loaded.Members[i].Name]
		if i == 0 {
			_, err = agents.Promote(ctx, target, agentclient.PromoteRequest{Fence: fence, Open: true, Channel: loaded.Channel})
		} else {
			_, err = agents.Follow(ctx, target, agentclient.FollowRequest{
				Fence: fence, Upstream: agentclient.Upstream{Name: to.Source, Host: loaded.Members[0].Host, Port: loaded.Members[0].Port}, Channel: loaded.Channel,
			})
		}
		if err != nil {
			return worker.Outcome{}, err
		}
	}
	return worker.Outcome{Plan: plan, Recorded: to}, nil
}

func TestAPostgresReplicationIsKeptInItsOwnWords(t *testing.T) {
	w := newPostgresWorld(t)
	w.controller.run = converged
	w.live()
	s := w.postgres().Status
	roles := map[string]string{}
	for _, m := range s.Topology {
		roles[m.Name] = m.Role
	}
	if d := cmp.Diff(map[string]string{"postgresql-0": "primary", "postgresql-1": "standby", "postgresql-2": "standby"}, roles); d != "" {
		t.Errorf("roles of the status: -want +got:\n%s", d)
	}
	if s.CurrentPrimary != "postgresql-0" || s.Standbys != 2 || s.ReadyStandbys != 2 || s.Lag != v1alpha1.LagUnder10s || s.Data == nil || s.Data.Timeline != 3 {
		t.Errorf("status %+v", s)
	}
	// Labels have the words of both kinds: externalService of a set selects by them.
	if d := cmp.Diff(map[string]string{"postgresql-0": "source", "postgresql-1": "replica", "postgresql-2": "replica"}, w.roles()); d != "" {
		t.Errorf("labels: -want +got:\n%s", d)
	}
	if c := w.condition(v1alpha1.ReplicationReady); c == nil || c.Status != metav1.ConditionTrue {
		t.Errorf("Ready %+v", c)
	}
	readWrite := controllertest.Must[*corev1.Service](w.APIServer, "orders-readwrite")
	want := corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, PublishNotReadyAddresses: true,
		Selector: map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelType: "postgresql", v1alpha2.LabelReplication: "orders", v1alpha2.LabelRole: "source"},
		Ports:    []corev1.ServicePort{{Name: "postgresql", Port: 5432, TargetPort: intstr.FromInt32(5432), Protocol: corev1.ProtocolTCP}},
	}
	if d := cmp.Diff(want, readWrite.Spec); d != "" {
		t.Errorf("-readwrite: -want +got:\n%s", d)
	}
	ref := metav1.GetControllerOf(controllertest.Must[*corev1.Secret](w.APIServer, "orders-channel"))
	if ref == nil || ref.Kind != "PostgresReplication" || ref.UID != w.postgres().UID {
		t.Errorf("the channel's Secret is controlled by %+v", ref)
	}
	w.agents.With(w.podUID(0), func(a *fake.Agent) {
		accounts := []agentclient.Account{
			{Name: "admin", Password: "the-admins-password", Purpose: agentclient.PurposePostgres},
			{Name: "replication", Password: "the-users-password", Purpose: agentclient.PurposeReplication},
		}
		if d := cmp.Diff(accounts, a.Accounts); d != "" {
			t.Errorf("accounts: -want +got:\n%s", d)
		}
	})
	events := strings.Join(w.said(), "\n")
	for _, reason := range []string{postgresql.EventAdopted, reasonAccountsApplied} {
		if !strings.Contains(events, reason) {
			t.Errorf("no event %s in:\n%s", reason, events)
		}
	}
	// Nothing is written at rest.
	w.Written()
	w.clock.Step(wholeInterval)
	w.pass()
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("written at rest: %v", writes)
	}
}

func TestWhatAPostgresReplicationCannotBeIsSaidInItsWords(t *testing.T) {
	for name, tc := range map[string]struct {
		edit     func(*v1alpha1.PostgresReplication)
		mentions []string
	}{
		"a set of another type": {func(r *v1alpha1.PostgresReplication) { r.Spec.UnitSet = "others" },
			[]string{"UnitSet others is of type mysql, a PostgresReplication replicates postgresql"}},
		"more acknowledgements than standbys": {func(r *v1alpha1.PostgresReplication) {
			r.Spec.Durability = &v1alpha1.ReplicationDurability{Replicas: new(int32(3))}
		}, []string{"3 and 2 standbys may acknowledge"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPostgresWorld(t, tc.edit)
			w.Given(&v1alpha2.UnitSet{
				ObjectMeta: metav1.ObjectMeta{Name: "others", Namespace: controllertest.Namespace},
				Spec:       v1alpha2.UnitSetSpec{Type: v1alpha2.UnitTypeMySQL, Units: new(int32(3))},
			})
			w.controller.run = undecided
			w.settle()
			w.wantCondition(v1alpha1.ReplicationInvalidSpec, v1alpha1.ReplicationInvalidSpec, tc.mentions...)
		})
	}
}

func TestAPostgresReplicationThatIsDeletedReleasesItsMembers(t *testing.T) {
	w := newPostgresWorld(t)
	w.controller.run = converged
	w.live()
	w.Delete(w.postgres())
	for range 5 {
		w.settle()
		w.pass()
	}
	if d := cmp.Diff(map[string]bool{"postgresql-0": true, "postgresql-1": true, "postgresql-2": true}, w.released()); d != "" {
		t.Errorf("released: -want +got:\n%s", d)
	}
	if _, there := controllertest.Get[*v1alpha1.PostgresReplication](w.APIServer, "orders"); there {
		t.Error("it stays although its members are released")
	}
	if len(w.roles()) > 0 {
		t.Errorf("labels stay: %v", w.roles())
	}
}

func TestReplicationsOfBothKindsMayHaveOneName(t *testing.T) {
	mysql := newServices(viewMysql(newReplication("orders")), 3306)
	for i, svc := range newServices(viewPostgres(newPostgresReplication("orders")), 5432) {
		if cmp.Equal(svc.Spec.Selector, mysql[i].Spec.Selector) {
			t.Errorf("Service %s selects the pods of both: %v", svc.Name, svc.Spec.Selector)
		}
	}
}

func TestNothingOfAPostgresReplicationIsLost(t *testing.T) {
	r := &v1alpha1.PostgresReplication{}
	n := 0
	fill(reflect.ValueOf(&r.Spec).Elem(), &n)
	fill(reflect.ValueOf(&r.Status).Elem(), &n)
	r.Status.Topology[0].Role = "standby"
	seen := viewPostgres(r)
	if d := cmp.Diff(r.Status, postgresStatus(seen.Status)); d != "" {
		t.Errorf("status: -want +got:\n%s", d)
	}
	if seen.Status.Topology[0].Role != v1alpha2.RoleReplica || r.Status.Topology[0].Role != "standby" {
		t.Errorf("%s is seen of %s", seen.Status.Topology[0].Role, r.Status.Topology[0].Role)
	}
	// Each value of a spec is another, and must be somewhere in what is seen of it.
	for _, kind := range []struct {
		name       string
		spec, seen any
	}{
		{"PostgresReplication", r.Spec, seen.Spec},
		{"MysqlReplication", filledMysql().Spec, viewMysql(filledMysql()).Spec},
	} {
		is := values(t, kind.seen)
		for _, value := range values(t, kind.spec) {
			if !slices.Contains(is, value) {
				t.Errorf("%s of a %s is lost", value, kind.name)
			}
		}
	}
}

func filledMysql() *v1alpha1.MysqlReplication {
	r := &v1alpha1.MysqlReplication{}
	n := 0
	fill(reflect.ValueOf(&r.Spec).Elem(), &n)
	return r
}

// values of the fields of x, however deep.
func values(t *testing.T, x any) []string {
	t.Helper()
	raw, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, part := range strings.FieldsFunc(string(raw), func(r rune) bool { return strings.ContainsRune("{}[],", r) }) {
		_, value, _ := strings.Cut(part, ":")
		out = append(out, value)
	}
	return out
}

// fill each field with a value that no other one has, as far as its type lets it.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("v%d", *n))
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(1000 + *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(fmt.Appendf(nil, "%d", 1000+*n))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.Map:
		key := reflect.New(v.Type().Key()).Elem()
		value := reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[metav1.Time]() {
			v.Set(reflect.ValueOf(metav1.Unix(int64(*n)*100, 0)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}
