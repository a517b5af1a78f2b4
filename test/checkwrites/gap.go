// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"math"
	"slices"
	"time"
)

// Gap is the longest time for which one of the clients had no acknowledgement, of those
// times that reach into the window. It is the worst client's, not that of all of them
// together: a client that hangs while others are served counts.
func Gap(writes []Write, from, to time.Time) time.Duration {
	last := map[int]time.Time{}
	worst := time.Duration(0)
	for _, w := range writes {
		if !w.Acknowledged {
			continue
		}
		before, known := last[w.Client]
		last[w.Client] = w.Ended
		if known && w.Ended.After(from) && before.Before(to) {
			worst = max(worst, w.Ended.Sub(before))
		}
	}
	// Who has had none by the end of the window waits still.
	for _, before := range last {
		if before.Before(to) {
			worst = max(worst, to.Sub(before))
		}
	}
	return worst
}

// percentile of durations, by nearest rank; 0 of none.
func percentile(durations []time.Duration, p float64) time.Duration {
	if len(durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(durations))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}
