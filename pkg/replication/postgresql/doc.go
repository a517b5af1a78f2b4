// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package postgresql decides what is done to a PostgreSQL primary and its standbys,
// asynchronous or synchronous: Decide is a pure function from what was observed of all
// members, and what is recorded, to a plan. It adopts the first primary (adopt.go), keeps
// the recorded one and its standbys what they should be (converge.go, quorum.go,
// provision.go), and answers requests to let a member go (evacuation.go). States and their
// reasons are in states.go. It rests on what is judged for itself: the steps by which
// durability changes (rule.go), which slots are kept (slots.go), who may be promoted after
// the primary failed (election.go), who may be opened (opening.go), and what becomes of a
// member that comes back (rejoin.go). All of it judges a View (view.go) by the lineage of the
// recorded primary (lineage.go); positions and histories are the business of package wal,
// texts of settings that of package settings.
//
// An operation (operation.go) passes the role of the primary on: in order (switchover.go), or
// behind a fence where the primary fails (failover.go; demand.go says when). Up to the commit
// it can be taken back; after it the new primary is promoted (promotion.go). Whoever takes
// over continues from what is recorded and observed.
//
// What it does not know: a replacement of the primary's data on request, such as a restore. A
// few of its random runs, which decide_runs_test.go names, end with a replication that waits for
// a person where it need not.
//
// It is pure, as package topology is.
//
// Invariants, besides those of topology:
//
//   - A standby is promoted only if it has all that any W of those who were waited for
//     could have acknowledged, by every entry of the recorded durability.
//   - Promotions that are not the recorded one are not continued, whatever their timeline's
//     number, and however high their position.
//   - What synchronous_standby_names promises is recorded before it is in force, and an
//     entry goes only when enough members have what was acknowledged under it.
//   - A member that must lose WAL to follow is rewound or copied, never told to follow; one
//     with another database is neither.
//   - A member is promoted only when it is the recorded primary. Where it becomes that, the
//     promotion is recorded before it begins. No two promotions have one number: those that
//     are recorded before have odd ones, the others even ones (NextTimeline).
//   - Up to the commit an operation can be taken back, and is when its time is over.
package postgresql
