// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package agentclient is the operator's side of the agents: Go types, no protobuf.
//
// It owns the connections: one per pod at most, the 256 used last, small buffers,
// mutual TLS to exactly the unit that is meant, by pod IP or through the API
// server's port-forward. A pod that could not be reached is not tried again for a
// moment, so that a dead node costs a worker one second and not one per sync.
//
// Every call has a deadline. Errors are of seven classes: unavailable (try again),
// busy (another operation has the unit), stale fence (the caller's knowledge of pod
// or generation is old), final (the same request will never succeed), of
// operations not found (never started) and other journal (its record is lost), and of
// roles aborted (the call would lose transactions).
package agentclient
