// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"math"
	"strings"
	"testing"
	"testing/quick"
)

func TestParseLSN(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     LSN
		text     string
	}{
		{"none", "0/0", None, "0/0"},
		{"the first of a new database", "0/1000028", 0x1000028, "0/1000028"},
		{"beyond 4 GiB", "16/B374D848", 0x16B374D848, "16/B374D848"},
		{"small letters", "16/b374d848", 0x16B374D848, "16/B374D848"},
		{"all digits of the lower half", "16/0000D848", 0x160000D848, "16/D848"},
		{"all digits of both", "00000016/00000001", 0x1600000001, "16/1"},
		{"the highest", "FFFFFFFF/FFFFFFFF", Unlimited, "FFFFFFFF/FFFFFFFF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseLSN(tc.in)
			if err != nil || got != tc.want || got.String() != tc.text {
				t.Errorf("got %d (%s), %v", got, got, err)
			}
		})
	}
}

func TestParseLSNRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":               "",
		"a number":              "16",
		"no upper half":         "/16",
		"no lower half":         "16/",
		"three halves":          "1/2/3",
		"a word":                "x/y",
		"a sign":                "-1/0",
		"a plus":                "0/+1",
		"the sign of a base":    "0x1/0",
		"an underscore":         "0/1_0",
		"a space":               " 0/1",
		"a space after":         "0/1 ",
		"a line's end":          "0/1\n",
		"nine digits":           "0/000000001",
		"nine digits in front":  "000000001/0",
		"more than 32 bits":     "100000000/0",
		"a long text":           strings.Repeat("f", 1<<20),
		"other digits than hex": "0/1G",
		"digits of Arabic":      "0/\u0661",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseLSN(in)
			if err == nil {
				t.Fatalf("it is %s", got)
			}
			if len(err.Error()) > 120 {
				t.Errorf("the error quotes what it refuses: %d bytes", len(err.Error()))
			}
		})
	}
}

func TestLSNsAreReadAsTheyAreWritten(t *testing.T) {
	if err := quick.Check(func(n uint64) bool {
		got, err := ParseLSN(LSN(n).String())
		return err == nil && got == LSN(n)
	}, nil); err != nil {
		t.Error(err)
	}
}

func FuzzParseLSN(f *testing.F) {
	f.Add("16/B374D848")
	f.Add("0/0000000A")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseLSN(in)
		if err != nil {
			return
		}
		if again, err := ParseLSN(got.String()); err != nil || again != got || len(in) > 17 {
			t.Errorf("%q is %s, and that %s, %v", in, got, again, err)
		}
	})
}

func TestSegmentNames(t *testing.T) {
	sized := func(size int64) Segments {
		s, err := SegmentsOf(size)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, tc := range []struct {
		name     string
		segments Segments
		timeline Timeline
		at       LSN
		want     string
		start    LSN
	}{
		{"the first of a new database", Segments{}, 1, 0x1000028, "000000010000000000000001", 0x1000000},
		{"its first byte", Segments{}, 1, 0x2000000, "000000010000000000000002", 0x2000000},
		{"its last byte", Segments{}, 1, 0x2FFFFFF, "000000010000000000000002", 0x2000000},
		{"the last below 4 GiB", Segments{}, 2, 0xFFFFFFFF, "0000000200000000000000FF", 0xFF000000},
		{"the first beyond", Segments{}, 2, 0x100000000, "000000020000000100000000", 0x100000000},
		{"1 MiB", sized(1 << 20), 3, 0x1FFF00001, "000000030000000100000FFF", 0x1FFF00000},
		{"64 MiB", sized(64 << 20), 3, 0x1FC000000, "00000003000000010000003F", 0x1FC000000},
		{"1 GiB", sized(1 << 30), 3, 0x1C0000000, "000000030000000100000003", 0x1C0000000},
		{"16 MiB said", sized(16 << 20), 0xABCDEF01, 0x16B374D848, "ABCDEF0100000016000000B3", 0x16B3000000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.segments.Name(tc.timeline, tc.at); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			timeline, start, err := tc.segments.ParseName(tc.want)
			if err != nil || timeline != tc.timeline || start != tc.start || tc.segments.Start(tc.at) != tc.start {
				t.Errorf("got %d, %s, %v", timeline, start, err)
			}
		})
	}
}

func TestSegmentNamesRefused(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                        "",
		"a history":                      "00000002.history",
		"a partial segment":              "000000010000000000000001.partial",
		"small letters":                  "0000000100000000000000ff",
		"timeline 0":                     "000000000000000000000001",
		"more segments than 4 GiB have":  "000000010000000000000100",
		"other characters of the length": "00000001000000000000000G",
	} {
		t.Run(name, func(t *testing.T) {
			if timeline, at, err := (Segments{}).ParseName(in); err == nil {
				t.Errorf("it is %d, %s", timeline, at)
			}
		})
	}
	for _, size := range []int64{-1, 0, 1, 1 << 19, 1<<24 + 1, 1 << 31, 3 << 20, math.MaxInt64, math.MinInt64} {
		if s, err := SegmentsOf(size); err == nil {
			t.Errorf("segments of %d bytes are %+v", size, s)
		}
	}
}

func TestSegmentNamesAreReadAsTheyAreWritten(t *testing.T) {
	if err := quick.Check(func(timeline uint32, at uint64, shift uint8) bool {
		s, err := SegmentsOf(1 << (minShift + int(shift)%(maxShift-minShift+1)))
		if err != nil || timeline == 0 {
			return err == nil
		}
		name := s.Name(Timeline(timeline), LSN(at))
		gotTimeline, start, err := s.ParseName(name)
		return err == nil && gotTimeline == Timeline(timeline) && start <= LSN(at) && uint64(LSN(at)-start) < uint64(s.Size()) && start == s.Start(LSN(at))
	}, nil); err != nil {
		t.Error(err)
	}
}

func FuzzParseSegmentName(f *testing.F) {
	f.Add("0000000200000000000000FF")
	f.Add("00000002.history")
	f.Fuzz(func(t *testing.T, in string) {
		if timeline, at, err := (Segments{}).ParseName(in); err == nil && (Segments{}).Name(timeline, at) != in {
			t.Errorf("%q is %s of timeline %d", in, at, timeline)
		}
		if timeline, err := ParseFileName(in); err == nil && timeline.FileName() != in {
			t.Errorf("%q is timeline %d", in, timeline)
		}
	})
}

func TestFileNames(t *testing.T) {
	for timeline, name := range map[Timeline]string{2: "00000002.history", 0xABCDEF: "00ABCDEF.history", math.MaxUint32: "FFFFFFFF.history"} {
		if got := timeline.FileName(); got != name {
			t.Errorf("got %s, want %s", got, name)
		}
		if got, err := ParseFileName(name); err != nil || got != timeline {
			t.Errorf("%s: got %d, %v", name, got, err)
		}
	}
	for _, in := range []string{"", ".history", "2.history", "00000000.history", "0000000a.history", "00000002.history.ready", "000000002.history", "000000010000000000000001", "+0000002.history"} {
		if got, err := ParseFileName(in); err == nil {
			t.Errorf("%q is timeline %d", in, got)
		}
	}
}
