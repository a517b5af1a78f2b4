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
	"k8s.io/client-go/util/retry"
)

func nodeName(i int) string { return fmt.Sprintf("fleet-%d", i) }

// makeNodes that are ready.
func (f *Fleet) makeNodes(ctx context.Context) error {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("100k"), corev1.ResourceMemory: resource.MustParse("1Pi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("1Pi"),
		corev1.ResourcePods:             *resource.NewQuantity(int64(f.options.PodsPerNode), resource.DecimalSI),
	}
	for i := range f.options.Nodes {
		name := nodeName(i)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
			"upm.api/software.mysql": "true", "upm.api/software.postgresql": "true", "upm.api/software.proxysql": "true",
		}}}
		if _, err := f.kube.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		// Controllers write to new nodes too.
		if err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { return f.reportNode(ctx, name, capacity) }); err != nil {
			return err
		}
	}
	return nil
}

// reportNode as ready, and take off the taint that admission gives to nodes that do not
// say so when they are made.
func (f *Fleet) reportNode(ctx context.Context, name string, capacity corev1.ResourceList) error {
	nodes, now := f.kube.CoreV1().Nodes(), metav1.Now()
	node, err := nodes.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	node.Status.Capacity, node.Status.Allocatable = capacity, capacity
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}}
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Fleet", LastHeartbeatTime: now, LastTransitionTime: now,
	}}
	node.Status.NodeInfo.KubeletVersion = "v1.37.0"
	node, err = nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{})
	if err != nil || len(node.Spec.Taints) == 0 {
		return err
	}
	node.Spec.Taints = nil
	_, err = nodes.Update(ctx, node, metav1.UpdateOptions{})
	return err
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
