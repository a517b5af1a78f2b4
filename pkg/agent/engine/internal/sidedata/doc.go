// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sidedata replaces a unit's data directory by one that is made alongside it, for
// every engine in the same way, however often the agent ends meanwhile.
//
// Invariants:
//
//   - While the new data is made the old serves. What fails there leaves nothing behind.
//   - The old data is removed only after a server has served on the new, which is recorded.
//   - The server is let go on the new data only after that is recorded: who finds the
//     record goes forward, for clients may have written. Before it, whoever cancels or
//     cannot go on puts the old data back.
//   - At each moment one of the two is in the data directory, or a way to get it there
//     is found without a record, on file systems that cannot exchange two directories too.
package sidedata
