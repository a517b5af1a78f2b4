// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package replication keeps Replications: MysqlReplications of the modes rpl_async and
// rpl_semi_sync, and PostgresReplications.
//
// It owns them: their status and finalizer, the Services through which clients reach the
// source and the replicas, the Secret of the account that channels log in with, and the
// role labels of the members' pods. What is done to servers is decided by pkg/replication
// and done by their agents; this package calls both.
//
// A kind of Replications has a controller of its own. What one kind does not share with
// another (kind.go, and the file of each) is small: its type in the API, its words, which
// of its states are good, and what of an engine's observation matters. All else works on
// one view of both (objects.go), whose words are those in general, source and replica; so
// are those of pods' labels.
//
// A Replication has two kinds of work. A sync reads caches and writes what the API has:
// the accepted topology, Services, labels, conditions. A pass asks the members' agents,
// decides, changes roles and records that in the status. Both are keyed by Replication and
// never run at the same time for one of them.
//
// Invariants:
//
//   - A unit is touched only while its status names this very Replication as its owner.
//   - Roles are given by status.accepted, the last topology that was valid, whatever the
//     spec says now.
//   - What decides about roles is recorded before an agent is called, over the very state
//     that was read.
//   - At no time are two pods labelled as the source: the label is taken off one before it
//     is put on another, by patches of the very pods that were seen. A label that the
//     recorded source contradicts goes without asking an agent.
//   - A Replication that is being deleted stays while a member that may be the source was
//     neither released nor seen to end, unless a person forces it.
//   - No password is in a status, an event or a log. At rest nothing is written.
package replication
