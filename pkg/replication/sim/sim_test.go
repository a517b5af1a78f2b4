// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"testing"
	"time"
)

func TestPilot(t *testing.T) {
	begun := time.Now()
	settled, tenures, acked := 0, 0, 0
	n := 3000
	for seed := range uint64(n) {
		s := Random(seed)
		out := s.Run(AllRules(), Pilot, nil)
		if out.Violation != "" {
			short := s.Shrink(AllRules(), Pilot)
			var trace string
			short.Run(AllRules(), Pilot, func(f string, a ...any) { trace += fmt.Sprintf(f, a...) + "\n" })
			t.Fatalf("seed %d: %s\n%d members, %d actions\n%s", seed, out.Violation, s.Members, len(short.Actions), trace)
		}
		if out.Settled {
			settled++
		}
		tenures += out.Tenures
		acked += out.Acknowledged
	}
	t.Logf("%d schedules, %d settled, %.1f tenures, %.1f acknowledged, %v each", n, settled, float64(tenures)/float64(n), float64(acked)/float64(n), time.Since(begun)/time.Duration(n))
}
