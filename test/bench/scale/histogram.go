// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// histogram of seconds.
type histogram struct {
	count   float64
	buckets map[float64]float64
}

// since is what was observed after earlier.
func (h histogram) since(earlier histogram) histogram {
	out := histogram{count: h.count - earlier.count, buckets: map[float64]float64{}}
	for bound, n := range h.buckets {
		out.buckets[bound] = n - earlier.buckets[bound]
	}
	return out
}

// quantile is the bound of the bucket that holds it: it was no more than that.
func (h histogram) quantile(q float64) string {
	if h.count == 0 {
		return "none"
	}
	want := math.Ceil(q * h.count)
	for _, bound := range slices.Sorted(maps.Keys(h.buckets)) {
		if h.buckets[bound] >= want {
			if math.IsInf(bound, 1) {
				break
			}
			return fmt.Sprintf("<= %v", time.Duration(bound*float64(time.Second)))
		}
	}
	return "beyond the last bucket"
}
