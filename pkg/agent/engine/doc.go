// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package engine is what unit-agent needs to know of a database server. One
// package below it per server implements Engine; everything else in pkg/agent is
// the same for all of them.
//
// Invariants every Engine keeps:
//
//   - A data directory is complete or absent. Initialize works in a side
//     directory and renames it into place as its last step.
//   - Nothing an Engine does deletes or overwrites a database.
//   - No secret is in an argument vector, an error or a log line.
//   - Initial accounts leave no transaction behind (no GTIDs).
//   - Only Prepare, Inspect, Initialize, Command and EnsureAccounts may start
//     processes, and each waits for those it started before it returns:
//     supervise is PID 1, and reaps what nobody else waits for between those
//     calls.
package engine
