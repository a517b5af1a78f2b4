// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gtid

import (
	"bytes"
	"cmp"
	"slices"
)

// Set is a set of transactions. Its zero value is the empty set.
type Set struct {
	// origins are sorted by UUID, then by tag; none is without intervals.
	origins []origin
}

// UUID is a server_uuid, or the name of a group.
type UUID [16]byte

// origin is who numbered the transactions.
type origin struct {
	uuid UUID
	// tag is empty for transactions without one.
	tag string
	// intervals are sorted, and neither overlap nor touch.
	intervals []interval
}

// interval is a range of transaction numbers, both ends included.
type interval struct{ first, last int64 }

func (o origin) compare(other origin) int {
	if c := bytes.Compare(o.uuid[:], other.uuid[:]); c != 0 {
		return c
	}
	return cmp.Compare(o.tag, other.tag)
}

// IsEmpty says whether there is no transaction in the set.
func (s Set) IsEmpty() bool { return len(s.origins) == 0 }

// Count is the number of transactions in the set; what does not fit is the largest
// uint64. It is for people and for lag, never for a comparison of two sets.
func (s Set) Count() uint64 {
	var n uint64
	for _, o := range s.origins {
		for _, i := range o.intervals {
			// An interval has fewer than 2^63 transactions.
			d := uint64(i.last-i.first) + 1
			if n+d < n {
				return ^uint64(0)
			}
			n += d
		}
	}
	return n
}

// Equal says whether both have the same transactions.
func (s Set) Equal(other Set) bool {
	return slices.EqualFunc(s.origins, other.origins, func(a, b origin) bool {
		return a.compare(b) == 0 && slices.Equal(a.intervals, b.intervals)
	})
}

// Contains says whether all transactions of the other set are in this one: the
// server's GTID_SUBSET(other, s).
func (s Set) Contains(other Set) bool {
	i := 0
	for _, o := range other.origins {
		for i < len(s.origins) && s.origins[i].compare(o) < 0 {
			i++
		}
		if i == len(s.origins) || s.origins[i].compare(o) != 0 || !containsIntervals(s.origins[i].intervals, o.intervals) {
			return false
		}
	}
	return true
}

func containsIntervals(outer, inner []interval) bool {
	i := 0
	for _, in := range inner {
		for i < len(outer) && outer[i].last < in.first {
			i++
		}
		if i == len(outer) || outer[i].first > in.first || outer[i].last < in.last {
			return false
		}
	}
	return true
}

// Union is what is in either set.
func (s Set) Union(other Set) Set {
	switch {
	case s.IsEmpty():
		return other
	case other.IsEmpty():
		return s
	}
	out := make([]origin, 0, max(len(s.origins), len(other.origins)))
	i, j := 0, 0
	for i < len(s.origins) && j < len(other.origins) {
		a, b := s.origins[i], other.origins[j]
		switch c := a.compare(b); {
		case c < 0:
			out = append(out, a)
			i++
		case c > 0:
			out = append(out, b)
			j++
		default:
			out = append(out, origin{a.uuid, a.tag, merge(slices.Concat(a.intervals, b.intervals))})
			i, j = i+1, j+1
		}
	}
	out = append(out, s.origins[i:]...)
	return Set{append(out, other.origins[j:]...)}
}

// merge sorts intervals and joins those that overlap or touch. It changes its argument.
func merge(in []interval) []interval {
	slices.SortFunc(in, func(a, b interval) int { return cmp.Compare(a.first, b.first) })
	out := in[:0]
	for _, i := range in {
		if n := len(out); n > 0 && i.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, i.last)
			continue
		}
		out = append(out, i)
	}
	return out
}

// Subtract is what is in this set and not in the other: the server's GTID_SUBTRACT.
func (s Set) Subtract(other Set) Set {
	var out []origin
	j := 0
	for _, a := range s.origins {
		for j < len(other.origins) && other.origins[j].compare(a) < 0 {
			j++
		}
		if j == len(other.origins) || other.origins[j].compare(a) != 0 {
			out = append(out, a)
			continue
		}
		if left := subtractIntervals(a.intervals, other.origins[j].intervals); len(left) > 0 {
			out = append(out, origin{a.uuid, a.tag, left})
		}
	}
	return Set{out}
}

func subtractIntervals(from, what []interval) []interval {
	var out []interval
	j := 0
	for _, a := range from {
		for j < len(what) && what[j].last < a.first {
			j++
		}
		// what[j] may reach into the next interval too, so it is kept.
		for k := j; k < len(what) && what[k].first <= a.last && a.first <= a.last; k++ {
			if what[k].first > a.first {
				out = append(out, interval{a.first, what[k].first - 1})
			}
			a.first = what[k].last + 1
		}
		if a.first <= a.last {
			out = append(out, a)
		}
	}
	return out
}

// Intersect is what is in both sets.
func (s Set) Intersect(other Set) Set { return s.Subtract(s.Subtract(other)) }

// Of is what the server numbered itself, with tags and without.
func (s Set) Of(server UUID) Set {
	return s.filter(func(o origin) bool { return o.uuid == server })
}

// NotOf is what others than the server numbered.
func (s Set) NotOf(server UUID) Set {
	return s.filter(func(o origin) bool { return o.uuid != server })
}

func (s Set) filter(keep func(origin) bool) Set {
	var out []origin
	for _, o := range s.origins {
		if keep(o) {
			out = append(out, o)
		}
	}
	return Set{out}
}

// Errant is what a replica has that its source has not and never will. What the source
// numbered itself is not errant: a replica has a transaction that waits for its
// acknowledgement before the source says that it has executed it.
func Errant(replica, source Set, sourceUUID UUID) Set {
	return replica.Subtract(source).NotOf(sourceUUID)
}

// OwnSurplus is what a replica has of the source's own transactions that the source
// does not say it has: it waits for an acknowledgement of them, or it lost them in a
// power failure.
func OwnSurplus(replica, source Set, sourceUUID UUID) Set {
	return replica.Subtract(source).Of(sourceUUID)
}
