// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package actions are the operations of a MySQL unit.
//
// Invariants:
//
//   - What is restored or cloned is made alongside the database that runs, started there
//     by a private server, given the unit's accounts, and only then exchanged with it.
//     The old one stays until the new one serves, and comes back if it does not.
//   - Tables of a dump are loaded into databases alongside those that they replace, and take
//     their places in one statement, under locks that are waited for in turns. Until it
//     was executed the old databases are whole, from then on the way is forward. What is
//     made after the tables was proven alongside before. A database that was not there goes
//     with a load that fails.
//   - A backup and a restore name what they leave out: leftOut and notRestored.
//   - Databases of a logical chain come from a private server too, that took the dump,
//     replayed what continues it, and has all that the chain says. It is then thrown
//     away.
//   - A backup exists once its manifest does, and that is written last, after every
//     process of the pipeline ended well.
//   - An incremental backup continues its base without a gap, or it fails. It is not
//     taken where no server could replay it.
//   - The agent's children log in by operating-system identity; passwords of others
//     reach them by option files, statements by the protocol, never by arguments.
package actions
