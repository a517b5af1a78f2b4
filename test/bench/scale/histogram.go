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

// quantile as Prometheus estimates it: in a bucket, observations are spread evenly.
func (h histogram) quantile(q float64) string {
	if h.count == 0 {
		return "none"
	}
	want, below, lower := q*h.count, 0.0, 0.0
	for _, bound := range slices.Sorted(maps.Keys(h.buckets)) {
		n := h.buckets[bound]
		if n >= want {
			if math.IsInf(bound, 1) {
				return fmt.Sprintf("more than %v", seconds(lower))
			}
			return fmt.Sprint(seconds(lower + (bound-lower)*(want-below)/(n-below)))
		}
		below, lower = n, bound
	}
	return "unknown"
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Microsecond)
}
