// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/operation"
)

func TestAValueIsWrittenAsProxySQLWritesIt(t *testing.T) {
	for _, tc := range []struct {
		name    string
		value   operation.Value
		current string
		want    string
	}{
		{"a boolean of JSON", operation.Value{Text: "true", Kind: operation.Bool}, "false", "true"},
		{"ON for a boolean", operation.Value{Text: "ON", Kind: operation.String}, "false", "true"},
		{"0 for a boolean", operation.Value{Text: "0", Kind: operation.Number}, "true", "false"},
		{"a number", operation.Value{Text: "2048", Kind: operation.Number}, "1024", "2048"},
		{"a number with a suffix", operation.Value{Text: "64M", Kind: operation.String}, "4194304", "67108864"},
		{"a number too large is the server's to refuse", operation.Value{Text: "9223372036854775807T", Kind: operation.String}, "1", "9223372036854775807T"},
		{"a suffix means nothing to a text", operation.Value{Text: "8.0M", Kind: operation.String}, "8.0.11", "8.0M"},
		{"a word for a number is the server's to refuse", operation.Value{Text: "many", Kind: operation.String}, "1", "many"},
		{"nothing", operation.Value{Kind: operation.String}, "x", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := written(tc.value, tc.current); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
