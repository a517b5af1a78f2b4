// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ownerref answers who owns an object, by UID and never by name alone.
package ownerref

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// New is a controller reference to owner.
func New(owner metav1.Object, kind schema.GroupVersionKind) *metav1.OwnerReference {
	return metav1.NewControllerRef(owner, kind)
}

// ControlledBy tells whether owner is the controller of obj.
func ControlledBy(obj, owner metav1.Object) bool { return ControlledByUID(obj, owner.GetUID()) }

// ControlledByUID tells whether the object with that uid is the controller of obj.
func ControlledByUID(obj metav1.Object, uid types.UID) bool {
	ref := metav1.GetControllerOfNoCopy(obj)
	return ref != nil && ref.UID == uid
}

// Controller is the key and UID of the controller of obj, if it is of that kind.
// The caller looks the key up and compares the UID.
func Controller(obj metav1.Object, kind schema.GroupVersionKind) (key cache.ObjectName, uid types.UID, ok bool) {
	ref := metav1.GetControllerOfNoCopy(obj)
	if ref == nil || ref.Kind != kind.Kind {
		return cache.ObjectName{}, "", false
	}
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil || gv.Group != kind.Group {
		return cache.ObjectName{}, "", false
	}
	return cache.NewObjectName(obj.GetNamespace(), ref.Name), ref.UID, true
}
