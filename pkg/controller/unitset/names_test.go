// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import "testing"

func TestOrdinalsAreReadFromNamesOfTheSetOnly(t *testing.T) {
	for _, tc := range []struct {
		unit    string
		ordinal int32
		ok      bool
	}{
		{"orders-0", 0, true},
		{"orders-12", 12, true},
		{"orders-012", 0, false},
		{"orders--1", 0, false},
		{"orders-+1", 0, false},
		{"orders-1-2", 0, false},
		{"orders-", 0, false},
		{"orders", 0, false},
		{"others-1", 0, false},
		{"orders-2147483648", 0, false},
	} {
		ordinal, ok := ordinalOf("orders", tc.unit)
		if ordinal != tc.ordinal || ok != tc.ok {
			t.Errorf("%s: %d, %t", tc.unit, ordinal, ok)
		}
	}
}
