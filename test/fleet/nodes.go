// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func nodeName(i int) string { return fmt.Sprintf("fleet-%d", i) }

// makeNodes that are ready.
func (f *Fleet) makeNodes(ctx context.Context) error {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("100k"), corev1.ResourceMemory: resource.MustParse("1Pi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("1Pi"),
		corev1.ResourcePods:             *resource.NewQuantity(int64(f.options.PodsPerNode), resource.DecimalSI),
	}
	now := metav1.Now()
	for i := range f.options.Nodes {
		name := nodeName(i)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
			"upm.api/software.mysql": "true", "upm.api/software.postgresql": "true", "upm.api/software.proxysql": "true",
		}}}
		made, err := f.kube.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			made, err = f.kube.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		}
		if err != nil {
			return err
		}
		made.Status.Capacity, made.Status.Allocatable = capacity, capacity
		made.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}}
		made.Status.Conditions = []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Fleet", LastHeartbeatTime: now, LastTransitionTime: now,
		}}
		made.Status.NodeInfo.KubeletVersion = "v1.37.0"
		made, err = f.kube.CoreV1().Nodes().UpdateStatus(ctx, made, metav1.UpdateOptions{})
		if err != nil {
			return err
		}
		if len(made.Spec.Taints) > 0 {
			// Admission taints nodes that do not say that they are ready when they are made.
			made.Spec.Taints = nil
			if _, err := f.kube.CoreV1().Nodes().Update(ctx, made, metav1.UpdateOptions{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// renewLeases until ctx ends, so that the nodes stay ready.
func (f *Fleet) renewLeases(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	leases := f.kube.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	for {
		for i := range f.options.Nodes {
			name, now := nodeName(i), metav1.NowMicro()
			lease, err := leases.Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}
				lease, err = leases.Create(ctx, lease, metav1.CreateOptions{})
			}
			if err == nil {
				lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &name, new(int32(40)), &now
				_, _ = leases.Update(ctx, lease, metav1.UpdateOptions{}) // the next round tries again
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// RemoveNodes of the fleet, after it has ended.
func (f *Fleet) RemoveNodes(ctx context.Context) {
	for i := range f.options.Nodes {
		_ = f.kube.CoreV1().Nodes().Delete(ctx, nodeName(i), metav1.DeleteOptions{})
	}
}
