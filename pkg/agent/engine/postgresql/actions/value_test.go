// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/operation"
)

func TestAValueMeansWhatItMeansInAnOptionFile(t *testing.T) {
	for _, tc := range []struct {
		name    string
		value   operation.Value
		setting setting
		want    string
	}{
		{"a suffix of bytes", operation.Value{Text: "2G", Kind: operation.String}, setting{kind: "integer", unit: "8kB"}, "2GB"},
		{"a suffix of bytes in kB", operation.Value{Text: "64m", Kind: operation.String}, setting{kind: "integer", unit: "kB"}, "64MB"},
		{"a unit of the server's own", operation.Value{Text: "64MB", Kind: operation.String}, setting{kind: "integer", unit: "kB"}, "64MB"},
		{"a suffix means nothing to a time", operation.Value{Text: "5m", Kind: operation.String}, setting{kind: "integer", unit: "ms"}, "5m"},
		{"a number", operation.Value{Text: "0.5", Kind: operation.Number}, setting{kind: "real"}, "0.5"},
		{"a boolean of JSON", operation.Value{Text: "true", Kind: operation.Bool}, setting{kind: "bool"}, "on"},
		{"a boolean for an enumeration that has on", operation.Value{Text: "false", Kind: operation.Bool}, setting{kind: "enum", enum: []string{"local", "off", "on"}}, "off"},
		{"a boolean for one that has not", operation.Value{Text: "false", Kind: operation.Bool}, setting{kind: "enum", enum: []string{"none", "all"}}, "false"},
		{"a text is left alone", operation.Value{Text: "2G true", Kind: operation.String}, setting{kind: "string"}, "2G true"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := text(tc.value, tc.setting); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAlterQuotesWhatTheServerReads(t *testing.T) {
	for _, tc := range []struct{ name, variable, value, want string }{
		{"a text", "log_line_prefix", `it's \ %m`, `ALTER SYSTEM SET "log_line_prefix" =  E'it''s \\ %m'`},
		{"a variable of an extension", "pg_stat_statements.track", "all", `ALTER SYSTEM SET "pg_stat_statements"."track" = 'all'`},
		{"a list that the server quotes", "search_path", `"$user", public,"a,""b"`, `ALTER SYSTEM SET "search_path" = '$user', 'public', 'a,"b'`},
		{"a list that it does not", "log_destination", "stderr, csvlog", `ALTER SYSTEM SET "log_destination" = 'stderr, csvlog'`},
		{"an empty text", "log_line_prefix", "", `ALTER SYSTEM SET "log_line_prefix" = ''`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := alter(tc.variable, tc.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, bad := range []string{"", `"a`, "a,", ",a", "a,,b", `"a"b`} {
		if got, err := alter("search_path", bad); err == nil {
			t.Errorf("%q became %s", bad, got)
		}
	}
}
