// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// +k8s:deepcopy-gen=false

// Watched is what a controller knows of the users' Secrets and ConfigMaps that its
// objects refer to. References and Scope are such.
type Watched interface {
	Set(owner cache.ObjectName, refs []Reference)
	Forget(owner cache.ObjectName)
	Get(ref Reference) (seen Seen, known bool)
	Learn(ref Reference, seen Seen)
}

// See a referenced object: the API is asked only for what no watch has reported yet.
func See(ctx context.Context, w Watched, kube kubernetes.Interface, ref Reference) (Seen, error) {
	if seen, known := w.Get(ref); known {
		return seen, nil
	}
	if ref.Kind == Secret {
		obj, err := kube.CoreV1().Secrets(ref.Key.Namespace).Get(ctx, ref.Key.Name, metav1.GetOptions{})
		return LearnRead(w, ref, obj, err)
	}
	obj, err := kube.CoreV1().ConfigMaps(ref.Key.Namespace).Get(ctx, ref.Key.Name, metav1.GetOptions{})
	return LearnRead(w, ref, obj, err)
}

// LearnRead records in w what a live read has shown.
func LearnRead(w Watched, ref Reference, obj metav1.Object, err error) (Seen, error) {
	var seen Seen
	switch {
	case err == nil:
		seen = Seen{Exists: true, UID: obj.GetUID(), ResourceVersion: obj.GetResourceVersion()}
	case !apierrors.IsNotFound(err):
		return seen, err
	}
	w.Learn(ref, seen)
	return seen, nil
}
