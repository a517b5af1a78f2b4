// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"context"
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
)

// Configuration of an object that is applied.
type Configuration[A any] interface {
	GetName() *string
	WithUID(uid types.UID) A
}

// Applier is what is used of a typed client that applies.
type Applier[T metav1.Object, A any] interface {
	Client[T]
	Apply(ctx context.Context, want A, opts metav1.ApplyOptions) (T, error)
}

// Applied are children of which the operator owns some fields, and others may be
// anybody's.
type Applied[O, T metav1.Object, A Configuration[A]] struct {
	Children[O, T]
	applier func(namespace string) Applier[T, A]
	correct func(have T, want A) *Correction
}

// Correction of what applying does not remove: the fields of another manager.
type Correction struct {
	// Path of a field in a JSON patch, and what it is to be.
	Path  string
	Value any
}

// AppliedOf makes the Applied that a typed client writes. correct says what is wrong
// with an object that is there; nil for nothing.
func AppliedOf[O, T metav1.Object, A Configuration[A], C Applier[T, A]](w *Writer[O], kind Kind, client func(namespace string) C, correct func(have T, want A) *Correction) Applied[O, T, A] {
	return Applied[O, T, A]{
		Children: Of(w, kind, client),
		applier:  func(namespace string) Applier[T, A] { return client(namespace) },
		correct:  correct,
	}
}

// Apply makes a child what was asked for. What we own is ours, whoever edited it. seen
// says whether the cache shows it: one that it does not show is created.
func (c Applied[O, T, A]) Apply(ctx context.Context, owner O, want A, seen bool) error {
	name := *want.GetName()
	var have T
	var err error
	if seen {
		if have, seen, err = c.Get(ctx, owner, name); err != nil {
			return err
		}
	}
	if !seen {
		obj, err := asObject[T](want)
		if err != nil {
			return err
		}
		var created bool
		if have, created, err = c.Create(ctx, owner, obj); created || err != nil {
			return err
		}
	}
	want.WithUID(have.GetUID())
	if err := c.prepare(ctx, owner, have, want); err != nil {
		return err
	}
	written, err := c.applier(owner.GetNamespace()).Apply(ctx, want, metav1.ApplyOptions{FieldManager: c.w.manager, Force: true})
	if err != nil {
		return err
	}
	c.w.Record(owner, c.Resource, written)
	c.log(ctx, "Applied", name)
	return nil
}

// asObject is what an apply configuration says, as an object to create.
func asObject[T metav1.Object, A any](want A) (obj T, err error) {
	raw, err := json.Marshal(want)
	if err != nil {
		return obj, err
	}
	return obj, json.Unmarshal(raw, &obj)
}

// prepare an object that is there for what is applied next. What we own by a creation
// or a correction is made ours by application: else a field that is no longer asked for
// would stay.
func (c Applied[O, T, A]) prepare(ctx context.Context, owner O, have T, want A) error {
	patch := func(did string, body []byte) error {
		patched, err := c.of(owner).Patch(ctx, have.GetName(), types.JSONPatchType, body, c.w.patchOptions())
		if err == nil {
			have = patched
			c.log(ctx, did, have.GetName())
		}
		return err
	}
	if correction := c.correct(have, want); correction != nil {
		body, err := json.Marshal([]map[string]any{
			{"op": "test", "path": "/metadata/uid", "value": have.GetUID()},
			{"op": "add", "path": correction.Path, "value": correction.Value},
		})
		if err != nil {
			return err
		}
		if err := patch("Corrected", body); err != nil {
			return err
		}
	}
	byUpdate := func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager == c.w.manager && m.Operation == metav1.ManagedFieldsOperationUpdate && m.Subresource == ""
	}
	if !slices.ContainsFunc(have.GetManagedFields(), byUpdate) {
		return nil
	}
	body, err := csaupgrade.UpgradeManagedFieldsPatch(any(have).(runtime.Object), sets.New(c.w.manager), c.w.manager)
	if err != nil || body == nil {
		return err
	}
	return patch("Took over fields", body)
}
