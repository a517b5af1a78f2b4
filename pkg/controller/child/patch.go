// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// Patch merges metadata and other fields into the one object that was seen. A
// resourceVersion in metadata makes one that has changed since refuse it, with a
// conflict. ok is false if the object is gone.
func (c Children[O, T]) Patch(ctx context.Context, owner O, seen metav1.Object, metadata, rest map[string]any, subresources ...string) (written T, ok bool, err error) {
	body := map[string]any{}
	maps.Copy(body, rest)
	meta := map[string]any{"uid": seen.GetUID()}
	maps.Copy(meta, metadata)
	body["metadata"] = meta
	patch, err := json.Marshal(body)
	if err != nil {
		return written, false, err
	}
	written, err = c.of(owner).Patch(ctx, seen.GetName(), types.MergePatchType, patch, c.w.patchOptions(), subresources...)
	if IsGone(err) {
		return written, false, nil
	}
	if err != nil {
		return written, false, err
	}
	c.w.Record(owner, c.Resource, written)
	c.log(ctx, "Patched", seen.GetName(), "fields", fieldsOf(metadata, rest))
	return written, true, nil
}

// fieldsOf a patch, without their values.
func fieldsOf(metadata, rest map[string]any) []string {
	var fields []string
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if key != "resourceVersion" {
			fields = append(fields, "metadata."+key)
		}
	}
	return append(fields, slices.Sorted(maps.Keys(rest))...)
}

// SetFinalizers of the object as it was seen. ok is false if it is gone.
func (c Children[O, T]) SetFinalizers(ctx context.Context, owner O, seen metav1.Object, finalizers []string) (ok bool, err error) {
	_, ok, err = c.Patch(ctx, owner, seen, map[string]any{"resourceVersion": seen.GetResourceVersion(), "finalizers": finalizers}, nil)
	return ok, err
}

// AddFinalizer to the object as it was seen. ok is false if it is gone.
func (c Children[O, T]) AddFinalizer(ctx context.Context, owner O, seen metav1.Object, finalizer string) (ok bool, err error) {
	return c.SetFinalizers(ctx, owner, seen, append(slices.Clone(seen.GetFinalizers()), finalizer))
}

// RemoveFinalizer of the object as it was seen, and no other. ok is false if it is gone.
func (c Children[O, T]) RemoveFinalizer(ctx context.Context, owner O, seen metav1.Object, finalizer string) (ok bool, err error) {
	return c.SetFinalizers(ctx, owner, seen, slices.DeleteFunc(slices.Clone(seen.GetFinalizers()), func(f string) bool { return f == finalizer }))
}

// PatchStatus writes what differs between two statuses of the object as it was seen:
// neither an operator that slept nor two at once write over what the other has recorded.
// ok is false if it is gone.
func (c Children[O, T]) PatchStatus(ctx context.Context, owner O, seen metav1.Object, before, after any) (ok bool, err error) {
	was, err := json.Marshal(map[string]any{"status": before})
	if err != nil {
		return false, err
	}
	is, err := json.Marshal(map[string]any{"status": after})
	if err != nil {
		return false, err
	}
	raw, err := jsonmergepatch.CreateThreeWayJSONMergePatch(was, is, was)
	if err != nil {
		return false, err
	}
	rest := map[string]any{}
	if err := json.Unmarshal(raw, &rest); err != nil {
		return false, err
	}
	_, ok, err = c.Patch(ctx, owner, seen, map[string]any{"resourceVersion": seen.GetResourceVersion()}, rest, "status")
	return ok, err
}

// Replace an object that was read as a whole: what a patch cannot do, which leaves keys
// that it does not name.
func (c Children[O, T]) Replace(ctx context.Context, owner O, obj T) (written T, err error) {
	written, err = c.of(owner).Update(ctx, obj, metav1.UpdateOptions{FieldManager: c.w.manager})
	if err != nil {
		return written, err
	}
	c.w.Record(owner, c.Resource, written)
	c.log(ctx, "Replaced", obj.GetName())
	return written, nil
}

// Delete the one object that was seen, and no other by its name. grace is nil for the
// object's own. That it is gone, or another one has its name, is no error.
func (c Children[O, T]) Delete(ctx context.Context, owner O, name string, uid types.UID, why string, grace *int64) error {
	err := c.of(owner).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: grace, Preconditions: metav1.NewUIDPreconditions(string(uid))})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return err
	}
	c.log(ctx, "Deleted", name, "why", why)
	return nil
}

// DeleteLoudly is Delete with an event, for children that users look for.
func (c Children[O, T]) DeleteLoudly(ctx context.Context, owner O, name string, uid types.UID, why string) error {
	err := c.Delete(ctx, owner, name, uid, why, nil)
	if err == nil {
		c.w.Events.Normal(owner, v1alpha2.ReasonSuccessfulDelete, actionDelete, "Deleting %s %s: %s", c.Name, name, why)
	}
	return err
}
