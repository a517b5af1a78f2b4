// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package podspec turns a Unit into the pod and the claims that the API gets:
// pure functions, no calls, no clock.
//
// Invariants:
//
//   - The same Input gives the same Pod, byte by byte, and the Unit is never
//     changed.
//   - The agent image appears in the install container alone, so a newer agent
//     changes nothing else of a pod.
//   - What the template gives is kept: environment by name, mounts by path,
//     annotations by key, containers beside the database as they are. The
//     exceptions are what identifies a unit: its name, labels below
//     unit-operator.io/, and the variables that tell the agent who it is.
//   - A database container with its own command is left alone: it gets neither
//     supervise nor its probes, hook, environment or mounts.
//   - The unit's TLS Secret is mounted into the sidecar only.
//   - Build fails only for what admission cannot refuse, and says what to do.
package podspec
