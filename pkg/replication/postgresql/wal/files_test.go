// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFilesOfServers reads what TestHistoriesOfServers had servers write, of one database
// each: one was promoted twice, apart from the same beginnings, and early with the history
// of one's timeline 2 and without its WAL.
func TestFilesOfServers(t *testing.T) {
	versions, err := filepath.Glob("testdata/postgresql-*")
	if err != nil || len(versions) < 2 {
		t.Fatalf("files of %v, %v", versions, err)
	}
	for _, version := range versions {
		t.Run(filepath.Base(version), func(t *testing.T) {
			read := func(name string) History {
				t.Helper()
				timeline, err := ParseFileName(filepath.Base(name))
				if err != nil {
					t.Fatal(err)
				}
				content, err := os.ReadFile(filepath.Join(version, name))
				if err != nil {
					t.Fatal(err)
				}
				h, err := ParseHistory(timeline, string(content))
				if err != nil {
					t.Fatal(err)
				}
				return h
			}
			two, three := read("one/00000002.history"), read("one/00000003.history")
			apart, early := read("apart/00000002.history"), read("early/00000003.history")
			first, second := three.Past()[0].At, three.Past()[1].At
			fork := apart.Past()[0].At
			if len(two.Past()) != 1 || len(three.Past()) != 2 || two.Past()[0].At != first || fork >= first || first >= second {
				t.Fatalf("got %v, %v and %v", two.Past(), three.Past(), apart.Past())
			}
			for name, tc := range map[string]struct {
				a, b History
				want Position
			}{
				"one and itself, promoted again":  {two, three, Position{2, second}},
				"one and apart, of equal numbers": {two, apart, Position{1, fork}},
				"one, promoted again, and apart":  {three, apart, Position{1, fork}},
				"one and early":                   {two, early, Position{1, fork}},
				"and of equal numbers":            {three, early, Position{1, fork}},
				"their first timeline and early":  {MustHistory(1), early, Position{1, fork}},
				"their first timeline and one":    {MustHistory(1), three, Position{1, first}},
			} {
				if got, ok := Common(tc.a, tc.b); !ok || got != tc.want {
					t.Errorf("%s have %s in common, %v; want %s", name, got, ok, tc.want)
				}
			}
			if found, ok := RewindFinds(MustHistory(1), early); !ok || found.LSN != first {
				t.Errorf("pg_rewind finds %s, %v", found, ok)
			}
		})
	}
}
