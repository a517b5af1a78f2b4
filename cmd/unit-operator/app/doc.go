// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package app puts the operator's process together: flags, clients, leader election,
// HTTP, the table of controllers, and the order in which all of it starts and stops.
//
// Invariants:
//
//   - Everything that writes to the API or to agents runs under the lease. The lease is
//     renewed by a client of its own, so that no other traffic can starve it, and
//     released last, after the last worker has finished. A process that lost it, or
//     whose workers do not end, exits with a failure and releases nothing.
//   - Starting waits, it does not crash: for the API server, the CRDs, the operator's
//     namespace, the lease, the caches. /readyz and the log say for which.
//   - A process that stands by is ready: it could take over.
//   - Stop order: readiness, workers, informers and agents, lease, HTTP.
//   - No SQL driver is linked: servers are reached through agents only.
package app
