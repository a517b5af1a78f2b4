// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuorum(t *testing.T) {
	for _, tc := range []struct {
		name  string
		wait  int
		units []string
		want  string
	}{
		{"one of two", 1, []string{"orders-1", "orders-2"}, `ANY 1 ("orders-1","orders-2")`},
		{"units whose names are words of the setting", 2, []string{"any-0", "first-0", "a-b-0"}, `ANY 2 ("any-0","first-0","a-b-0")`},
		{"a unit that begins with a digit", 1, []string{"0-1"}, `ANY 1 ("0-1")`},
		{"more than there are: commits wait", 2, []string{"b"}, `ANY 2 ("b")`},
		{"without units commits wait for one that never comes", 1, nil, `ANY 1 ("self")`},
		{"no number is one", 0, []string{"b"}, `ANY 1 ("b")`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Quorum("self", tc.wait, tc.units)
			if got := s.String(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if again, err := ParseSync(s.String()); err != nil || !again.Equal(s) {
				t.Errorf("read again it is %+v, %v", again, err)
			}
		})
	}
	if got := (Sync{}).String(); got != "" {
		t.Errorf("waiting for nobody is %q", got)
	}
}

func TestParseSync(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Sync
	}{
		{"nobody", "", Sync{}},
		{"as it is written here", `ANY 1 ("orders-1","orders-2")`, Sync{Any, 1, []string{"orders-1", "orders-2"}}},
		{"any case, any white space", "\taNy\n2(a ,b,\"c\")\r\n", Sync{Any, 2, []string{"a", "b", "c"}}},
		{"in order", `FIRST 2 (s1, s2, s3)`, Sync{First, 2, []string{"s1", "s2", "s3"}}},
		{"the old form", `2 (s1, s2, s3)`, Sync{First, 2, []string{"s1", "s2", "s3"}}},
		{"the oldest form", `s1, s2`, Sync{First, 1, []string{"s1", "s2"}}},
		{"everybody", `*`, Sync{First, 1, []string{"*"}}},
		{"any two of everybody", `ANY 2 (*)`, Sync{Any, 2, []string{"*"}}},
		{"numbers are names", `ANY 1 (1, 22)`, Sync{Any, 1, []string{"1", "22"}}},
		{"and in a list", `1, 2`, Sync{First, 1, []string{"1", "2"}}},
		{"one number alone", `7`, Sync{First, 1, []string{"7"}}},
		{"quotes in quotes", `ANY 1 ("a""b", "")`, Sync{Any, 1, []string{`a"b`, ""}}},
		{"everything in quotes", `"ANY 1 (a), b"`, Sync{First, 1, []string{"ANY 1 (a), b"}}},
		{"the words in quotes", `"any", "FIRST"`, Sync{First, 1, []string{"any", "FIRST"}}},
		{"words that only begin like them", `anybody, first_one, ANY$`, Sync{First, 1, []string{"anybody", "first_one", "ANY$"}}},
		{"beyond ASCII", "ANY 1 (größe)", Sync{Any, 1, []string{"größe"}}},
		{"leading zeros", "ANY 007 (a)", Sync{Any, 7, []string{"a"}}},
		{"more than there are", "ANY 9 (a)", Sync{Any, 9, []string{"a"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseSync(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if again, err := ParseSync(got.String()); err != nil || !again.Equal(got) {
				t.Errorf("%s read again is %+v, %v", got, again, err)
			}
		})
	}
}

// refused settings, by what is wrong.
var refused = map[string]string{
	"white space only":             " ",
	"nobody of a number":           "ANY 1 ()",
	"ANY alone":                    "ANY",
	"ANY as a name":                "any, b",
	"ANY without a number":         "ANY (a)",
	"ANY of a name":                "ANY a (b)",
	"ANY and a list":               "ANY 1 a, b",
	"0":                            "ANY 0 (a)",
	"a negative number":            "ANY -1 (a)",
	"a dash without quotes":        "orders-1",
	"ANY with a dash":              "any-0",
	"a dot without quotes":         "a.b",
	"a semicolon":                  "a;b",
	"a comma too many":             "a,,b",
	"a comma at the end":           "a,",
	"a comma in front":             ",a",
	"no comma":                     "a b",
	"a digit in front of a letter": "1a",
	"no closing parenthesis":       "ANY 1 (a",
	"more after it":                "ANY 1 (a) b",
	"two lists":                    "ANY 1 (a), ANY 1 (b)",
	"parentheses in parentheses":   "ANY 1 ((a))",
	"a closing one too many":       "ANY 1 (a))",
	"parentheses alone":            "(a)",
	"no end of a quote":            `"a`,
	"no end after two":             `"a""`,
	"single quotes":                "'a'",
}

func TestParseSyncRefuses(t *testing.T) {
	for name, in := range refused {
		t.Run(name, func(t *testing.T) {
			if s, err := ParseSync(in); err == nil {
				t.Errorf("it is %+v", s)
			}
		})
	}
	for name, in := range map[string]string{"a number too high": "ANY 99999999999999999999 (a)", "a byte 0": "a\x00", "too long": strings.Repeat("a", MaxSyncLength+1)} {
		t.Run(name, func(t *testing.T) {
			s, err := ParseSync(in)
			if err == nil {
				t.Fatalf("it is %+v", s)
			}
			if len(err.Error()) > 200 {
				t.Errorf("the error quotes what it refuses: %d bytes", len(err.Error()))
			}
		})
	}
}

func TestWhoIsWaitedFor(t *testing.T) {
	s := Sync{Any, 1, []string{"orders-1", "Orders-2"}}
	for application, want := range map[string]bool{"orders-1": true, "ORDERS-1": true, "orders-2": true, "orders-1/provision": false, "orders": false, "": false, "*": false} {
		if got := s.Has(application); got != want {
			t.Errorf("%q: %v", application, got)
		}
	}
	if !(Sync{Any, 1, []string{"*"}}).Has("anybody") || (Sync{}).Has("") {
		t.Error("everybody is not waited for, or somebody without a setting")
	}
}

func TestEqual(t *testing.T) {
	one := Sync{Any, 1, []string{"a", "b"}}
	for name, tc := range map[string]struct {
		other Sync
		want  bool
	}{
		"itself":           {one, true},
		"in another order": {Sync{Any, 1, []string{"b", "a"}}, true},
		"in another case":  {Sync{Any, 1, []string{"B", "a"}}, true},
		"one named twice":  {Sync{Any, 1, []string{"a", "b", "A"}}, true},
		"more of them":     {Sync{Any, 2, []string{"a", "b"}}, false},
		"of one more":      {Sync{Any, 1, []string{"a", "b", "c"}}, false},
		"of one less":      {Sync{Any, 1, []string{"a"}}, false},
		"of another":       {Sync{Any, 1, []string{"a", "c"}}, false},
		"in order":         {Sync{First, 1, []string{"a", "b"}}, false},
		"nobody":           {Sync{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if one.Equal(tc.other) != tc.want || tc.other.Equal(one) != tc.want {
				t.Errorf("want %v", tc.want)
			}
		})
	}
	if first := (Sync{First, 1, []string{"a", "b"}}); first.Equal(Sync{First, 1, []string{"b", "a"}}) || !first.Equal(Sync{First, 1, []string{"A", "B"}}) {
		t.Error("the order matters to FIRST, and the case does not")
	}
}

func TestSyncIsReadAsItIsWritten(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 5000 {
		s := Sync{Method: []Method{Any, First}[rng.IntN(2)], Wait: 1 + rng.IntN(9)}
		for range 1 + rng.IntN(4) {
			s.Names = append(s.Names, randomText(rng, "ab\"\",()* -0$\n\\'", 6))
		}
		if again, err := ParseSync(s.String()); err != nil || !cmp.Equal(again, s) {
			t.Fatalf("seed %d: %q read again is %+v, %v", seed, s, again, err)
		}
	}
	if err := quick.Check(func(units []string, wait uint8) bool {
		s := Quorum("self", int(wait), units)
		again, err := ParseSync(s.String())
		return err == nil && cmp.Equal(again, s) && (len(units) == 0 || s.Has(ApplicationName(units[0])))
	}, nil); err != nil {
		t.Error(err)
	}
}

func FuzzParseSync(f *testing.F) {
	f.Add(`ANY 1 ("a","b""c")`)
	f.Add("2(a,*,7)")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ParseSync(in)
		if err != nil {
			return
		}
		if again, err := ParseSync(s.String()); err != nil || !cmp.Equal(again, s) {
			t.Errorf("%q is %+v, and that %+v, %v", in, s, again, err)
		}
		for _, n := range s.Names {
			if !s.Has(n) {
				t.Errorf("%q does not wait for %q", in, n)
			}
		}
	})
}
