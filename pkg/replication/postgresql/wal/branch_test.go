// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestContains(t *testing.T) {
	h := MustHistory(3, Switch{1, 100}, Switch{2, 200})
	for _, tc := range []struct {
		name string
		at   Position
		want bool
	}{
		{"on its first timeline", Position{1, 50}, true},
		{"where it left it", Position{1, 100}, true},
		{"one byte further", Position{1, 101}, false},
		{"on its second", Position{2, 150}, true},
		{"there, before the second begins", Position{2, 50}, true},
		{"where it left that", Position{2, 200}, true},
		{"one byte further there", Position{2, 201}, false},
		{"on its own, anywhere", Position{3, 1 << 40}, true},
		{"on one that it has not", Position{4, 50}, false},
		{"nowhere", Position{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := h.Contains(tc.at); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if (History{}).Contains(Position{1, 1}) {
		t.Error("no history has a position")
	}
}

func TestCompare(t *testing.T) {
	first := MustHistory(1)
	second := MustHistory(2, Switch{1, 200})
	third := MustHistory(3, Switch{1, 200}, Switch{2, 300})
	for _, tc := range []struct {
		name   string
		a, b   Branch
		want   Relation
		common Position
	}{
		{"at the same place", Branch{first, 150}, Branch{first, 150}, Same, Position{1, 150}},
		{"behind on one timeline", Branch{first, 100}, Branch{first, 150}, Behind, Position{1, 100}},
		{"ahead on one timeline", Branch{first, 150}, Branch{first, 100}, Ahead, Position{1, 100}},
		{"behind one that was promoted", Branch{first, 100}, Branch{second, 250}, Behind, Position{1, 100}},
		{"exactly where it was promoted", Branch{first, 200}, Branch{second, 250}, Behind, Position{1, 200}},
		{"where it was promoted, and it has written nothing", Branch{first, 200}, Branch{second, 200}, Same, Position{1, 200}},
		{"a former primary that wrote after the promotion", Branch{first, 201}, Branch{second, 250}, Diverged, Position{1, 200}},
		{"and whose position is the higher one", Branch{first, 1000}, Branch{second, 250}, Diverged, Position{1, 200}},
		{"a former primary, and the new one has written nothing", Branch{first, 201}, Branch{second, 200}, Ahead, Position{1, 200}},
		{"over two promotions", Branch{first, 150}, Branch{third, 350}, Behind, Position{1, 150}},
		{"on the middle one", Branch{second, 300}, Branch{third, 350}, Behind, Position{2, 300}},
		{"beyond on the middle one", Branch{second, 301}, Branch{third, 350}, Diverged, Position{2, 300}},
		{"two were promoted at different places to one number", Branch{second, 300}, Branch{MustHistory(2, Switch{1, 250}), 300}, Diverged, Position{1, 200}},
		{"two were promoted at one place to different numbers", Branch{second, 300}, Branch{MustHistory(3, Switch{1, 200}), 300}, Diverged, Position{1, 200}},
		{"they know of a timeline and have not come to it", Branch{second, 150}, Branch{first, 160}, Behind, Position{1, 150}},
		{"one was promoted before it came to where its parent begins", Branch{MustHistory(3, Switch{1, 200}, Switch{2, 180}), 500}, Branch{second, 190}, Diverged, Position{1, 180}},
		{"and who had no more than it", Branch{MustHistory(3, Switch{1, 200}, Switch{2, 180}), 500}, Branch{second, 170}, Ahead, Position{1, 170}},
		{"no first timeline in common", Branch{MustHistory(2, Switch{1, 200}), 300}, Branch{MustHistory(2), 300}, Unrelated, Position{}},
		{"one was not asked", Branch{}, Branch{first, 100}, Unrelated, Position{}},
		{"neither was", Branch{}, Branch{}, Unrelated, Position{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, common := Compare(tc.a, tc.b)
			if got != tc.want || common != tc.common {
				t.Errorf("got %s, %s in common", got, common)
			}
			back, commonBack := Compare(tc.b, tc.a)
			if want := mirrored(tc.want); back != want || commonBack != tc.common {
				t.Errorf("the other way round: got %s, %s in common", back, commonBack)
			}
		})
	}
}

func mirrored(r Relation) Relation {
	switch r {
	case Ahead:
		return Behind
	case Behind:
		return Ahead
	}
	return r
}

func TestDiverged(t *testing.T) {
	second := MustHistory(2, Switch{1, 200})
	for _, tc := range []struct {
		name     string
		b        Branch
		from     History
		at       Position
		diverged bool
	}{
		{"a former primary that was stopped in time", Branch{MustHistory(1), 200}, second, Position{1, 200}, false},
		{"one that wrote on", Branch{MustHistory(1), 201}, second, Position{1, 200}, true},
		{"a standby behind", Branch{MustHistory(1), 100}, second, Position{1, 100}, false},
		{"on the same timeline, however far", Branch{second, 1 << 40}, second, Position{2, 1 << 40}, false},
		{"a former primary of another promotion", Branch{MustHistory(2, Switch{1, 150}), 160}, second, Position{1, 150}, true},
		{"promoted apart, and nothing written", Branch{MustHistory(2, Switch{1, 150}), 150}, second, Position{1, 150}, false},
		{"nothing in common", Branch{MustHistory(7), 150}, second, Position{}, true},
		{"it was not asked", Branch{}, second, Position{}, true},
		{"the history is not known", Branch{second, 100}, History{}, Position{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, diverged := tc.b.Diverged(tc.from)
			if at != tc.at || diverged != tc.diverged {
				t.Errorf("got %s, %v", at, diverged)
			}
		})
	}
}

// What pg_rewind finds is checked on servers, too.
func TestRewindFinds(t *testing.T) {
	first, second := MustHistory(1), MustHistory(2, Switch{1, 200})
	early := MustHistory(3, Switch{1, 200}, Switch{2, 180})
	for _, tc := range []struct {
		name           string
		target, source History
		want           Position
		ok             bool
	}{
		{"a former primary", first, second, Position{1, 200}, true},
		{"over two promotions", second, MustHistory(3, Switch{1, 200}, Switch{2, 300}), Position{2, 300}, true},
		{"promoted apart to other numbers", MustHistory(3, Switch{1, 150}), second, Position{1, 150}, true},
		{"promoted apart to one number: nothing", MustHistory(2, Switch{1, 150}), second, Position{}, false},
		{"one that was promoted early: too late for a former primary", first, early, Position{1, 200}, true},
		{"and right for who has come to its parent", second, early, Position{2, 180}, true},
		{"nothing in common", MustHistory(7), second, Position{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, ok := RewindFinds(tc.target, tc.source); got != tc.want || ok != tc.ok {
				t.Errorf("got %s, %v", got, ok)
			}
		})
	}
}

// family of timelines: who began each, and where. Positions are 1 to length.
type family struct {
	parent map[Timeline]Timeline
	fork   map[Timeline]int
	// files have what servers write.
	files  map[Timeline]string
	length int
}

// newFamily of promotions at random places, also before a parent begins.
func newFamily(rng *rand.Rand) family {
	f := family{map[Timeline]Timeline{}, map[Timeline]int{}, map[Timeline]string{1: ""}, 24}
	numbers := []Timeline{1}
	for n := range 1 + rng.IntN(7) {
		parent := numbers[rng.IntN(len(numbers))]
		// One that was begun apart may have any higher number: gaps are left.
		t := numbers[n] + 1 + Timeline(rng.IntN(2))
		f.parent[t], f.fork[t] = parent, 1+rng.IntN(f.length)
		line := fmt.Sprintf("%d\t%s\tno recovery target specified\n", parent, LSN(f.fork[t]))
		if f.files[parent] == "" {
			f.files[t] = line
		} else {
			f.files[t] = f.files[parent] + "\n" + line
		}
		numbers = append(numbers, t)
	}
	return f
}

// writer of the n-th byte that a server on the timeline has.
func (f family) writer(t Timeline, n int) Timeline {
	for f.parent[t] != 0 && n <= f.fork[t] {
		t = f.parent[t]
	}
	return t
}

// same bytes that servers on two timelines have from the first on.
func (f family) same(a, b Timeline) int {
	n := 0
	for n < f.length && f.writer(a, n+1) == f.writer(b, n+1) {
		n++
	}
	return n
}

// TestHistoriesSayWhatServersHave compares with the bytes themselves.
func TestHistoriesSayWhatServersHave(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		f := newFamily(rng)
		histories := map[Timeline]History{}
		for timeline, file := range f.files {
			h, err := ParseHistory(timeline, file)
			if err != nil {
				t.Fatalf("seed %d: %q: %v", seed, file, err)
			}
			histories[timeline] = h
			for n := 1; n <= f.length; n++ {
				if got, want := h.On(LSN(n)), f.writer(timeline, n); got != want {
					t.Fatalf("seed %d: in %q byte %d is of timeline %d, want %d", seed, file, n, got, want)
				}
			}
		}
		for x, hx := range histories {
			for y, hy := range histories {
				f.check(t, seed, x, y, hx, hy)
				f.checkBranches(t, seed, rng, x, y, hx, hy)
			}
		}
	}
}

func (f family) check(t *testing.T, seed uint64, x, y Timeline, hx, hy History) {
	t.Helper()
	same := f.same(x, y)
	fork, ok := Common(hx, hy)
	if back, _ := Common(hy, hx); !ok || back != fork {
		t.Fatalf("seed %d: %q and %q have %s in common, and %s the other way round", seed, hx, hy, fork, back)
	}
	if x == y != (fork.LSN == Unlimited) || x != y && fork.LSN != LSN(same) && same < f.length {
		t.Fatalf("seed %d: %q and %q have %s in common, want %d bytes", seed, hx, hy, fork, same)
	}
	if !hx.Contains(fork) || !hy.Contains(fork) {
		t.Fatalf("seed %d: %q and %q have %s in common, and not both have it", seed, hx, hy, fork)
	}
	for n := 1; n <= f.length; n++ {
		_, known := hx.End(y)
		if got, want := hx.Contains(Position{y, LSN(n)}), known && n <= same; got != want {
			t.Fatalf("seed %d: %q has %d of timeline %d: %v, want %v", seed, hx, n, y, got, want)
		}
	}
}

func (f family) checkBranches(t *testing.T, seed uint64, rng *rand.Rand, x, y Timeline, hx, hy History) {
	t.Helper()
	m, n := 1+rng.IntN(f.length), 1+rng.IntN(f.length)
	same := min(f.same(x, y), m, n)
	want := Diverged
	switch {
	case same == m && same == n:
		want = Same
	case same == m:
		want = Behind
	case same == n:
		want = Ahead
	}
	a, b := Branch{hx, LSN(m)}, Branch{hy, LSN(n)}
	if got, common := Compare(a, b); got != want || common.LSN != LSN(same) {
		t.Fatalf("seed %d: %q up to %d is %s of %q up to %d from %s on, want %s from %d", seed, hx, m, got, hy, n, common, want, same)
	}
	at, diverged := a.Diverged(hy)
	if got := f.same(x, y) < m && x != y; diverged != got || at.LSN != LSN(min(f.same(x, y), m)) {
		t.Fatalf("seed %d: %q up to %d has diverged from %q: %v at %s, want %v", seed, hx, m, hy, diverged, at, got)
	}
	if p := a.Position(); p.LSN != LSN(m) || p.Timeline != f.writer(x, m) {
		t.Fatalf("seed %d: %q up to %d ends at %s", seed, hx, m, p)
	}
}
