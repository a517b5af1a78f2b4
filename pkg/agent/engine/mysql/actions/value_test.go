// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/operation"
)

func text(s string) operation.Value { return operation.Value{Text: s, Kind: operation.String} }

func TestAValueIsWrittenAsItsVariableWantsIt(t *testing.T) {
	for _, tc := range []struct {
		name, value, current string
		want                 []string
	}{
		{"an integer", "500", "151", []string{"500", "'500'"}},
		{"an integer with a suffix", "2G", "134217728", []string{"2147483648", "'2G'"}},
		{"a small suffix", "16k", "1", []string{"16384", "'16k'"}},
		{"a decimal", "0.5", "10.000000", []string{"0.5", "'0.5'"}},
		{"an exponent of JSON", "1e3", "1", []string{"1000", "'1e3'"}},
		{"a negative number", "-1", "0", []string{"-1", "'-1'"}},
		{"a boolean", "true", "OFF", []string{"ON", "'true'", "ON"}},
		{"a boolean as a number", "0", "ON", []string{"OFF", "'0'", "0"}},
		{"a word", "ROW", "STATEMENT", []string{"'ROW'"}},
		{"a string that reads like a number", "12", "word", []string{"'12'", "12"}},
		{"a string with a quote", "it's", "", []string{`'it\'s'`}},
		{"a time zone", "+00:00", "SYSTEM", []string{"'+00:00'"}},
		{"an empty string", "", "x", []string{"''"}},
		{"a fraction is none", "1/2", "1", []string{"'1/2'"}},
		{"what would be a huge number is a word", "1e999999999", "1", []string{"'1e999999999'"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, forms(text(tc.value), tc.current)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAVariableHasItsValueAlready(t *testing.T) {
	for _, tc := range []struct {
		value, current string
		want           bool
	}{
		{"ON", "ON", true},
		{"true", "ON", true},
		{"1", "ON", true},
		{"OFF", "ON", false},
		{"2G", "2147483648", true},
		{"2G", "2147483649", false},
		{"0.5", "0.500000", true},
		{"row", "ROW", true},
		{"1", "2", false},
		{"", "", true},
		{"1", "", false},
	} {
		if got := same(text(tc.value), tc.current); got != tc.want {
			t.Errorf("%q in a variable that is %q: got %v, want %v", tc.value, tc.current, got, tc.want)
		}
	}
}
