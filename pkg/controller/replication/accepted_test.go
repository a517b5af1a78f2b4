// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func slimUnit(name string, uid types.UID, edits ...func(*slim.Unit)) *slim.Unit {
	u := &slim.Unit{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "ns", UID: uid, Annotations: map[string]string{v1alpha2.AnnotationRevision: "mysql-1"},
		Labels: map[string]string{v1alpha2.LabelUnitSet: "mysql", v1alpha2.LabelOrdinal: strings.TrimPrefix(name, "mysql-")},
	}, Type: v1alpha2.UnitTypeMySQL}
	for _, edit := range edits {
		edit(u)
	}
	return u
}

func TestPlanWanted(t *testing.T) {
	type edit = func(*wantedInput)
	set := func(units int32) *v1alpha2.UnitSet {
		s := &v1alpha2.UnitSet{ObjectMeta: metav1.ObjectMeta{Name: "mysql", Namespace: "ns"}}
		s.Spec.Type, s.Spec.Units = v1alpha2.UnitTypeMySQL, new(units)
		return s
	}
	bySet := func(units int32) edit {
		return func(in *wantedInput) {
			in.replication.Spec.UnitSet, in.replication.Spec.Replicas = "mysql", nil
			in.set, in.retiring = set(units), set(units)
		}
	}
	for name, tc := range map[string]struct {
		edit    edit
		members string
		invalid string
		missing string
	}{
		"the document's":                   {nil, "mysql-0/u0 mysql-1/u1 mysql-2/u2", "", ""},
		"a unit that is not there yet":     {func(in *wantedInput) { delete(in.units, "mysql-2") }, "mysql-0/u0 mysql-1/u1 mysql-2/", "", "mysql-2"},
		"one that was made again":          {func(in *wantedInput) { in.units["mysql-2"] = slimUnit("mysql-2", "other") }, "mysql-0/u0 mysql-1/u1 mysql-2/other", "", ""},
		"one that its set does not want":   {func(in *wantedInput) { delete(in.units, "mysql-2"); in.retiring = set(2) }, "mysql-0/u0 mysql-1/u1 mysql-2/", "", ""},
		"isolated":                         {func(in *wantedInput) { in.replication.Spec.Replicas[0].Isolated = true }, "mysql-0/u0 mysql-1/u1(isolated) mysql-2/u2", "", ""},
		"without replicas":                 {func(in *wantedInput) { in.replication.Spec.Replicas = nil }, "mysql-0/u0", "", ""},
		"by its set":                       {bySet(3), "mysql-0/u0 mysql-1/u1 mysql-2/u2", "", ""},
		"by its set, which grows":          {bySet(4), "mysql-0/u0 mysql-1/u1 mysql-2/u2 mysql-3/", "", "mysql-3"},
		"by its set, which has not shrunk": {bySet(2), "mysql-0/u0 mysql-1/u1 mysql-2/u2", "", ""},
		"by its set, which removes a unit": {func(in *wantedInput) {
			bySet(2)(in)
			in.units["mysql-2"].Annotations[v1alpha2.AnnotationEvacuate] = v1alpha2.EvacuateRemove
		}, "mysql-0/u0 mysql-1/u1", "", ""},
		"by its set, one of them special": {func(in *wantedInput) {
			bySet(3)(in)
			in.replication.Spec.Replicas = []v1alpha1.MysqlReplicaMember{{MysqlReplicationMember: v1alpha1.MysqlReplicationMember{Name: "mysql-2", Host: "h", Port: 1}, Isolated: true}}
		}, "mysql-0/u0 mysql-2/u2(isolated) mysql-1/u1", "", ""},
		"a set that is not there":               {func(in *wantedInput) { in.replication.Spec.UnitSet = "mysql" }, "", "UnitSet mysql does not exist", ""},
		"a set of another type":                 {func(in *wantedInput) { bySet(3)(in); in.set.Spec.Type = v1alpha2.UnitTypePostgreSQL }, "", "is of type postgresql", ""},
		"a unit of another type":                {func(in *wantedInput) { in.units["mysql-1"].Type = v1alpha2.UnitTypePostgreSQL }, "", "Unit mysql-1 is of type postgresql", ""},
		"a unit with a command of its own":      {func(in *wantedInput) { in.units["mysql-1"].OwnCommand = true }, "", "brings its own command", ""},
		"a port that its server does not serve": {func(in *wantedInput) { in.units["mysql-1"].SQLPort = 3307 }, "", "mysql-1 is to be reached at mysql-1.mysql-headless-svc.ns:3306, and its server listens on port 3307", ""},
		"a port of something that leads to it": {func(in *wantedInput) {
			in.units["mysql-1"].SQLPort, in.replication.Spec.Replicas[0].Host = 3307, "lb.example"
		}, "mysql-0/u0 mysql-1/u1 mysql-2/u2", "", ""},
		"two members at one address": {func(in *wantedInput) { in.replication.Spec.Replicas[1].Host = in.replication.Spec.Replicas[0].Host }, "", "the same address", ""},
		"more acknowledgements than members": {func(in *wantedInput) {
			in.replication.Spec.Durability = &v1alpha1.ReplicationDurability{Replicas: new(int32(3))}
		}, "", "durability.replicas is 3 and 2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := wantedInput{replication: viewMysql(newReplication("orders")), units: map[string]*slim.Unit{
				"mysql-0": slimUnit("mysql-0", "u0"), "mysql-1": slimUnit("mysql-1", "u1"), "mysql-2": slimUnit("mysql-2", "u2"),
			}}
			if tc.edit != nil {
				tc.edit(&in)
			}
			got := planWanted(in)
			var members []string
			if got.accepted != nil {
				for _, m := range got.accepted.Members {
					text := m.Name + "/" + string(m.UnitUID)
					if m.Isolated {
						text += "(isolated)"
					}
					members = append(members, text)
				}
			}
			if d := cmp.Diff(tc.members, strings.Join(members, " ")); d != "" {
				t.Errorf("members: -want +got:\n%s", d)
			}
			if tc.invalid == "" && got.invalid != "" || !strings.Contains(got.invalid, tc.invalid) {
				t.Errorf("invalid: %q, want %q", got.invalid, tc.invalid)
			}
			if d := cmp.Diff(tc.missing, strings.Join(got.missing, " ")); d != "" {
				t.Errorf("missing: -want +got:\n%s", d)
			}
		})
	}
}

func TestWhatWasAcceptedStandsWhileTheSpecIsInvalid(t *testing.T) {
	in := wantedInput{replication: viewMysql(newReplication("orders")), units: map[string]*slim.Unit{"mysql-1": slimUnit("mysql-1", "u1")}}
	before := planWanted(in).accepted
	in.replication.Status.Accepted = before
	in.units["mysql-1"].OwnCommand = true
	in.replication.Spec.Source.Name = "mysql-9"
	got := planWanted(in)
	if got.invalid == "" || got.accepted != before {
		t.Errorf("%+v", got)
	}
}
