// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package membership answers which Replication owns a unit. Every controller asks it
// and none has a rule of its own.
//
// Invariants:
//
//   - A unit has at most one owner: the oldest Replication of either kind that lists
//     it, by creation time and then by UID. Others that list it are named, and
//     neither the owner nor they may do anything to it that cannot be undone.
//   - A Replication lists a unit while its spec or its status.topology names it: a
//     member that was taken out of the spec is the Replication's until that has taken
//     it out of its topology. One that is being deleted lists by its topology only, so
//     that a member it has released is free.
//   - The answer depends on nothing but the objects: not on the order in which they
//     are stored, nor on what was answered before.
package membership
