// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package mysql runs a MySQL server: 5.7, 8.0, 8.4, 9.7.
//
// Invariants:
//
//   - Everything written at initialisation is written without the binary log:
//     gtid_executed of a new server is empty.
//   - No account exists without a password except those that log in by
//     operating-system identity over the socket: unit_agent, and root where
//     nobody gave it a password.
//   - A managed server starts super_read_only, whatever its configuration, SET
//     PERSIST or the recorded role say.
//   - A source has its durability in force before it is opened, and is closed before it
//     is sent SIGTERM: a shutdown, and semi-synchronous replication switched off,
//     acknowledge every commit that waits. One that cannot be closed is killed.
//   - Events run on an open source only, and those that ran on the former one. Their
//     states are altered without the binary log; which do not run is recorded in it.
//   - A replication channel is changed only when nothing in its relay log is needed,
//     and its password is given at each start of the receiver, never stored.
//   - What the agent owns is on the command line, which wins over the
//     configuration file; of what SET PERSIST recorded, which wins over the
//     command line, the agent's own variables are taken out before each start.
//   - Statements with secrets reach a server through its protocol or an unnamed
//     file in memory, never through a file on disk.
package mysql
