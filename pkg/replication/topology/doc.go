// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package topology is what the replications of all engines have in common: what is
// asked for, what is recorded, what was observed of each member, and the plan that
// follows from it. It also owns the rules that do not depend on an engine: which
// failover durability allows (durability.go), what proves that a former source
// acknowledges nothing any more (fence.go), and in which order members come as a source
// (candidates.go).
//
// Everything here is pure: equal inputs give equal results, nothing waits, reads or
// writes, and members are always gone through in their order, so that one seed of the
// simulator gives one run.
//
// Invariants:
//
//   - A failover is allowed by every entry of the recorded durability, or by none.
//   - The absence of a pod proves nothing, and neither does an agent that does not answer.
//   - A position counts only if it was read after what it is to prove.
package topology
