// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"testing"
	"time"
)

func TestTheEndOfAnOperationIsKnownSoonComparedWithItsTime(t *testing.T) {
	for d := time.Duration(0); d < time.Hour; d += 500 * time.Millisecond {
		switch after := pollAfter(d); {
		case after < time.Second:
			t.Fatalf("after %v it is looked at each %v", d, after)
		case after > max(d/10, time.Second), after > 15*time.Second:
			t.Fatalf("after %v it is looked at in %v", d, after)
		}
	}
}
