// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster runs real Kubernetes clusters on one Linux machine, in two sizes.
//
// Light is a control plane (etcd, kube-apiserver, kube-controller-manager) of child processes on
// loopback, for integration tests: no root, ready in seconds, gone with the process that started it.
//
// Bed is a whole cluster of daemons: the control plane, a scheduler, DNS, volumes, and nodes with
// kubelet, kube-proxy and containerd, each in a network namespace of its own. It needs root.
//
// Invariants:
//   - Every step of Bed.Up is idempotent: it finds its work done or does it, so Up resumes after a
//     failure, a kill or a reboot, and is quick on a bed that runs.
//   - Everything a Bed makes on the machine can be found again without its memory (by the state
//     directory, the bed's prefix in names, or the control groups), and Down removes all of it; what
//     it cannot remove it names (Leftovers).
//   - Every connection verifies its peer's certificate.
package cluster
