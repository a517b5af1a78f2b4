// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
)

// NameConflictError says that a child's name belongs to somebody else's object.
type NameConflictError struct {
	Kind, Name string
	// Controller of that object; empty if it has none.
	Controller string
	// Hint is another way out than renaming or deleting it; may be empty.
	Hint string
}

func (e *NameConflictError) Error() string {
	owner := "has no controller"
	if e.Controller != "" {
		owner = "is controlled by " + e.Controller
	}
	return fmt.Sprintf("%s %s exists and %s, so it is neither used nor changed; it must be renamed or deleted%s", e.Kind, e.Name, owner, e.Hint)
}

// AsNameConflict says whether a name belongs to somebody else.
func AsNameConflict(err error) (*NameConflictError, bool) {
	return errors.AsType[*NameConflictError](err)
}

// IsOurs says whether an object is the owner's.
func (c Children[O, T]) IsOurs(owner O, obj metav1.Object) bool {
	return ownerref.ControlledBy(obj, owner) || c.Ours != nil && c.Ours(owner, obj)
}

// CheckOurs returns a NameConflictError unless the object is the owner's.
func (c Children[O, T]) CheckOurs(owner O, obj metav1.Object) error {
	if c.IsOurs(owner, obj) {
		return nil
	}
	conflict := &NameConflictError{Kind: c.Name, Name: obj.GetName()}
	if ref := metav1.GetControllerOfNoCopy(obj); ref != nil {
		conflict.Controller = ref.Kind + " " + ref.Name
		if ref.Kind == c.w.kind.Kind && ref.Name == owner.GetName() {
			conflict.Controller = fmt.Sprintf("an earlier %s of this name", ref.Kind)
		}
	} else if c.Hint != nil {
		conflict.Hint = c.Hint(owner, obj)
	}
	return conflict
}

// Get reads a child and makes sure that it is the owner's; there is false if none has
// the name.
func (c Children[O, T]) Get(ctx context.Context, owner O, name string) (obj T, there bool, err error) {
	obj, err = c.of(owner).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return obj, false, nil
	}
	if err != nil {
		return obj, false, fmt.Errorf("reading %s %s: %w", c.Name, name, err)
	}
	return obj, true, c.CheckOurs(owner, obj)
}

// Create makes a child that the cache does not show. One that is there already is
// success if it is the owner's: the cache was late. It returns what is there.
func (c Children[O, T]) Create(ctx context.Context, owner O, obj T) (there T, created bool, err error) {
	key := c.Name + "/" + owner.GetNamespace() + "/" + obj.GetName()
	if _, taken := c.w.taken.Load(key); taken {
		have, there, err := c.Get(ctx, owner, obj.GetName())
		if there || err != nil {
			return have, false, err
		}
		c.w.taken.Delete(key)
	}
	written, err := c.of(owner).Create(ctx, obj, metav1.CreateOptions{FieldManager: c.w.manager})
	switch {
	case apierrors.IsAlreadyExists(err):
		have, found, err := c.Get(ctx, owner, obj.GetName())
		if _, conflict := AsNameConflict(err); conflict {
			c.w.taken.Store(key, struct{}{})
		}
		if err == nil && !found {
			err = apierrors.NewConflict(c.Resource, obj.GetName(), errors.New("it existed and is gone"))
		}
		if err != nil {
			return have, false, err
		}
		c.w.Record(owner, c.Resource, have)
		return have, false, nil
	case err != nil:
		c.failedCreate(owner, obj.GetName(), err)
		return written, false, err
	}
	c.w.Record(owner, c.Resource, written)
	c.log(ctx, "Created", written.GetName())
	return written, true, nil
}

// failedCreate says that a child was refused. What only has to be tried again is no
// event.
func (c Children[O, T]) failedCreate(owner O, name string, err error) {
	if IsRefusal(err) {
		c.w.Events.Event(owner, nil, corev1.EventTypeWarning, v1alpha2.ReasonFailedCreate, ActionCreate,
			fmt.Sprintf("Error creating %s %s: %v", c.Name, name, err))
	}
}

// CreateLoudly is Create with an event, for children that users look for.
func (c Children[O, T]) CreateLoudly(ctx context.Context, owner O, obj T) (there T, created bool, err error) {
	there, created, err = c.Create(ctx, owner, obj)
	if created {
		c.w.Events.Normal(owner, v1alpha2.ReasonSuccessfulCreate, ActionCreate, "Created %s %s", c.Name, obj.GetName())
	}
	return there, created, err
}
