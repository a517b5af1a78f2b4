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
//   - Mutating calls are serialised and fenced: another pod or unit, a lower
//     epoch, a lower unit generation is refused.
//   - Nothing of a call's content is logged.
//
// Operations are package operations' work; here they are fenced, and their holds
// go through unitService.mu.
//
// What belongs to later work and attaches here: resuming a replica's threads
// after a restart starts in Run from Desired.Role, as soon as the server answers
// and no hold is set.
package serve
