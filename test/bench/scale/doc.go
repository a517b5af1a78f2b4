// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command scale measures the operator against many sets: how long N sets of three take
// beside N StatefulSets (Parallel) of the same pods and claims in the same cluster, what
// a unit costs in calls to the API server, what the operator needs at rest and after a
// restart, and whether units whose agents are gone slow a new one down.
//
// The control plane is real and runs in this process's network namespace, which it does
// not share; nodes, kubelets, volumes and agents are package fleet's. hack/bench-scale.sh
// runs it and docs/performance.md has its figures.
package main
