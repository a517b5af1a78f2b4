// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescendants(t *testing.T) {
	all := []proc{
		{pid: 1}, {pid: 7, parent: 1}, {pid: 8, parent: 7}, {pid: 9, parent: 8, dead: true}, {pid: 10, parent: 9},
		{pid: 20, parent: 0}, {pid: 21, parent: 20},
	}
	got := descendants(all, 1)
	slices.Sort(got)
	if diff := cmp.Diff([]int{7, 8, 10}, got); diff != "" {
		t.Errorf("of supervise, not of who looks in from outside (-want +got):\n%s", diff)
	}
}

func TestParseStat(t *testing.T) {
	for line, want := range map[string]proc{
		"7 (mysqld) S 1 7 7 0":      {pid: 7, parent: 1},
		"7 (a) b) Z 3) Z 12 7 7 0":  {pid: 7, parent: 12, dead: true},
		"7 (postgres: wal) D 3 7 7": {pid: 7, parent: 3},
	} {
		if got, ok := parseStat(7, []byte(line)); !ok || got != want {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
	for _, line := range []string{"", "7 (x", "7 (x) S", "7 (x) S y"} {
		if _, ok := parseStat(7, []byte(line)); ok {
			t.Errorf("%q was read", line)
		}
	}
}

func TestHigherVersion(t *testing.T) {
	for _, tc := range [][3]string{
		{"", "8.4.6", "8.4.6"}, {"8.4.6", "", "8.4.6"}, {"8.4.6", "8.4.10", "8.4.10"}, {"9.0.1", "8.4.10", "9.0.1"},
		{"17.5", "17.5 (Debian 17.5-1)", "17.5"}, {"8.0.36-28", "8.0.37-29", "8.0.37-29"}, {"nonsense", "8.4.6", "8.4.6"},
	} {
		if got := higher(tc[0], tc[1]); got != tc[2] {
			t.Errorf("of %q and %q: %q, want %q", tc[0], tc[1], got, tc[2])
		}
	}
}
