// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package unit makes a Unit real: the Secret of its agent's identity, its claims
// and its Pod, the node it is bound to, and what its agent is told before the
// server may start.
//
// It is the only part of the operator that creates and deletes Pods and claims,
// and the only writer of a Unit's status. The pod itself is built by the
// subpackage podspec.
//
// Invariants:
//
//   - Never two pods: a pod has the Unit's name, is deleted only by UID, and the
//     next one is made when the API server says that it is gone. That is not enough
//     for the member of a Replication: its pod has a finalizer until the end of its
//     processes is proven (ended.go), and what proved it is in the status first.
//   - Who owns a unit is in the status (status.replication) before its agent hears of
//     it, and its pod is held before that (ownership.go). A unit that its Replication
//     leaves goes on in its role.
//   - A Unit that has a recorded database (status.dataIdentity) is never given
//     an empty one: its agent is told what to expect. The record is given up only
//     on request (annotation unit-operator.io/reinit), or when it lay on an
//     emptyDir that went with its pod and no Replication holds the data. Giving
//     up is written to the status before an agent hears of it.
//   - What somebody else made is never adopted, changed or deleted.
//   - The template of a Unit restarts its pod; a newer agent image never does. An
//     operation that runs in it holds the restart up, one that is queued never does:
//     see package interlock.
//   - At rest nothing is written and no agent is called: the status tells what
//     the agent of this very pod has acknowledged.
//   - Every wait has a condition that says what for and what ends it.
package unit
