// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlan(t *testing.T) {
	const seed = 7
	t.Run("as many rounds as faults have each of them once", func(t *testing.T) {
		dealt := map[string]int{}
		for _, r := range Plan(seed, len(All), All, time.Second, time.Second) {
			name := string(Pair)
			if len(r.Strikes) == 1 {
				name = string(r.Strikes[0].Fault)
			}
			dealt[name]++
		}
		for _, f := range All {
			if dealt[string(f)] != 1 {
				t.Errorf("seed %d: %s strikes %d times", seed, f, dealt[string(f)])
			}
		}
	})
	t.Run("a seed has one plan, and another seed another one", func(t *testing.T) {
		first, second := Plan(seed, 20, All, time.Second, 5*time.Second), Plan(seed, 20, All, time.Second, 5*time.Second)
		if d := cmp.Diff(first, second); d != "" {
			t.Errorf("seed %d: two plans (-first +second):\n%s", seed, d)
		}
		if d := cmp.Diff(first, Plan(seed+1, 20, All, time.Second, 5*time.Second)); d == "" {
			t.Errorf("seeds %d and %d have one plan", seed, seed+1)
		}
	})
	t.Run("a pair is two different faults, and what is held is held within the limits", func(t *testing.T) {
		pairs := 0
		for _, r := range Plan(seed, 200, All, time.Second, 5*time.Second) {
			if len(r.Strikes) == 2 {
				pairs++
				if r.Strikes[0].Fault == r.Strikes[1].Fault {
					t.Errorf("seed %d: %s", seed, r)
				}
			}
			for _, s := range r.Strikes {
				if s.Hold < time.Second || s.Hold >= 5*time.Second || s.Fault == Pair {
					t.Errorf("seed %d: %s", seed, r)
				}
			}
		}
		if pairs < 10 {
			t.Errorf("seed %d: %d pairs of 200 rounds", seed, pairs)
		}
	})
	t.Run("sources and replicas are struck", func(t *testing.T) {
		struck := map[Victim]int{}
		for _, r := range Plan(seed, 100, []Fault{PowerFailure}, time.Second, time.Second) {
			struck[r.Strikes[0].Victim]++
		}
		if struck[Source] < 50 || struck[Replica] < 15 || struck[Nobody] != 0 {
			t.Errorf("seed %d: %v", seed, struck)
		}
	})
}

func TestParseFaults(t *testing.T) {
	for _, tc := range []struct {
		list string
		want []Fault
		bad  bool
	}{
		{list: "", want: All},
		{list: "switchover", want: []Fault{Switchover}},
		{list: "power, cut", want: []Fault{PowerFailure, CutNode}},
		{list: "forced-failover", want: []Fault{ForcedFailover}},
		{list: "switchover,flood", bad: true},
		{list: ",", bad: true},
	} {
		t.Run(fmt.Sprintf("%q", tc.list), func(t *testing.T) {
			got, err := ParseFaults(tc.list)
			if (err != nil) != tc.bad || !slices.Equal(got, tc.want) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestForcedFailoversAreDealtOnlyWhenAskedFor(t *testing.T) {
	for _, r := range Plan(1, 100, All, time.Second, time.Second) {
		for _, s := range r.Strikes {
			if s.Fault == ForcedFailover {
				t.Fatal(r)
			}
		}
	}
}
