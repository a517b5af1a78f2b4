// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
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
	return Resolve(unit, r.mysql.ByIndex(slim.ByMember, key), r.postgres.ByIndex(slim.ByMember, key))
}
