// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package worker runs decisions: it loads what is recorded, asks the members, decides,
// makes the steps of the decision and decides again from what they answered, until there
// is nothing left to do that need not wait. The controller and the simulator run this
// same code over three small interfaces: Agents, Journal and Clock. It is the same for all
// engines but for what an Engine says: how the answers of servers are read, and whose Decide
// decides by them.
//
// One pass of Run is one unit of work. From the fence of a switchover to the opening of
// the new source is one pass: every wait in it is bounded, and nothing is written to the
// API in between but the commit.
//
// Invariants:
//
//   - What an operation is about to do is recorded before its first call.
//   - A call is made at most once in a pass after it has failed.
//   - A commit that has not returned within CommitTimeout is taken back by calls to
//     agents alone, and its outcome is read again before anything else.
//   - Answers are merged in the order of the members, whatever came first.
package worker
