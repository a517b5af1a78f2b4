// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package actions are the operations of a PostgreSQL unit.
//
// Invariants:
//
//   - What is restored or cloned is made alongside what runs: databases under another
//     name, a whole server in another directory, recovered there by a private server
//     and given the unit's accounts. Only then it is exchanged with the old, which
//     stays until the new one serves and comes back if it does not.
//   - A member that is provisioned is made in the same way, and stays what its donor is:
//     of its timeline, with its accounts. It is recovered until it is consistent, no
//     further, and is a standby however it is started.
//   - A backup exists once its manifest does, and that is written last, after every
//     process of the pipeline ended well.
//   - An incremental backup continues its base without a gap, or it fails.
//   - WAL is kept for incremental backups within max_slot_wal_keep_size only, and for as
//     long as a chain can be continued by it.
//   - A restored or cloned server begins a timeline and a lineage of its own.
//   - The agent's children log in by operating-system identity; passwords of others
//     reach them by passfiles, never by arguments. Sessions that say a verifier of a
//     password are in no log.
package actions
