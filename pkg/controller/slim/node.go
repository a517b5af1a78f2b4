// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Node is what controllers look at of a node: whether it is there, reports, and is in
// service.
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type Node struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	// Ready is the status of its condition Ready; Unknown means that its kubelet
	// does not report.
	Ready corev1.ConditionStatus
	// OutOfService: a person says by the taint of that name that nothing runs on it.
	OutOfService bool
}

// FromNode makes a Node.
func FromNode(n *corev1.Node) *Node {
	out := &Node{ObjectMeta: metav1.ObjectMeta{
		Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion, DeletionTimestamp: n.DeletionTimestamp,
	}}
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == corev1.NodeReady {
			out.Ready = n.Status.Conditions[i].Status
		}
	}
	for i := range n.Spec.Taints {
		if n.Spec.Taints[i].Key == corev1.TaintNodeOutOfService {
			out.OutOfService = true
		}
	}
	return out
}

// NewNodes makes the informer of the cluster's nodes.
func NewNodes(kube kubernetes.Interface) (*Informer[*Node], error) {
	return newInformer(source[*Node]{
		namespaces: AllNamespaces, example: &corev1.Node{}, convert: converted(FromNode),
		listWatch: func(string) cache.ListerWatcher { return listWatch("", kube, kube.CoreV1().Nodes()) },
	})
}
