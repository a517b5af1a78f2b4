// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"slices"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// RuleOf is the rule that an entry records.
func RuleOf(e v1alpha1.ReplicationDurabilityEntry) Rule { return Rule{W: e.W, Members: e.Members} }

// Equal reports whether two rules wait for as many of the same servers.
func (r Rule) Equal(o Rule) bool {
	if r.W != o.W || len(r.Members) != len(o.Members) {
		return false
	}
	for _, m := range r.Members {
		if !slices.Contains(o.Members, m) {
			return false
		}
	}
	return true
}

// Has reports whether the member is one of those that acknowledge.
func (r Rule) Has(name string) bool {
	return slices.ContainsFunc(r.Members, func(m v1alpha1.DurabilityMember) bool { return m.Name == name })
}

// Member of that name among those that acknowledge.
func (r Rule) Member(name string) (v1alpha1.DurabilityMember, bool) {
	for _, m := range r.Members {
		if m.Name == name {
			return m, true
		}
	}
	return v1alpha1.DurabilityMember{}, false
}

// Waits is how many members a commit waits for, of n that can acknowledge.
func (d Durability) Waits(n int) int32 {
	switch {
	case n == 0:
		return 0
	case d.Replicas > 0:
		return min(d.Replicas, int32(n)) //nolint:gosec // A replication has at most 65 members.
	}
	return int32((n + 1) / 2) //nolint:gosec // As above.
}

// Voters of an entry: those of its members that are counted, by name and by the server
// that they were when they acknowledged.
type Voters map[string]string

// counts how many members of an entry are voters. A member that has another server now
// holds other data: what the one before acknowledged is not on it.
func (v Voters) counts(e v1alpha1.ReplicationDurabilityEntry) int32 {
	var n int32
	for _, m := range e.Members {
		if id, ok := v[m.Name]; ok && (m.ServerUUID == "" || id == m.ServerUUID) {
			n++
		}
	}
	return n
}

// In reports whether one of the voters is a member of the entry.
func (v Voters) In(e v1alpha1.ReplicationDurabilityEntry) bool { return v.counts(e) > 0 }

// has reports whether the server that an entry's commits were made on is itself a voter.
func (v Voters) has(server string) bool {
	for _, id := range v {
		if id != "" && id == server {
			return true
		}
	}
	return false
}

// HoldAll reports whether the voters must hold every commit that was acknowledged by the
// entries, which is when R + W > N for each of them: any W of the N share a member with
// any R of them. The server that committed holds it all by itself. Without an entry
// nothing is promised.
//
// It is also the fence of a quorum: when these voters receive nothing any more, too few
// members are left for a commit to be acknowledged.
func HoldAll(entries []v1alpha1.ReplicationDurabilityEntry, voters Voters) bool {
	more, _ := Missing(entries, voters)
	return len(entries) > 0 && more == 0
}

// Missing says how many more voters an entry needs, of the entry that lacks most.
func Missing(entries []v1alpha1.ReplicationDurabilityEntry, voters Voters) (more int32, of v1alpha1.ReplicationDurabilityEntry) {
	for _, e := range entries {
		if voters.has(e.Source) {
			continue
		}
		if n := int32(len(e.Members)) - e.W + 1 - voters.counts(e); n > more { //nolint:gosec // As above.
			more, of = n, e
		}
	}
	return more, of
}

// Appended is the list with a new entry, which is the first step of a change: both hold
// until the old one is dropped.
func Appended(entries []v1alpha1.ReplicationDurabilityEntry, e v1alpha1.ReplicationDurabilityEntry) []v1alpha1.ReplicationDurabilityEntry {
	return append(slices.Clone(entries), e)
}

// Promising is the list with what a source promises next. A source counts the
// acknowledgement of a receiver that has left for the commits that waited then: until
// those are on enough members, each of them may be on any W of all that could acknowledge.
// An entry says so, where none does yet.
func Promising(list []v1alpha1.ReplicationDurabilityEntry, next v1alpha1.ReplicationDurabilityEntry) []v1alpha1.ReplicationDurabilityEntry {
	all := next
	all.Members = slices.Clone(next.Members)
	var others []v1alpha1.DurabilityMember
	for _, e := range list {
		if !sameSource(e, next) {
			continue
		}
		for _, was := range e.Members {
			m, in := RuleOf(all).Member(was.Name)
			switch {
			case !in:
				all.Members = append(all.Members, was)
			case m != was && all.W > 0 && !slices.Contains(others, was):
				// One whose server is another now may have been one of the W, and an entry
				// names each member once.
				others = append(others, was)
				all.W--
			}
		}
	}
	said := func(e v1alpha1.ReplicationDurabilityEntry) bool {
		return sameSource(e, next) && e.W <= all.W && !slices.ContainsFunc(all.Members, func(m v1alpha1.DurabilityMember) bool { return !slices.Contains(e.Members, m) })
	}
	if next.W > 0 && !slices.ContainsFunc(list, said) && !said(next) {
		list = Appended(list, all)
	}
	return Appended(list, next)
}

// sameSource reports whether the commits of both were made by one server, on one timeline.
func sameSource(a, b v1alpha1.ReplicationDurabilityEntry) bool {
	return a.Source == b.Source && a.Timeline == b.Timeline
}
