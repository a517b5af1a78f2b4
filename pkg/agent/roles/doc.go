// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package roles makes a server what its Replication recorded: source, replica or
// isolated. It owns the changes of the record, the calls of engine.Replicator, and
// what keeps a recorded role in force while the operator is away.
//
// A call commits its record (fenced, fsynced) and then enforces it; the same
// enforcement runs when the server has been started, so a container that restarts
// resumes the recorded role without the operator. Rejoining is resumed, bootstrapping
// never is: nothing here invents a role.
//
// Invariants:
//
//   - The record is on disk before the server is changed.
//   - A call that returns nil has had its whole effect. ErrNotYet is the answer of one
//     that needs more time; the same call again goes on.
//   - A call that would lose transactions leaves the record as it was before, except
//     for its order.
//   - Nothing waits for a backup: what runs when the server leaves its role is
//     interrupted. Promote and Follow make way for operations that replace data, but in
//     a pod without a role they are recorded first: such an operation may wait for one.
//   - Demote and Isolate wait for nothing: not for an operation, not for another role
//     call, not for Tend. They cancel what is in their way.
//   - A server is opened only by a record that says source and open, in this pod,
//     without a hold, and after Promote succeeded on this start of the server.
//   - Nothing here touches the data volume except through the engine.
package roles
