// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package mysql decides what is done to a MySQL source and its replicas, asynchronous or
// semi-synchronous: Decide is a pure function from what was observed of all members, and
// what is recorded, to a plan.
//
// The states are those of docs/replication.md, and the first that fits is the state.
// Every decision is made again from what was observed after each batch of its steps, so
// that whoever takes over, at any point, continues from what there is.
//
// Invariants:
//
//   - A member is opened only when it is the recorded source, no other one can have a
//     commit acknowledged, and its durability is in force.
//   - In rpl_semi_sync nobody is promoted but who holds all that was acknowledged, by
//     every recorded entry of durability, unless a person forced it.
//   - Nothing that a member alone has executed or received is given up: it is kept as
//     evidence, and the member is rebuilt only with a person's permission.
//   - Up to the commit an operation can be taken back, and is when its time is over.
package mysql
