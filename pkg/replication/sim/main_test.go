// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"os"
	"runtime/debug"
	"testing"
)

func TestMain(m *testing.M) {
	// Worlds are small and live for a millisecond.
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}
