// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operations runs a unit's operations: backups, restores, clones, changed
// variables. The engines bring the actions, this package what all of them need: one
// at a time, exactly once, an end that is recorded.
//
// Invariants:
//
//   - A record is in the journal before an operation's first effect, and its outcome
//     before anybody is told of it.
//   - An id is run once. Whoever starts it again gets the record.
//   - One operation at a time has the unit. One that was interrupted by the end of
//     the agent keeps it until it went on or was cleaned up.
//   - An operation's processes end with it, whole groups, and those that left their
//     group too.
//   - A server that an operation stopped is started again when the operation is
//     over, however it ended. Until then it stays down, in a new pod too.
//   - A change of the role waits for no operation: what runs makes way, unless it keeps
//     the server down.
//   - An action begins when the server answers, or is down by somebody's will, or has not
//     answered for a minute (await.go).
//   - Secrets are in memory, for as long as the operation runs.
package operations
