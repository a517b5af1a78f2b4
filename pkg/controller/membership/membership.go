// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Kinds of Replications.
const (
	KindMysql    = "MysqlReplication"
	KindPostgres = "PostgresReplication"
)

// Unit is what a Replication knows a unit by.
type Unit struct {
	Namespace, Name string
	// Set is the UnitSet that the unit is part of; empty for a standalone one.
	Set string
}

// Of a Unit.
func Of(u *slim.Unit) Unit { return Unit{Namespace: u.Namespace, Name: u.Name, Set: slim.SetOf(u)} }

// Replication is one that lists a unit, as far as that unit is concerned.
type Replication struct {
	Kind, Name string
	UID        types.UID
	// Deleting: it is being deleted.
	Deleting bool
	// Epoch of its status.
	Epoch int64
	// Source is the member that accepts writes, empty if none does; SourceHost and
	// SourcePort are where the other members reach it, empty and 0 if its spec does not
	// name it any more.
	Source     string
	SourceHost string
	SourcePort int32
	// LabelsRoles: it labels the members' pods with their roles.
	LabelsRoles bool
	// MayReplace: the data of its source may be replaced by any call, for its controller
	// takes no part in that. Else Replacer is the call that may now; empty: none.
	MayReplace bool
	Replacer   types.UID
	// Listed: its spec names the unit, or the unit's set. Member is what its status.topology says of the
	// unit; nil if that does not name it.
	Listed bool
	Member *v1alpha1.ReplicationMemberStatus
}

// String is the kind and the name, as in messages.
func (r *Replication) String() string { return r.Kind + " " + r.Name }

// Membership of a unit.
type Membership struct {
	// Owner is nil for a unit that no Replication lists.
	Owner *Replication
	// Others list the unit as well, the oldest first. They must not touch it.
	Others []*Replication
}

// Contested says whether more than one Replication lists the unit: nothing may be
// done to it then that cannot be undone.
func (m Membership) Contested() bool { return len(m.Others) > 0 }

// Names of the others for messages.
func (m Membership) Names() string {
	names := make([]string, 0, len(m.Others))
	for _, r := range m.Others {
		names = append(names, r.String())
	}
	return strings.Join(names, ", ")
}

// Resolve the membership of a unit in Replications of its namespace. Those that do not
// list it do not matter.
func Resolve(unit Unit, mysql []*v1alpha1.MysqlReplication, postgres []*v1alpha1.PostgresReplication) Membership {
	var listers []aged
	for _, r := range mysql {
		if l := newMysql(unit, r); l.lists() && r.Namespace == unit.Namespace {
			listers = append(listers, aged{l, r.CreationTimestamp.Unix()})
		}
	}
	for _, r := range postgres {
		if l := newPostgres(unit, r); l.lists() && r.Namespace == unit.Namespace {
			listers = append(listers, aged{l, r.CreationTimestamp.Unix()})
		}
	}
	slices.SortFunc(listers, func(a, b aged) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.UID, b.UID))
	})
	var m Membership
	for i, l := range listers {
		if i == 0 {
			m.Owner = l.Replication
			continue
		}
		m.Others = append(m.Others, l.Replication)
	}
	return m
}

// aged is a Replication and when it was created, in seconds as the API has it.
type aged struct {
	*Replication
	created int64
}

// members that a spec lists: by their names, and the units of a set.
type members struct {
	named map[string]address
	set   string
	// port of the units of the set that are not named.
	port int32
}

// address of a member.
type address struct {
	host string
	port int32
}

func newMysql(unit Unit, r *v1alpha1.MysqlReplication) *Replication {
	members := members{set: r.Spec.UnitSet, port: r.Spec.Source.Port, named: map[string]address{
		r.Spec.Source.Name: {r.Spec.Source.Host, r.Spec.Source.Port},
	}}
	for _, m := range r.Spec.Replica {
		members.named[m.Name] = address{m.Host, m.Port}
	}
	out := &Replication{
		Kind: KindMysql, Name: r.Name, UID: r.UID, Deleting: r.DeletionTimestamp != nil,
		Epoch: r.Status.Epoch, Source: r.Status.CurrentSource,
		LabelsRoles: r.Spec.Mode != v1alpha1.MysqlReplicationGroup,
		MayReplace:  r.Spec.Mode == v1alpha1.MysqlReplicationGroup,
	}
	return out.of(unit, members, r.Status.Data, r.Status.Topology)
}

func newPostgres(unit Unit, r *v1alpha1.PostgresReplication) *Replication {
	members := members{set: r.Spec.UnitSet, port: r.Spec.Primary.Port, named: map[string]address{
		r.Spec.Primary.Name: {r.Spec.Primary.Host, r.Spec.Primary.Port},
	}}
	for _, m := range r.Spec.Standby {
		members.named[m.Name] = address{m.Host, m.Port}
	}
	out := &Replication{
		Kind: KindPostgres, Name: r.Name, UID: r.UID, Deleting: r.DeletionTimestamp != nil,
		Epoch: r.Status.Epoch, Source: r.Status.CurrentPrimary, LabelsRoles: true,
	}
	return out.of(unit, members, r.Status.Data, r.Status.Topology)
}

// of completes a Replication with what it says of the unit.
func (r *Replication) of(unit Unit, spec members, data *v1alpha1.ReplicationData, topology []v1alpha1.ReplicationMemberStatus) *Replication {
	if data != nil && data.Replacement != nil {
		r.Replacer = data.Replacement.By
	}
	if source, ok := spec.named[r.Source]; ok {
		r.SourceHost, r.SourcePort = source.host, source.port
	} else if r.Source != "" && spec.set != "" {
		// A unit of the set, by the name that it has in the set's headless Service.
		r.SourceHost, r.SourcePort = r.Source+"."+spec.set+"-headless-svc."+unit.Namespace, spec.port
	}
	_, named := spec.named[unit.Name]
	r.Listed = named || spec.set != "" && spec.set == unit.Set
	if i := slices.IndexFunc(topology, func(m v1alpha1.ReplicationMemberStatus) bool { return m.Name == unit.Name }); i >= 0 {
		r.Member = &topology[i]
	}
	return r
}

// lists says whether it lists the unit.
func (r *Replication) lists() bool { return r.Member != nil || r.Listed && !r.Deleting }
