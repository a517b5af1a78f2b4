// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package serve is the container agent: the operator's way to a unit (gRPC with
// mutual TLS) and the people's (HTTP).
//
// Invariants:
//
//   - It is not in the database's availability path: supervise and its server
//     live on whatever happens to serve, which holds no lock and no process that
//     they need.
//   - A mutating call is acknowledged when what it wants is on disk, and changes
//     nothing when it fails.
//   - Mutating calls are serialised and fenced: another pod or unit, a Replication that
//     does not own the unit, a lower epoch or unit generation, and a call that is not
//     later than the last of its writer are refused. The last one again is a retry.
//   - A hold and a fence are acknowledged, and their proof is answered, without the data
//     volume: what lies on it is read by a goroutine of its own, with a deadline.
//   - It does not end for what a restart would not heal: without a certificate nobody is
//     let in, with an unreadable desired.json no change is taken, and /livez says so.
//   - Nothing of a call's content is logged.
//
// All changes of desired.json go through state.Keeper, those of calls by way of
// unitService.fencedChange. Operations are package operations' work; here they are
// fenced.
package serve
