// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/membership"
)

// What is read live: the content of objects of which informers keep the metadata
// only, and a child that is about to be written.

// isAlive says whether the set as it was observed still exists and is not being
// deleted.
func (c *control) isAlive(ctx context.Context, set *v1alpha2.UnitSet) (bool, error) {
	live, err := c.readSet(ctx, set)
	return live != nil && live.DeletionTimestamp == nil, err
}

// isCurrent says whether the spec is still what was observed: what deletes data is
// not done by a cache that may be late.
func (c *control) isCurrent(ctx context.Context, set *v1alpha2.UnitSet) (bool, error) {
	live, err := c.readSet(ctx, set)
	return live != nil && live.DeletionTimestamp == nil && live.Generation == set.Generation, err
}

// readSet is the set as it is now; nil if it is gone. The next sync is when the
// cache has it too.
func (c *control) readSet(ctx context.Context, set *v1alpha2.UnitSet) (*v1alpha2.UnitSet, error) {
	live, err := c.upm.UpmV1alpha2().UnitSets(set.Namespace).Get(ctx, set.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && live.UID != set.UID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.Record(set, unitSetsResource, live)
	return live, nil
}

// readMembership is a unit's membership in one Replication as that is now. The next
// sync is when the cache has it too.
func (c *control) readMembership(ctx context.Context, set *v1alpha2.UnitSet, u *observedUnit, in *membership.Replication) (membership.Membership, error) {
	unit := membership.Unit{Namespace: set.Namespace, Name: u.Name, Set: set.Name}
	var mysqls []*v1alpha1.MysqlReplication
	var postgreses []*v1alpha1.PostgresReplication
	switch in.Kind {
	case membership.KindMysql:
		live, err := c.upm.UpmV1alpha1().MysqlReplications(set.Namespace).Get(ctx, in.Name, metav1.GetOptions{})
		if err != nil {
			return membership.Membership{}, ignoreNotFound(err)
		}
		c.Record(set, mysqlsResource, live)
		mysqls = append(mysqls, live)
	case membership.KindPostgres:
		live, err := c.upm.UpmV1alpha1().PostgresReplications(set.Namespace).Get(ctx, in.Name, metav1.GetOptions{})
		if err != nil {
			return membership.Membership{}, ignoreNotFound(err)
		}
		c.Record(set, postgresesResource, live)
		postgreses = append(postgreses, live)
	}
	return membership.Resolve(unit, mysqls, postgreses), nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
