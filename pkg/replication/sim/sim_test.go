// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// schedulesEnv is how many schedules are run, seedEnv the seed of the first.
const (
	schedulesEnv = "UNIT_OPERATOR_SIM_SCHEDULES"
	seedEnv      = "UNIT_OPERATOR_SIM_SEED"
)

func number(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// tally of many schedules.
type tally struct {
	schedules, settled, tenures, acknowledged atomic.Int64
}

// search runs schedules of seeds until one violates an invariant, on all processors.
func search(first, n uint64, rules Rules, operator Operator, fault Fault) (t *tally, seed uint64, found string) {
	t = &tally{}
	var next atomic.Uint64
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for {
				i := next.Add(1) - 1
				mu.Lock()
				// The lowest seed wins, so that the same run finds the same.
				stop := i >= n || found != "" && first+i > seed
				mu.Unlock()
				if stop {
					return
				}
				out := Random(first+i).Run(rules, operator, nil)
				t.schedules.Add(1)
				t.tenures.Add(int64(out.Tenures))
				t.acknowledged.Add(int64(out.Acknowledged))
				if out.Settled {
					t.settled.Add(1)
				}
				if wrong := fault(out); wrong != "" {
					mu.Lock()
					if found == "" || first+i < seed {
						seed, found = first+i, wrong
					}
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return t, seed, found
}

// explain is a violation as a person reads it, and as a scenario.
func explain(seed uint64, rules Rules, operator Operator, fault Fault) string {
	s := Random(seed).Shrink(rules, operator, fault)
	var b strings.Builder
	fmt.Fprintf(&b, "the schedule without what it does not need, as a scenario (operator=worker if it is that one's):\n\n%s\nwhat happens:\n", s)
	s.Run(rules, operator, func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) })
	return b.String()
}

// raceSchedules is enough for the race detector: operators are coroutines.
const raceSchedules, allSchedules = 2_000, 50_000

func schedules(t *testing.T) uint64 {
	if raceDetector || testing.Short() {
		return number(t, schedulesEnv, raceSchedules)
	}
	return number(t, schedulesEnv, allSchedules)
}

func TestSchedulesOfThePilot(t *testing.T) {
	run(t, AllRules(), Pilot, Violation, schedules(t)/20)
}

func run(t *testing.T, rules Rules, operator Operator, fault Fault, n uint64) {
	t.Helper()
	begun := time.Now()
	first := number(t, seedEnv, 0)
	tally, seed, found := search(first, n, rules, operator, fault)
	per := func(v *atomic.Int64) float64 { return float64(v.Load()) / float64(tally.schedules.Load()) }
	t.Logf("%d schedules from seed %d in %v: %.0f %% settled, %.1f sources and %.1f acknowledged commits each",
		tally.schedules.Load(), first, time.Since(begun).Round(time.Millisecond), 100*per(&tally.settled), per(&tally.tenures), per(&tally.acknowledged))
	if found != "" {
		t.Fatalf("seed %d: %s\n%s", seed, found, explain(seed, rules, operator, fault))
	}
	if per(&tally.acknowledged) < 1 || per(&tally.tenures) < 1.2 || per(&tally.settled) < 0.3 {
		t.Error("too little happens in these schedules")
	}
}

func TestAScheduleIsTheSameEachTime(t *testing.T) {
	for seed := range uint64(50) {
		traces := [2]string{}
		for i := range traces {
			Random(seed).Run(AllRules(), Pilot, func(format string, args ...any) { traces[i] += fmt.Sprintf(format, args...) + "\n" })
		}
		if traces[0] != traces[1] {
			t.Fatalf("seed %d gives two runs", seed)
		}
	}
}

func TestActionsInWords(t *testing.T) {
	for seed := range uint64(100) {
		for _, a := range Random(seed).Actions {
			if again, err := ParseAction(a.String()); err != nil || again != a {
				t.Fatalf("%q is read as %v: %v", a, again, err)
			}
		}
	}
	for _, line := range []string{"", "nothing", "commit", "commit u9", "commit 1", "cut u0", "cut u0 u0 u0", "operator 2", "operator 0 sometimes", "wait -1", "cut op7 u0"} {
		if a, err := ParseAction(line); err == nil {
			t.Errorf("%q is %v", line, a)
		}
	}
}
