// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package machine makes and removes what a bed needs of the machine besides files and processes:
// network namespaces, links, control groups, mounts, loop devices, kernel settings, firewall rules.
//
// Invariants: making what is there and removing what is not both succeed; everything is found by name
// or by path, so what an earlier run left is found without its memory.
package machine
