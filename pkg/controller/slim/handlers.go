// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/controller/ownerref"
)

// OnChange calls f with everything that appears, changes or goes; with both sides of a
// change, since an owner or a member may have been taken out by it. It says nothing of a
// resync.
func OnChange[T Type](f func(T)) cache.TypedResourceEventHandlerFuncs[T] {
	return cache.TypedResourceEventHandlerFuncs[T]{
		AddFunc: f,
		UpdateFunc: func(old, current T) {
			if Changed(old, current) {
				f(old)
				f(current)
			}
		},
		DeleteFunc: func(deleted cache.DeletedObject[T]) {
			var none T
			if deleted.OptionalObj != none {
				f(deleted.OptionalObj)
			}
		},
	}
}

// OnChange adds the handler of that name.
func (i *Informer[T]) OnChange(f func(T)) error { return i.AddHandler(OnChange(f)) }

// Changed is false for a resync.
func Changed(old, current metav1.Object) bool {
	return old.GetResourceVersion() == "" || old.GetResourceVersion() != current.GetResourceVersion()
}

// OnAny calls f when anything of an informer appears, changes or goes.
func OnAny(f func()) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { f() },
		UpdateFunc: func(old, current any) {
			o, oldOK := old.(metav1.Object)
			n, newOK := current.(metav1.Object)
			if !oldOK || !newOK || Changed(o, n) {
				f()
			}
		},
		DeleteFunc: func(any) { f() },
	}
}

// Owner of a child: the object that controls it, or the one that a label of it names, which
// may be waiting for the child's name.
func Owner[T Type](owners *Informer[T], kind schema.GroupVersionKind, label string, child metav1.Object) (key cache.ObjectName, found bool) {
	if key, uid, ok := ownerref.Controller(child, kind); ok {
		if owner, found := owners.Get(key); found && owner.GetUID() == uid {
			return key, true
		}
	}
	key = cache.NewObjectName(child.GetNamespace(), child.GetLabels()[label])
	_, found = owners.Get(key)
	return key, found
}
