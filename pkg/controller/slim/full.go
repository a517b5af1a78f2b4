// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// ByMember finds the Replications that list a Unit, in their spec or in their
// status.topology. Its values are "<namespace>/<unit>". Which of them owns the unit is
// for package membership to say.
const ByMember = "member"

// ByMemberSet finds the Replications whose members are the units of a UnitSet. Its
// values are "<namespace>/<unitset>".
const ByMemberSet = "memberset"

// NewUnitSets makes the informer of UnitSets: whole ones, there are few.
func NewUnitSets(upm versioned.Interface, namespaces []string) (*Informer[*v1alpha2.UnitSet], error) {
	return newWhole(upm, namespaces, &v1alpha2.UnitSet{}, nil, upm.UpmV1alpha2().UnitSets)
}

// NewMysqlReplications makes the informer of MysqlReplications.
func NewMysqlReplications(upm versioned.Interface, namespaces []string) (*Informer[*v1alpha1.MysqlReplication], error) {
	return newWhole(upm, namespaces, &v1alpha1.MysqlReplication{}, MysqlMembers(), upm.UpmV1alpha1().MysqlReplications)
}

// NewPostgresReplications makes the informer of PostgresReplications.
func NewPostgresReplications(upm versioned.Interface, namespaces []string) (*Informer[*v1alpha1.PostgresReplication], error) {
	return newWhole(upm, namespaces, &v1alpha1.PostgresReplication{}, PostgresMembers(), upm.UpmV1alpha1().PostgresReplications)
}

// ByTarget finds the GrpcCalls of a Unit. Its values are "<namespace>/<unit>".
const ByTarget = "target"

// NewGrpcCalls makes the informer of GrpcCalls.
func NewGrpcCalls(upm versioned.Interface, namespaces []string) (*Informer[*v1alpha1.GrpcCall], error) {
	return newWhole(upm, namespaces, &v1alpha1.GrpcCall{}, CallTargets(), upm.UpmV1alpha1().GrpcCalls)
}

// CallTargets is the index ByTarget of GrpcCalls.
func CallTargets() map[string]func(*v1alpha1.GrpcCall) []string {
	return map[string]func(*v1alpha1.GrpcCall) []string{ByTarget: func(c *v1alpha1.GrpcCall) []string {
		return []string{c.Namespace + "/" + c.Spec.TargetUnit}
	}}
}

// MysqlMembers are the indexes ByMember and ByMemberSet of MysqlReplications.
func MysqlMembers() map[string]func(*v1alpha1.MysqlReplication) []string {
	return map[string]func(*v1alpha1.MysqlReplication) []string{
		ByMember: func(r *v1alpha1.MysqlReplication) []string {
			members := []string{r.Spec.Source.Name}
			for _, m := range r.Spec.Replica {
				members = append(members, m.Name)
			}
			return membersOf(r.Namespace, members, r.Status.Topology)
		},
		ByMemberSet: func(r *v1alpha1.MysqlReplication) []string { return memberSet(r.Namespace, r.Spec.UnitSet) },
	}
}

// PostgresMembers are the indexes ByMember and ByMemberSet of PostgresReplications.
func PostgresMembers() map[string]func(*v1alpha1.PostgresReplication) []string {
	return map[string]func(*v1alpha1.PostgresReplication) []string{
		ByMember: func(r *v1alpha1.PostgresReplication) []string {
			members := []string{r.Spec.Primary.Name}
			for _, m := range r.Spec.Standby {
				members = append(members, m.Name)
			}
			return membersOf(r.Namespace, members, r.Status.Topology)
		},
		ByMemberSet: func(r *v1alpha1.PostgresReplication) []string { return memberSet(r.Namespace, r.Spec.UnitSet) },
	}
}

func memberSet(namespace, set string) []string {
	if set == "" {
		return nil
	}
	return []string{namespace + "/" + set}
}

// membersOf a Replication are the units that its spec names, and those that it has not
// let go of yet; each once.
func membersOf(namespace string, spec []string, topology []v1alpha1.ReplicationMemberStatus) []string {
	var keys []string
	add := func(name string) {
		if key := namespace + "/" + name; name != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, name := range spec {
		add(name)
	}
	for i := range topology {
		add(topology[i].Name)
	}
	return keys
}

// newWhole informer of objects that are kept as they are.
func newWhole[T Type, L runtime.Object, C lister[L]](upm versioned.Interface, namespaces []string, example T, index map[string]func(T) []string, client func(namespace string) C) (whole *Informer[T], err error) {
	return whole, informer(&whole, namespaces, example, index, converted(func(x T) T {
		x.SetManagedFields(nil)
		return x
	}), "", upm, client)
}
