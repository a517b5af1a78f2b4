// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package roles drives sets of real servers through agentclient alone, as a
// Replication will: three pods, each a supervise and a serve of its own, in one box. A
// fence is tried on a data volume that hangs, too.
package roles
