// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func meta(name string, uid types.UID, age time.Duration) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "ns", Name: name, UID: uid, CreationTimestamp: metav1.NewTime(testNow.Add(-age))}
}

// givenMysql whose source is the first unit.
func givenMysql(name string, uid types.UID, age time.Duration, units ...string) *v1alpha1.MysqlReplication {
	r := &v1alpha1.MysqlReplication{ObjectMeta: meta(name, uid, age)}
	for i, unit := range units {
		m := v1alpha1.MysqlReplicationMember{Name: unit, Host: unit + ".host", Port: 3306}
		if i == 0 {
			r.Spec.Source = m
			continue
		}
		r.Spec.Replica = append(r.Spec.Replica, v1alpha1.MysqlReplicaMember{MysqlReplicationMember: m})
	}
	return r
}

func givenPostgres(name string, uid types.UID, age time.Duration, units ...string) *v1alpha1.PostgresReplication {
	r := &v1alpha1.PostgresReplication{ObjectMeta: meta(name, uid, age)}
	for i, unit := range units {
		m := v1alpha1.PostgresReplicationMember{Name: unit, Host: unit + ".host", Port: 5432}
		if i == 0 {
			r.Spec.Primary = m
			continue
		}
		r.Spec.Standby = append(r.Spec.Standby, v1alpha1.PostgresStandbyMember{PostgresReplicationMember: m})
	}
	return r
}

func edited[T any](r *T, edit func(*T)) *T {
	edit(r)
	return r
}

func TestResolve(t *testing.T) {
	unit := Unit{Namespace: "ns", Name: "u1", Set: "u"}
	deleting := func(r *v1alpha1.MysqlReplication) { r.DeletionTimestamp = new(metav1.NewTime(testNow)) }
	inTopology := func(r *v1alpha1.MysqlReplication) {
		r.Status.Topology = []v1alpha1.ReplicationMemberStatus{{Name: "u0"}, {Name: "u1", Role: "replica"}}
	}
	type mysqls []*v1alpha1.MysqlReplication
	type postgreses []*v1alpha1.PostgresReplication
	for name, tc := range map[string]struct {
		mysql    mysqls
		postgres postgreses
		want     string
	}{
		"nobody lists it":                   {nil, nil, ""},
		"one that lists others":             {mysqls{givenMysql("a", "1", 0, "u0", "u2")}, nil, ""},
		"its source":                        {mysqls{givenMysql("a", "1", 0, "u1", "u2")}, nil, "MysqlReplication a"},
		"a replica":                         {mysqls{givenMysql("a", "1", 0, "u0", "u1")}, nil, "MysqlReplication a"},
		"a standby":                         {nil, postgreses{givenPostgres("a", "1", 0, "u0", "u1")}, "PostgresReplication a"},
		"one of another namespace":          {mysqls{edited(givenMysql("a", "1", 0, "u1"), func(r *v1alpha1.MysqlReplication) { r.Namespace = "other" })}, nil, ""},
		"the oldest":                        {mysqls{givenMysql("a", "1", 0, "u1"), givenMysql("b", "2", time.Hour, "u1")}, nil, "MysqlReplication b; MysqlReplication a"},
		"the lowest UID of the same second": {mysqls{givenMysql("a", "2", 0, "u1"), givenMysql("b", "1", time.Millisecond, "u1")}, nil, "MysqlReplication b; MysqlReplication a"},
		"the oldest of either kind": {
			mysqls{givenMysql("a", "1", time.Minute, "u1"), givenMysql("c", "3", 0, "u1")}, postgreses{givenPostgres("b", "2", time.Hour, "u1")},
			"PostgresReplication b; MysqlReplication a, MysqlReplication c",
		},
		"one that took it out of its spec and not out of its topology": {mysqls{edited(givenMysql("a", "1", 0, "u0"), inTopology)}, nil, "MysqlReplication a"},
		"one whose members are the units of its set": {
			mysqls{edited(givenMysql("a", "1", 0, "u0"), func(r *v1alpha1.MysqlReplication) { r.Spec.UnitSet = "u" })}, nil, "MysqlReplication a",
		},
		"one whose members are those of another set": {
			mysqls{edited(givenMysql("a", "1", 0, "u0"), func(r *v1alpha1.MysqlReplication) { r.Spec.UnitSet = "v" })}, nil, "",
		},
		"one that is being deleted and has not released it": {
			mysqls{edited(edited(givenMysql("a", "1", time.Hour, "u0", "u1"), deleting), inTopology), givenMysql("b", "2", 0, "u0", "u1")}, nil,
			"MysqlReplication a; MysqlReplication b",
		},
		"one that is being deleted and has released it": {
			mysqls{edited(givenMysql("a", "1", time.Hour, "u0", "u1"), deleting), givenMysql("b", "2", 0, "u0", "u1")}, nil, "MysqlReplication b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := Resolve(unit, tc.mysql, tc.postgres)
			got := ""
			if m.Owner != nil {
				got = m.Owner.String()
			}
			if m.Contested() {
				got += "; " + m.Names()
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestTheOwnerSaysWhatItKnowsOfTheUnit(t *testing.T) {
	r := givenMysql("a", "1", 0, "u0", "u1")
	r.Status = v1alpha1.MysqlReplicationStatus{
		CurrentSource: "u0", Epoch: 7, Topology: []v1alpha1.ReplicationMemberStatus{{Name: "u1", Role: "replica", CaughtUp: true}},
	}
	want := &Replication{
		Kind: KindMysql, Name: "a", UID: "1", Epoch: 7, Source: "u0", SourceHost: "u0.host", SourcePort: 3306, LabelsRoles: true, Listed: true,
		Member: &v1alpha1.ReplicationMemberStatus{Name: "u1", Role: "replica", CaughtUp: true},
	}
	got := Resolve(Unit{Namespace: "ns", Name: "u1"}, []*v1alpha1.MysqlReplication{r}, nil).Owner
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	p := givenPostgres("b", "2", 0, "u0", "u1")
	p.Status.CurrentPrimary = "u1"
	want = &Replication{Kind: KindPostgres, Name: "b", UID: "2", Source: "u1", SourceHost: "u1.host", SourcePort: 5432, LabelsRoles: true, Listed: true}
	got = Resolve(Unit{Namespace: "ns", Name: "u0"}, nil, []*v1alpha1.PostgresReplication{p}).Owner
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	// A source that only its set names.
	p.Spec.Standby, p.Spec.UnitSet, p.Status.CurrentPrimary = nil, "u", "u2"
	want = &Replication{Kind: KindPostgres, Name: "b", UID: "2", Source: "u2", SourceHost: "u2.u-headless-svc.ns", SourcePort: 5432, LabelsRoles: true, Listed: true}
	got = Resolve(Unit{Namespace: "ns", Name: "u1", Set: "u"}, nil, []*v1alpha1.PostgresReplication{p}).Owner
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// The index of an informer has no order.
func TestTheResolverAnswersTheSameEveryTime(t *testing.T) {
	mysqls, postgreses := slim.NewStatic(slim.MysqlMembers()), slim.NewStatic(slim.PostgresMembers())
	for i := range 8 {
		r := givenMysql(fmt.Sprintf("m%d", i), types.UID(fmt.Sprintf("%d", i)), time.Duration(i)*time.Second, "u0", "u1")
		if err := mysqls.Set(r); err != nil {
			t.Fatal(err)
		}
		p := givenPostgres(fmt.Sprintf("p%d", i), types.UID(fmt.Sprintf("1%d", i)), time.Duration(i)*time.Second, "u0", "u1")
		if err := postgreses.Set(p); err != nil {
			t.Fatal(err)
		}
	}
	set := givenMysql("set", "set", time.Millisecond, "u0", "u1")
	set.Spec.UnitSet = "u"
	if err := mysqls.Set(set); err != nil {
		t.Fatal(err)
	}
	resolver := NewResolver(mysqls, postgreses)
	first := resolver.Of(Unit{Namespace: "ns", Name: "u1", Set: "u"})
	if first.Owner == nil || first.Owner.Name != "p7" && first.Owner.Name != "m7" || len(first.Others) != 16 {
		t.Fatalf("owner %v, others %s", first.Owner, first.Names())
	}
	for range 50 {
		if d := cmp.Diff(first, resolver.Of(Unit{Namespace: "ns", Name: "u1", Set: "u"})); d != "" {
			t.Fatalf("it changed: -first +now:\n%s", d)
		}
	}
}
