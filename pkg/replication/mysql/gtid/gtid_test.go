// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gtid

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	a = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	b = "4e11fa47-71ca-11e1-9e33-c80aa9429562"
	c = "ce11fa47-71ca-11e1-9e33-c80aa9429562"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"white space only", " \n\t", ""},
		{"one transaction", a + ":1", a + ":1"},
		{"one interval", a + ":1-5", a + ":1-5"},
		{"an interval of one", a + ":7-7", a + ":7"},
		{"numbers are compared as numbers", a + ":9:10:2", a + ":2:9-10"},
		{"intervals that touch are one", a + ":1-5:6-7", a + ":1-7"},
		{"intervals that overlap are one", a + ":4-9:1-5", a + ":1-9"},
		{"an interval in another", a + ":1-9:3-4", a + ":1-9"},
		{"an interval that ends before it starts is empty", a + ":5-3", ""},
		{"UUIDs are sorted", b + ":1," + a + ":1", a + ":1," + b + ":1"},
		{"a UUID that comes twice is one", a + ":1," + b + ":1," + a + ":2", a + ":1-2," + b + ":1"},
		{"capital letters", strings.ToUpper(a) + ":1:TAG:3", a + ":1:tag:3"},
		{"the server's own line ends", a + ":1-5,\n" + b + ":1", a + ":1-5," + b + ":1"},
		{"white space inside", " " + a + " : 1 - 5 : 7 , " + b + ":1 ", a + ":1-5:7," + b + ":1"},
		{"empty pieces", ",," + a + ":1,,", a + ":1"},
		{"a tag", a + ":tag:1-3", a + ":tag:1-3"},
		{"tags are sorted after what has none", a + ":zz:1:aa:2:_x:3," + a + ":4", a + ":4:_x:3:aa:2:zz:1"},
		{"a tag that comes twice is one", a + ":t:1:u:1:t:2", a + ":t:1-2:u:1"},
		{"a UUID alone is an empty set", a + "," + b + ":1", b + ":1"},
		{"a tag without intervals is one too", a + ":1:tag:tag2:1", a + ":1:tag2:1"},
		{"the highest number", a + ":9223372036854775806", a + ":9223372036854775806"},
		{"the widest interval", a + ":1-9223372036854775806", a + ":1-9223372036854775806"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Parse(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, s.String()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if again := MustParse(s.String()); !again.Equal(s) || s.IsEmpty() != (tc.want == "") {
				t.Errorf("%v read again is %v", s, again)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"a word":                     "ANONYMOUS",
		"a colon and nothing":        a + ":",
		"two colons":                 a + "::1",
		"a colon at the end":         a + ":1:",
		"a tag too long":             a + ":" + strings.Repeat("t", 33) + ":1",
		"0":                          a + ":0",
		"a number too high":          a + ":9223372036854775807",
		"a number far too high":      a + ":99999999999999999999999",
		"a minus without end":        a + ":1-",
		"a negative number":          a + ":-1",
		"three ends":                 a + ":1-2-3",
		"a UUID of other characters": strings.Replace(a, "3e", "3g", 1) + ":1",
		"a UUID without dashes":      strings.ReplaceAll(a, "-", "") + ":1",
		"two sets without comma":     a + ":1 " + b + ":1",
		"a zero byte":                a + ":1\x00",
		"too long":                   strings.Repeat(" ", MaxTextLength+1),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(in)
			if err == nil {
				t.Fatalf("it is %v", s)
			}
			if len(err.Error()) > 200 {
				t.Errorf("the error quotes what it refuses: %d bytes", len(err.Error()))
			}
		})
	}
}

func TestHostileSets(t *testing.T) {
	var many strings.Builder
	many.WriteString(a)
	for n := 2_000_000; many.Len() < MaxTextLength-16; n -= 2 {
		fmt.Fprintf(&many, ":%d", n)
	}
	started := time.Now()
	s := MustParse(many.String())
	whole := MustParse(a + ":1-9223372036854775806")
	if !whole.Contains(s) || s.Contains(whole) || !s.Union(whole).Equal(whole) {
		t.Error("the arithmetic is wrong")
	}
	if hole := whole.Subtract(s); !hole.Union(s).Equal(whole) || !hole.Intersect(s).IsEmpty() {
		t.Error("what is left and what was taken are not the whole")
	}
	if whole.Union(MustParse(b+":1-9223372036854775806")).Union(MustParse(c+":1-9223372036854775806")).Count() != ^uint64(0) {
		t.Error("the count of very many transactions is not the largest number")
	}
	// Seconds would be quadratic time; it is some 0.2 s.
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestErrant(t *testing.T) {
	source, err := ParseUUID(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, replica, at, errant, surplus string }{
		{"behind", a + ":1-5", a + ":1-9", "", ""},
		{"the source waits for the acknowledgement of what the replica has", a + ":1-10", a + ":1-9", "", a + ":10"},
		{"the same with a tag", a + ":1-9:t:1", a + ":1-9", "", a + ":t:1"},
		{"somebody wrote on the replica", a + ":1-9," + b + ":1", a + ":1-9", b + ":1", ""},
		{"a former source's transactions that the source has", a + ":1," + b + ":1-4", a + ":1-9," + b + ":1-4", "", ""},
		{"and one that it has not", a + ":1," + b + ":1-5", a + ":1-9," + b + ":1-4", b + ":5", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			replica, at := MustParse(tc.replica), MustParse(tc.at)
			got := [2]string{Errant(replica, at, source).String(), OwnSurplus(replica, at, source).String()}
			if d := cmp.Diff([2]string{tc.errant, tc.surplus}, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestArithmetic compares with sets of single transactions.
func TestArithmetic(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	property := func(name string, f func(x, y map[string]bool) bool) {
		t.Run(name, func(t *testing.T) {
			for range 2000 {
				x, y := single(MustParse(randomText(rng))), single(MustParse(randomText(rng)))
				if !f(x, y) {
					t.Fatalf("seed %d: %v and %v", seed, joined(x), joined(y))
				}
			}
		})
	}
	property("Contains", func(x, y map[string]bool) bool {
		all := true
		for k := range y {
			all = all && x[k]
		}
		return joined(x).Contains(joined(y)) == all
	})
	property("Union", func(x, y map[string]bool) bool {
		both := map[string]bool{}
		for _, m := range []map[string]bool{x, y} {
			for k := range m {
				both[k] = true
			}
		}
		u := joined(x).Union(joined(y))
		return u.Equal(joined(both)) && u.Count() == uint64(len(both)) && u.Contains(joined(x)) && u.Contains(joined(y))
	})
	property("Subtract", func(x, y map[string]bool) bool {
		left := map[string]bool{}
		for k := range x {
			if !y[k] {
				left[k] = true
			}
		}
		return joined(x).Subtract(joined(y)).Equal(joined(left))
	})
	property("Intersect", func(x, y map[string]bool) bool {
		both := map[string]bool{}
		for k := range x {
			if y[k] {
				both[k] = true
			}
		}
		return joined(x).Intersect(joined(y)).Equal(joined(both))
	})
	property("Of and NotOf", func(x, _ map[string]bool) bool {
		s := joined(x)
		u, _ := ParseUUID(a)
		return s.Of(u).Union(s.NotOf(u)).Equal(s) && s.Of(u).Intersect(s.NotOf(u)).IsEmpty()
	})
	property("a set is not changed by what is done with it", func(x, y map[string]bool) bool {
		s, o := joined(x), joined(y)
		before := s.String() + "/" + o.String()
		s.Union(o).Subtract(o).Intersect(s)
		return s.String()+"/"+o.String() == before
	})
}

// single is a set as its single transactions.
func single(s Set) map[string]bool {
	m := map[string]bool{}
	for _, o := range s.origins {
		for _, i := range o.intervals {
			for n := i.first; n <= i.last; n++ {
				tag := o.tag
				if tag != "" {
					tag += ":"
				}
				m[fmt.Sprintf("%v:%s%d", o.uuid, tag, n)] = true
			}
		}
	}
	return m
}

func joined(m map[string]bool) Set {
	var text []string
	for k := range m {
		text = append(text, k)
	}
	return MustParse(strings.Join(text, ","))
}

// randomText is a small set as somebody might write it, in any order and with holes.
func randomText(rng *rand.Rand) string {
	tags := []string{"", "", "t", "Tag_2", "zz"}
	var pieces []string
	for range rng.IntN(5) {
		piece := []string{a, b, c}[rng.IntN(3)]
		if tag := tags[rng.IntN(len(tags))]; tag != "" {
			piece += ":" + tag
		}
		for range 1 + rng.IntN(4) {
			first := 1 + rng.IntN(20)
			piece += fmt.Sprintf(":%d", first)
			if rng.IntN(2) == 0 {
				piece += fmt.Sprintf("-%d", first+rng.IntN(6))
			}
		}
		pieces = append(pieces, piece)
	}
	return strings.Join(pieces, []string{",", ", ", ",\n"}[rng.IntN(3)])
}

// TestParseOfAnything must neither panic nor change what it has read once.
func TestParseOfAnything(t *testing.T) {
	if err := quick.Check(func(in string, cut uint8, insert rune) bool {
		text := a + ":1-5:t:3," + b + ":7"
		at := int(cut) % len(text)
		for _, candidate := range []string{in, text[:at], text[:at] + string(insert) + text[at:]} {
			if s, err := Parse(candidate); err == nil && !MustParse(s.String()).Equal(s) {
				return false
			}
		}
		return true
	}, nil); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(a + ":1-5:t:3," + b + ":7")
	f.Fuzz(func(t *testing.T, in string) {
		if s, err := Parse(in); err == nil && !MustParse(s.String()).Equal(s) {
			t.Errorf("%q is %v", in, s)
		}
	})
}
