// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package revision is the format of what a ControllerRevision of a UnitSet
// stores: everything units of that revision are made from, before any unit's own
// name, volumes and node are filled in.
//
// It owns that format and the two hashes that decide whether a database is
// restarted. The UnitSet controller writes it; the Unit controller renders a unit's
// configuration from its templates and default values. Both read it through a Reader,
// which keeps what it has read.
//
// Invariants:
//
//   - What is stored is never rendered again: a unit made from a revision in a
//     year is made from what was pinned.
//   - InputsHash is the same in every version of the operator for the same spec:
//     a test holds it. A field that is added to Inputs is left out of the JSON
//     when it is empty.
package revision
