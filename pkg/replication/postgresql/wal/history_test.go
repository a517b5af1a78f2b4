// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"slices"
	"strings"
	"testing"
)

func TestParseHistory(t *testing.T) {
	for _, tc := range []struct {
		name     string
		timeline Timeline
		in       string
		want     []Switch
	}{
		{"the first timeline has no file", 1, "", nil},
		{"one promotion", 2, "1\t0/3000148\tno recovery target specified\n", []Switch{{1, 0x3000148}}},
		{"the server puts an empty line before each further one", 3, "1\t0/3000148\tno recovery target specified\n\n2\t16/B374D848\tno recovery target specified\n", []Switch{{1, 0x3000148}, {2, 0x16B374D848}}},
		{"reasons of recoveries to a target", 5, "1\t0/5000000\tbefore 2026-11-29 19:00:00.123456+00\n\n3\t0/6000000\tat restore point \"before # the 4th\"\n\n4\t0/7000000\tafter LSN 0/6FFFFF8\n", []Switch{{1, 0x5000000}, {3, 0x6000000}, {4, 0x7000000}}},
		{"numbers have gaps where others were promoted", 9, "1\t0/1000000\tx\n4\t0/2000000\tx\n", []Switch{{1, 0x1000000}, {4, 0x2000000}}},
		{"comments", 2, "# by hand\n  # and more\n\t\n1\t0/3000148\t# no comment\n#\n", []Switch{{1, 0x3000148}}},
		{"spaces, and no reason", 2, "   1   0/3000148   ", []Switch{{1, 0x3000148}}},
		{"no line's end at the end", 2, "1\t0/3000148\tno recovery target specified", []Switch{{1, 0x3000148}}},
		{"line ends of other systems", 2, "1\t0/3000148\tno recovery target specified\r\n\r\n", []Switch{{1, 0x3000148}}},
		{"all digits", 2, "1\t00000016/0374D848\tx\n", []Switch{{1, 0x160374D848}}},
		{"two promotions at one position", 3, "1\t0/3000148\tx\n\n2\t0/3000148\tx\n", []Switch{{1, 0x3000148}, {2, 0x3000148}}},
		{"one that was promoted before it came to where its parent begins", 3, "1\t0/5000000\tx\n\n2\t0/4000000\tx\n", []Switch{{1, 0x5000000}, {2, 0x4000000}}},
		{"and again", 6, "1\t0/5000000\tx\n\n2\t0/7000000\tx\n\n4\t0/3000000\tx\n\n5\t0/3500000\tx\n", []Switch{{1, 0x5000000}, {2, 0x7000000}, {4, 0x3000000}, {5, 0x3500000}}},
		{"the highest number", 4294967295, "4294967294\t0/3000148\tx\n", []Switch{{4294967294, 0x3000148}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, err := ParseHistory(tc.timeline, tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if h.Timeline() != tc.timeline || !slices.Equal(h.Past(), tc.want) {
				t.Errorf("got %d, %v", h.Timeline(), h.Past())
			}
			if again, err := ParseHistory(tc.timeline, h.String()); err != nil || !again.Equal(h) {
				t.Errorf("%q read again is %v, %v", h, again, err)
			}
		})
	}
}

func TestParseHistoryRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		timeline Timeline
		in       string
	}{
		"timeline 0":                     {0, ""},
		"no number":                      {2, "x\t0/1\tx\n"},
		"a signed number":                {2, "-1\t0/1\tx\n"},
		"a number that is too high":      {2, "4294967296\t0/1\tx\n"},
		"timeline 0 in the past":         {2, "0\t0/1\tx\n"},
		"no position":                    {2, "1\n"},
		"a reason and no position":       {2, "1\tno recovery target specified\n"},
		"a position with more":           {2, "1\t0/3000148x\n"},
		"the position 0":                 {2, "1\t0/0\tx\n"},
		"a position that nobody has":     {2, "1\tFFFFFFFF/FFFFFFFF\tx\n"},
		"numbers that fall":              {4, "2\t0/1\tx\n1\t0/2\tx\n"},
		"a number twice":                 {4, "1\t0/1\tx\n1\t0/2\tx\n"},
		"its own number":                 {2, "2\t0/1\tx\n"},
		"a higher one than its own":      {2, "3\t0/1\tx\n"},
		"half a line":                    {2, "1\t0/\n"},
		"another file":                   {2, "START WAL LOCATION: 0/2000028\n"},
		"a zero byte":                    {2, "1\t0/3000148\x00\n"},
		"more than anybody has promoted": {2, strings.Repeat("\n", MaxHistoryLength+1)},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := ParseHistory(tc.timeline, tc.in)
			if err == nil {
				t.Fatalf("it is %v", h)
			}
			if len(err.Error()) > 200 {
				t.Errorf("the error quotes what it refuses: %d bytes", len(err.Error()))
			}
		})
	}
}

func TestWhereTimelinesBeginAndEnd(t *testing.T) {
	h := MustHistory(5, Switch{1, 100}, Switch{3, 200})
	for _, tc := range []struct {
		timeline   Timeline
		begin, end LSN
		ok         bool
	}{{1, None, 100, true}, {2, None, None, false}, {3, 100, 200, true}, {4, None, None, false}, {5, 200, Unlimited, true}, {0, None, None, false}} {
		begin, ok := h.Begin(tc.timeline)
		if begin != tc.begin || ok != tc.ok {
			t.Errorf("timeline %d begins at %s, %v", tc.timeline, begin, ok)
		}
		if end, ok := h.End(tc.timeline); end != tc.end || ok != tc.ok {
			t.Errorf("timeline %d ends at %s, %v", tc.timeline, end, ok)
		}
	}
	for at, want := range map[LSN]Timeline{0: 0, 1: 1, 99: 1, 100: 1, 101: 3, 200: 3, 201: 5, Unlimited: 5} {
		if got := h.On(at); got != want {
			t.Errorf("%s was written on timeline %d, want %d", at, got, want)
		}
	}
	if got := (History{}).On(7); got != 0 {
		t.Errorf("no history has timeline %d", got)
	}
	next, err := h.Promoted(6, 150)
	if err != nil || !next.Equal(MustHistory(6, Switch{1, 100}, Switch{3, 200}, Switch{5, 150})) {
		t.Errorf("got %v, %v", next, err)
	}
	if !h.Equal(MustHistory(5, Switch{1, 100}, Switch{3, 200})) {
		t.Error("a promotion has changed the history before")
	}
	if next, err := h.Promoted(5, 300); err == nil {
		t.Errorf("promoted to its own timeline: %v", next)
	}
}

// A standby that was promoted before it came to where its parent begins has nothing of
// that, and less of the timeline before than is written.
func TestWhatAnEarlyPromotionLeavesOut(t *testing.T) {
	h := MustHistory(6, Switch{1, 500}, Switch{2, 700}, Switch{4, 300}, Switch{5, 350})
	for timeline, want := range map[Timeline][2]LSN{1: {None, 300}, 2: {300, 300}, 4: {300, 300}, 5: {300, 350}, 6: {350, Unlimited}} {
		begin, _ := h.Begin(timeline)
		if end, ok := h.End(timeline); !ok || begin != want[0] || end != want[1] {
			t.Errorf("it has timeline %d from %s to %s, %v", timeline, begin, end, ok)
		}
	}
	for at, want := range map[LSN]Timeline{300: 1, 301: 5, 350: 5, 351: 6, 600: 6} {
		if got := h.On(at); got != want {
			t.Errorf("%s was written on timeline %d, want %d", at, got, want)
		}
	}
}

func FuzzParseHistory(f *testing.F) {
	f.Add(uint32(3), "1\t0/3000148\tno recovery target specified\n\n2\t16/B374D848\tbefore 2026\n")
	f.Add(uint32(4), "# x\n1 0/5\n2 0/4\n")
	f.Fuzz(func(t *testing.T, timeline uint32, in string) {
		h, err := ParseHistory(Timeline(timeline), in)
		if err != nil {
			return
		}
		if again, err := ParseHistory(Timeline(timeline), h.String()); err != nil || !again.Equal(h) {
			t.Errorf("%q is %q, and that %q, %v", in, h, again, err)
		}
		// It has each of its own positions, and all of itself in common with itself.
		for _, s := range h.Past() {
			if end, ok := h.End(s.Timeline); !ok || !h.Contains(Position{s.Timeline, end}) || h.Contains(Position{s.Timeline, end + 1}) {
				t.Errorf("%q leaves timeline %d at %s, %v", in, s.Timeline, end, ok)
			}
		}
		if p, ok := Common(h, h); !ok || p != (Position{h.Timeline(), Unlimited}) {
			t.Errorf("%q has %s in common with itself, %v", in, p, ok)
		}
	})
}
