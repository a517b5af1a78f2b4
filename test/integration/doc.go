// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration runs the operator's own binary, as a process with a
// kubeconfig, against a real API server (the light mode of test/bed: etcd,
// kube-apiserver, kube-controller-manager, no nodes). Between the two stands a
// proxy that sees every request: it counts writes, kills the operator at a chosen
// one, delays watches, and compares what was called with what RBAC grants.
//
// Pods never run here; what needs a kubelet is in test/e2e.
package integration
