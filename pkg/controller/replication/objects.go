// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Replication is one of either kind, in the words that are those in general: source and
// replica.
type Replication struct {
	metav1.ObjectMeta
	Kind   *kind
	Spec   Spec
	Status Status
}

// Spec of a Replication.
type Spec struct {
	Mode string
	// Secret and the keys of the accounts.
	Secret v1alpha1.AcceptedSecret
	// Source that is asked for, and the other members that are listed.
	Source   v1alpha1.MysqlReplicationMember
	Replicas []v1alpha1.MysqlReplicaMember
	UnitSet  string

	Failover   *v1alpha1.ReplicationFailover
	Durability *v1alpha1.ReplicationDurability
	Service    *v1alpha1.ReplicationServiceSpec
	AESSecret  *v1alpha1.JSON
}

// Status of a Replication: that of either kind has these fields, and no other.
type Status = v1alpha1.MysqlReplicationStatus

// owner of what the controller makes.
type owner = *Replication

// objects are the Replications of one kind, in their informer and in the API.
type objects interface {
	consistency.ResourceVersionReader
	resource() schema.GroupResource
	HasSynced() bool
	// get what the informer has. It is shared: never change it.
	get(key cache.ObjectName) (owner, bool)
	// indexed are the names of those with that index value.
	indexed(index, value string) []cache.ObjectName
	// onChange tells of one that appeared, changed or is gone, and of the units that it
	// lists.
	onChange(f func(key cache.ObjectName, units []string)) error

	// read what the API has.
	read(ctx context.Context, key cache.ObjectName) (owner, error)
	// setFinalizers and annotate the one that was read, with nil for an annotation that is
	// taken off.
	setFinalizers(ctx context.Context, w *child.Writer[owner], r owner, finalizers []string) error
	annotate(ctx context.Context, w *child.Writer[owner], r owner, name string, value any) error
	// patchStatus writes what differs from the status that was read, over that very one.
	patchStatus(ctx context.Context, w *child.Writer[owner], r owner, status Status) error
}

// objectsOf a type of the API, which say how they are seen here and how a status is
// written there.
type objectsOf[T slim.Type] struct {
	*slim.Informer[T]
	child.Kind
	client  func(namespace string) child.Client[T]
	members map[string]func(T) []string
	view    func(T) owner
	status  func(Status) any
}

func (o objectsOf[T]) resource() schema.GroupResource { return o.Resource }

func (o objectsOf[T]) get(key cache.ObjectName) (owner, bool) {
	r, there := o.Get(key)
	if !there {
		return nil, false
	}
	return o.view(r), true
}

func (o objectsOf[T]) indexed(index, value string) []cache.ObjectName {
	var keys []cache.ObjectName
	for _, r := range o.ByIndex(index, value) {
		keys = append(keys, cache.MetaObjectToName(r))
	}
	return keys
}

func (o objectsOf[T]) onChange(f func(key cache.ObjectName, units []string)) error {
	return o.OnChange(func(r T) { f(cache.MetaObjectToName(r), o.members[slim.ByMember](r)) })
}

func (o objectsOf[T]) read(ctx context.Context, key cache.ObjectName) (owner, error) {
	r, err := o.client(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w", o.Name, err)
	}
	return o.view(r), nil
}

func (o objectsOf[T]) setFinalizers(ctx context.Context, w *child.Writer[owner], r owner, finalizers []string) error {
	_, err := child.Of(w, o.Kind, o.client).SetFinalizers(ctx, r, r, finalizers)
	return err
}

func (o objectsOf[T]) annotate(ctx context.Context, w *child.Writer[owner], r owner, name string, value any) error {
	metadata := child.Annotation(name, value)
	metadata["resourceVersion"] = r.ResourceVersion
	_, _, err := child.Of(w, o.Kind, o.client).Patch(ctx, r, r, metadata, nil)
	return err
}

func (o objectsOf[T]) patchStatus(ctx context.Context, w *child.Writer[owner], r owner, status Status) error {
	ok, err := child.Of(w, o.Kind, o.client).PatchStatus(ctx, r, r, o.status(r.Status), o.status(status))
	if err == nil && !ok {
		return apierrors.NewConflict(o.Resource, r.Name, errors.New("it is gone"))
	}
	return err
}
