// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVerdict(t *testing.T) {
	acknowledged := func(ids ...int64) []Write {
		var out []Write
		for _, id := range ids {
			out = append(out, Write{ID: id, Acknowledged: true})
		}
		return out
	}
	unknown := func(id int64) Write { return Write{ID: id} }
	once := func(ids ...int64) Rows {
		out := Rows{}
		for _, id := range ids {
			out[id] = 1
		}
		return out
	}
	for _, tc := range []struct {
		name    string
		writes  []Write
		members map[string]Rows
		want    []string
	}{
		{
			name:    "all acknowledged rows are on all members, once",
			writes:  acknowledged(1, 2, 3),
			members: map[string]Rows{"a": once(1, 2, 3), "b": once(1, 2, 3), "c": once(1, 2, 3)},
		},
		{
			name:    "a row of unknown outcome may be there",
			writes:  append(acknowledged(1), unknown(2)),
			members: map[string]Rows{"a": once(1, 2), "b": once(1, 2)},
		},
		{
			name:    "a row of unknown outcome may be missing",
			writes:  append(acknowledged(1), unknown(2)),
			members: map[string]Rows{"a": once(1), "b": once(1)},
		},
		{
			name:    "an acknowledged row that nobody has is lost",
			writes:  acknowledged(1, 2, 3),
			members: map[string]Rows{"a": once(1, 3), "b": once(1, 3)},
			want:    []string{"lost: of 3 acknowledged rows 1 are not on the source: 2"},
		},
		{
			name:    "an acknowledged row that only a former source has is lost, and the two differ",
			writes:  acknowledged(1, 2),
			members: map[string]Rows{"a": once(1), "b": once(1, 2)},
			want: []string{
				"lost: of 2 acknowledged rows 1 are not on the source: 2",
				"different: the source and b disagree on 1 rows: 2",
			},
		},
		{
			name:    "an acknowledged row that a replica lacks is a difference",
			writes:  acknowledged(1, 2),
			members: map[string]Rows{"a": once(1, 2), "b": once(1)},
			want:    []string{"different: the source and b disagree on 1 rows: 2"},
		},
		{
			name:    "a row of unknown outcome that only a replica has is a difference",
			writes:  append(acknowledged(1), unknown(2)),
			members: map[string]Rows{"a": once(1), "b": once(1, 2)},
			want:    []string{"different: the source and b disagree on 1 rows: 2"},
		},
		{
			name:    "a row that was applied twice on a replica is doubled there",
			writes:  acknowledged(1),
			members: map[string]Rows{"a": once(1), "b": {1: 2}},
			want:    []string{"doubled: 1 rows are on b more than once: 1"},
		},
		{
			name:    "a row that the source has twice is doubled, though all agree",
			writes:  acknowledged(1),
			members: map[string]Rows{"a": {1: 2}, "b": {1: 2}},
			want: []string{
				"doubled: 1 rows are on a more than once: 1",
				"doubled: 1 rows are on b more than once: 1",
			},
		},
		{
			name:    "a row that nobody wrote is invented",
			writes:  acknowledged(1),
			members: map[string]Rows{"a": once(1, 7), "b": once(1, 7)},
			want:    []string{"invented: 1 rows of the source were never written: 7"},
		},
		{
			name:    "a source that came back empty has lost everything",
			writes:  acknowledged(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
			members: map[string]Rows{"a": {}, "b": {}},
			want:    []string{"lost: of 12 acknowledged rows 12 are not on the source: 1 2 3 4 5 6 7 8 9 10 ..."},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := Judge(tc.writes, "a", tc.members)
			if d := cmp.Diff(tc.want, v.Problems()); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
			if got := v.Acknowledged + v.Unknown; got != len(tc.writes) {
				t.Errorf("%d writes are counted, want %d", got, len(tc.writes))
			}
		})
	}
}
