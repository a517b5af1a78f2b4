// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// at is so many milliseconds after noon.
func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// ack and refused are markers of a member's first session.
func ack(member string, begun, ended int) Marker {
	return Marker{Member: member, Session: member + "-1", Begun: at(begun), Ended: at(ended), Acknowledged: true}
}

func refused(member string, begun, ended int) Marker {
	m := ack(member, begun, ended)
	m.Acknowledged = false
	return m
}

func again(m Marker) Marker {
	m.Session = m.Member + "-2"
	return m
}

func TestOverlaps(t *testing.T) {
	for _, tc := range []struct {
		name    string
		markers []Marker
		want    []string
	}{
		{
			name:    "one source after the other",
			markers: []Marker{ack("a", 0, 5), ack("a", 50, 55), refused("a", 100, 101), ack("b", 200, 205), ack("b", 250, 255)},
		},
		{
			name:    "there and back again",
			markers: []Marker{ack("a", 0, 5), refused("a", 50, 51), ack("b", 100, 105), refused("b", 150, 151), again(ack("a", 200, 205))},
		},
		{
			name:    "there and back again between two tries: the session tells",
			markers: []Marker{ack("a", 0, 5), ack("b", 20, 22), again(ack("a", 50, 55))},
		},
		{
			name: "two that acknowledge for a while",
			markers: []Marker{
				ack("a", 0, 5), ack("b", 10, 12), ack("a", 50, 55), ack("b", 60, 62),
			},
			want: []string{"a acknowledged from 12:00:00.005 to 12:00:00.050, and b acknowledged from 12:00:00.012 to 12:00:00.060"},
		},
		{
			name:    "another one acknowledges once, within a session of the source",
			markers: []Marker{ack("a", 0, 5), refused("b", 5, 6), ack("b", 20, 22), refused("b", 70, 71), ack("a", 50, 55)},
			want:    []string{"a acknowledged from 12:00:00.005 to 12:00:00.050, and b acknowledged once between 12:00:00.020 and 12:00:00.022"},
		},
		{
			name:    "one that hangs may have been acknowledged at its beginning",
			markers: []Marker{ack("a", 0, 5), ack("a", 50, 1000), ack("b", 500, 505), ack("b", 550, 555)},
		},
		{
			name:    "one that hangs may have been acknowledged at its end",
			markers: []Marker{ack("a", 0, 5), ack("b", 4, 300), ack("a", 50, 55)},
		},
		{
			name:    "the order of the record does not matter",
			markers: []Marker{ack("b", 60, 62), ack("a", 50, 55), ack("b", 10, 12), ack("a", 0, 5)},
			want:    []string{"a acknowledged from 12:00:00.005 to 12:00:00.050, and b acknowledged from 12:00:00.012 to 12:00:00.060"},
		},
		{
			name:    "replicas that refuse are no members that acknowledge",
			markers: []Marker{ack("a", 0, 5), refused("b", 10, 11), refused("c", 10, 11), ack("a", 50, 55), refused("b", 60, 61)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, Overlaps(tc.markers)); d != "" {
				t.Errorf("overlaps (-want +got):\n%s", d)
			}
		})
	}
}

func TestChangesOfWhoAcknowledges(t *testing.T) {
	for _, tc := range []struct {
		name    string
		markers []Marker
		want    int
	}{
		{name: "nobody", markers: []Marker{refused("a", 0, 1)}, want: 0},
		{name: "one", markers: []Marker{ack("a", 0, 5), ack("a", 50, 55)}, want: 0},
		{name: "there and back again", markers: []Marker{ack("a", 0, 5), ack("b", 10, 15), ack("a", 20, 25)}, want: 2},
		{
			name: "turns, each refused before the next: no two tenures overlap",
			markers: []Marker{
				ack("a", 0, 5), refused("a", 6, 7), ack("b", 10, 15), refused("b", 16, 17),
				ack("a", 20, 25), refused("a", 26, 27), ack("b", 30, 35),
			},
			want: 3,
		},
		{name: "what may have been in the other order does not count", markers: []Marker{ack("a", 0, 100), ack("b", 50, 60)}, want: 0},
		{name: "what may have been does not count, what must have been does", markers: []Marker{ack("a", 0, 100), ack("b", 50, 120), ack("b", 150, 155)}, want: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Changes(tc.markers); got != tc.want {
				t.Errorf("%d changes, want %d", got, tc.want)
			}
		})
	}
}
