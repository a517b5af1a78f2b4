// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// syncClaim makes a volume for a claim and binds the two, as a provisioner and the
// volume controller would: that one must not run beside it.
func (f *Fleet) syncClaim(ctx context.Context, key cache.ObjectName) error {
	obj, exists, err := f.claims.GetStore().GetByKey(key.String())
	if err != nil || !exists {
		return err
	}
	claim := obj.(*corev1.PersistentVolumeClaim)
	if claim.DeletionTimestamp != nil || claim.Status.Phase == corev1.ClaimBound {
		return nil
	}
	volume := "fleet-" + string(claim.UID)
	class := ""
	if claim.Spec.StorageClassName != nil {
		class = *claim.Spec.StorageClassName
	}
	capacity := corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]}
	_, err = f.kube.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: volume},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: capacity, AccessModes: claim.Spec.AccessModes, StorageClassName: class,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/nowhere"}},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
		},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	bound := claim
	if claim.Spec.VolumeName == "" {
		next := claim.DeepCopy()
		next.Spec.VolumeName = volume
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, "pv.kubernetes.io/bind-completed", "yes")
		if bound, err = f.kube.CoreV1().PersistentVolumeClaims(claim.Namespace).Update(ctx, next, metav1.UpdateOptions{}); err != nil {
			return gone(err)
		}
	}
	next := bound.DeepCopy()
	next.Status.Phase, next.Status.Capacity, next.Status.AccessModes = corev1.ClaimBound, capacity, claim.Spec.AccessModes
	_, err = f.kube.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, next, metav1.UpdateOptions{})
	return gone(err)
}
