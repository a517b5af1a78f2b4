// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package checkwrites checks what replication promises to those who write: clients
// commit rows that occur once and keep a record of what was acknowledged, faults strike
// by a seed, and afterwards the record is compared with what the members hold.
//
//	history.go  what the clients saw
//	client.go   the clients
//	engine.go   how they speak to MySQL (mysql.go) and to PostgreSQL (postgresql.go)
//	watcher.go  markers that are committed directly on every member
//	plan.go     which fault strikes whom, and when
//	members.go  what the members hold once they have applied what the source has
//	verdict.go  the record and the members' rows: what is lost, doubled, different
//	overlap.go  the markers: whether two members acknowledged at the same time
//	gap.go      for how long nothing was acknowledged
//	stall.go    for how long the machine itself stood still
//	report.go   all rounds together
//
// What injects the faults is in test/e2e, which has the power over nodes, pods and
// processes. Everything that judges is a function of what was recorded, and is tested
// with histories that must be found bad.
package checkwrites
