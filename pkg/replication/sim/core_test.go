// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import "testing"

// TestSchedules is the operator that is shipped: it violates nothing.
func TestSchedules(t *testing.T) {
	run(t, AllRules(), Worker, Violation, schedules(t))
}

// TestSetsRecover: it makes the set whole again when nothing goes wrong any more.
func TestSetsRecover(t *testing.T) {
	run(t, AllRules(), Worker, Unrecovered, schedules(t)/50)
}
