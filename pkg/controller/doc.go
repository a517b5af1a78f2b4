// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controller is the home of the controllers, one package each, and of what
// they share. The contract every controller follows:
//
//   - It owns one kind and the objects it makes for it; docs/architecture.md says
//     who writes what. Nobody else writes them.
//   - Handlers only enqueue. sync reads listers, plans by a pure function, acts
//     through control.go, writes the status if it changed, and returns when to look
//     again. It never sleeps and never waits longer than one short RPC.
//   - Children have fixed names, so a second create meets AlreadyExists; the
//     consistency store keeps a sync from planning on a cache older than the
//     controller's own writes.
//   - Deletes carry the UID they mean.
//   - A second sync of an unchanged world writes nothing.
package controller
