// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Resolver resolves memberships from caches.
type Resolver struct {
	mysql    *slim.Informer[*v1alpha1.MysqlReplication]
	postgres *slim.Informer[*v1alpha1.PostgresReplication]
}

// NewResolver reads from these informers.
func NewResolver(mysql *slim.Informer[*v1alpha1.MysqlReplication], postgres *slim.Informer[*v1alpha1.PostgresReplication]) Resolver {
	return Resolver{mysql: mysql, postgres: postgres}
}

// Get is a Replication as far as a unit is concerned, whether it lists the unit or
// not; nil if that very object is gone.
func (r Resolver) Get(unit Unit, kind, name string, uid types.UID) *Replication {
	key := cache.NewObjectName(unit.Namespace, name)
	switch kind {
	case KindMysql:
		if m, ok := r.mysql.Get(key); ok && m.UID == uid {
			return newMysql(unit, m)
		}
	case KindPostgres:
		if p, ok := r.postgres.Get(key); ok && p.UID == uid {
			return newPostgres(unit, p)
		}
	}
	return nil
}

// Of a unit.
func (r Resolver) Of(unit Unit) Membership {
	key := cache.NewObjectName(unit.Namespace, unit.Name).String()
	mysql, postgres := r.mysql.ByIndex(slim.ByMember, key), r.postgres.ByIndex(slim.ByMember, key)
	if unit.Set != "" {
		set := cache.NewObjectName(unit.Namespace, unit.Set).String()
		mysql, postgres = union(mysql, r.mysql.ByIndex(slim.ByMemberSet, set)), union(postgres, r.postgres.ByIndex(slim.ByMemberSet, set))
	}
	return Resolve(unit, mysql, postgres)
}

// union of two answers of one informer, each object once.
func union[T comparable](a, b []T) []T {
	for _, x := range b {
		if !slices.Contains(a, x) {
			a = append(a, x)
		}
	}
	return a
}

// AddHandlers enqueues the units that a Replication lists when it appears, changes or goes:
// names are "<namespace>/<unit>", sets "<namespace>/<unitset>" of which all units are
// meant.
func (r Resolver) AddHandlers(wake func(names, sets []string)) error {
	return errors.Join(
		r.mysql.OnChange(func(m *v1alpha1.MysqlReplication) {
			index := slim.MysqlMembers()
			wake(index[slim.ByMember](m), index[slim.ByMemberSet](m))
		}),
		r.postgres.OnChange(func(p *v1alpha1.PostgresReplication) {
			index := slim.PostgresMembers()
			wake(index[slim.ByMember](p), index[slim.ByMemberSet](p))
		}),
	)
}

// AddUnitHandlers wakes the units that a Replication lists when it appears, changes or
// goes.
func (r Resolver) AddUnitHandlers(units *slim.Informer[*slim.Unit], wake func(unit cache.ObjectName)) error {
	return r.AddHandlers(func(names, sets []string) {
		for _, name := range names {
			if unit, err := cache.ParseObjectName(name); err == nil {
				wake(unit)
			}
		}
		for _, set := range sets {
			for _, u := range units.ByIndex(slim.ByUnitSet, set) {
				wake(cache.MetaObjectToName(u))
			}
		}
	})
}
