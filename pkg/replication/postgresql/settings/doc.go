// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package settings has the texts by which PostgreSQL servers know each other:
// synchronous_standby_names (sync.go), the names of replication slots (slot.go), and
// connection strings such as primary_conninfo (conninfo.go). Each is written so that no
// name or password can mean anything else in it, and is read as the server reads it.
//
// Invariants:
//
//   - Two units never share an application name or a slot, and a unit always has the same.
//   - What is written here is read here, and by the server, as what was meant.
//   - What the server refuses is refused here.
//
// It imports the standard library only.
package settings
