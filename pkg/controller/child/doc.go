// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package child writes to the API for controllers: the objects that they make for an
// owner, and the owner itself.
//
// It owns how a write is guarded, remembered and reported. What is written, and when, is
// the controllers'.
//
// Invariants:
//
//   - No object of somebody else is changed: what exists by a child's name is read and
//     must be the owner's, else the write ends with a NameConflictError.
//   - A write means the one object that was seen. It carries its UID, so that another one
//     that has taken its name refuses it; that, and an object that is gone, is no error:
//     the watch says so soon.
//   - A child is created, never applied, where none was seen: applying would take over
//     what somebody made in between.
//   - Every write is remembered in the consistency store, so that no sync plans on a
//     cache that is older.
//   - Every write is one log line at level 2, which names no value; a creation that is
//     refused is an event, too.
package child
