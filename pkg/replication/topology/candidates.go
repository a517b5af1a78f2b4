// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Candidate is a member that could become the source.
type Candidate struct {
	Name     string
	Priority int32
	Delay    time.Duration
	// Evacuated: it is about to be stopped or removed.
	Evacuated bool
	Version   string
	// Ordinal is its place among the members.
	Ordinal int
}

// Sorted candidates that hold the same data, the best first: those that stay before
// those that are evacuated, those without a delay, those that the others can follow
// because they are not newer, the highest priority, the first of the members.
func Sorted(candidates []Candidate, followers []string) []Candidate {
	oldest := ""
	for _, v := range followers {
		if v != "" && (oldest == "" || CompareVersions(v, oldest) < 0) {
			oldest = v
		}
	}
	newer := func(c Candidate) bool {
		return oldest != "" && c.Version != "" && CompareVersions(c.Version, oldest) > 0
	}
	sorted := slices.Clone(candidates)
	slices.SortStableFunc(sorted, func(a, b Candidate) int {
		return cmp.Or(
			compareBool(a.Evacuated, b.Evacuated),
			compareBool(a.Delay > 0, b.Delay > 0),
			compareBool(newer(a), newer(b)),
			cmp.Compare(b.Priority, a.Priority),
			cmp.Compare(a.Ordinal, b.Ordinal),
		)
	})
	return sorted
}

// compareBool puts false first.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// CompareVersions compares the numbers of two versions, such as 8.4.6.
func CompareVersions(a, b string) int {
	x, y := numbers(a), numbers(b)
	for i := range max(len(x), len(y)) {
		var m, n int
		if i < len(x) {
			m = x[i]
		}
		if i < len(y) {
			n = y[i]
		}
		if m != n {
			return cmp.Compare(m, n)
		}
	}
	return 0
}

func numbers(version string) []int {
	version, _, _ = strings.Cut(version, "-")
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		out = append(out, n)
	}
	return out
}
