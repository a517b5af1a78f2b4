// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package interlock keeps an operation of a unit and a restart of its pod apart. A
// call that runs holds the restart up, by its name; a call that is queued never
// does: it waits for the restart.
//
// There are two flags, each with one writer. A call's is its intent
// (status.operation), which the GrpcCall controller stores before an agent hears of
// the operation. A unit's is its condition UpdatePending with the reason Restarting,
// which the Unit controller stores before it deletes the pod, and keeps until the pod
// is gone. Each raises its own flag first, then reads the other's from the API server
// and not from a cache: so if both begin at once, at least one of them sees it.
//
//   - The restart gives way: it turns its reason into OperationRunning, and begins
//     again when the call has its result.
//   - A call with an intent hands nothing over while the reason is Restarting. Either
//     the restart gives way to it, or the operation starts in the next pod.
//   - A call without an intent gets none while there is either reason. So the calls
//     of a long queue cannot keep a restart off for ever.
//
// What is left of the race is an operator that slept between its read and its
// deletion while another one was elected and worked. Then an operation is interrupted
// like by any other loss of its pod: the agent's journal lets it go on or fail
// honestly, and never run twice.
//
// A UnitSet that scales down holds its unit's removal up in the same way, and tells
// the unit by the annotation unit-operator.io/evacuate, so that no other call gets an
// intent meanwhile. It reads the calls from the API server right before it deletes
// the unit, and raises no flag before that: a call that gets its intent between the
// two ends with its unit, as it does when a user deletes that.
//
// Deletions by users, of a Unit, of a set, of a pod, wait for nothing.
package interlock
