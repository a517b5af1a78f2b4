// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import "testing"

func TestSchedules(t *testing.T) {
	run(t, Worker, schedules(t))
}
