// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command backup compares the agent's backups with the engines' own tools, piped
// through zstd and a client of S3 into the same server: how fast, and in how much
// memory. hack/bench-backup.sh builds what it needs and runs it.
//
// Each engine gets a box of package enginetest with a real server in it, which
// supervise runs, and a real serve beside it, called as the operator calls it. What is
// measured lasts from the call until the manifest is stored. The rival's pipeline
// runs in the same box, logged in as the same account, with the agent's own arguments
// of the tool. The two take turns, and change places every round: on a noisy machine
// only such ratios mean something.
package main
