// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package state owns what unit-agent writes down: the files that serve and
// supervise share (desired.json, observed.json, the configurations), and
// identity.json on the data volume. role.json beside it is a witness for people: no
// decision of the agent reads it.
//
// Invariants:
//
//   - Every file has one writer: the Keeper in serve writes desired.json and the
//     channel's password, serve the configurations, supervise observed.json.
//     identity.json is written
//     by supervise before it starts a server, and by serve's operations while
//     they hold the server down.
//   - A reader sees the old content or the new one, never a mixture, whenever
//     the writer or the machine stops: temporary file, fsync, rename, fsync of
//     the directory.
//   - A write that fails changes nothing and is reported.
//   - A configuration directory is immutable once it has its name.
package state
