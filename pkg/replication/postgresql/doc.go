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
// A switchover (switchover.go, promotion.go) passes the role of the primary on in order.
//
// No controller uses it yet, and there is no failover: nobody takes the place of a primary
// that fails.
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
package postgresql
