// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"errors"
	"sync/atomic"
	"testing"
)

func TestSlowStartStopsAfterTheFirstBatchThatFails(t *testing.T) {
	for _, tc := range []struct{ count, failing, calls, errs int }{
		{0, -1, 0, 0},
		{1, -1, 1, 0},
		{9, -1, 9, 0},
		{9, 0, 1, 1},
		{9, 1, 3, 1},
		{9, 8, 9, 1},
	} {
		var calls atomic.Int32
		errs := slowStart(tc.count, func(i int) error {
			calls.Add(1)
			if i == tc.failing {
				return errors.New("refused")
			}
			return nil
		})
		if int(calls.Load()) != tc.calls || len(errs) != tc.errs {
			t.Errorf("%d, of which %d fails: %d calls and %d errors", tc.count, tc.failing, calls.Load(), len(errs))
		}
	}
}
