// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"reflect"
	"slices"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// maxEntries of durability: with more of them members come and go faster than WAL reaches
// the others, and the next change waits.
const maxEntries = 16

// DurabilityStep is the next one on the way from the recorded durability to a rule.
type DurabilityStep struct {
	// Record is the list that is recorded next; nil: it stays.
	Record []v1alpha1.ReplicationDurabilityEntry
	// Revoked: what was promised was not kept.
	Revoked bool
	// Enforce: the primary is to wait as the last entry says.
	Enforce bool
}

// Durability says what comes next on the way to a rule, and what to remember. A change
// appends an entry, has the primary enforce it and read it back, and drops the entries
// before once enough of the new members have what the primary had after that. Nothing is
// done while the primary does not answer.
func (v *View) Durability(want topology.Rule, mem topology.Memory, now time.Time) (DurabilityStep, topology.Memory) {
	s, list := v.Source(), v.Recorded.Durability
	if s == nil || !s.primary() || s.Server.History.IsZero() || v.Standing(s) != StandingCurrent {
		return DurabilityStep{}, mem
	}
	if len(list) == 0 {
		return DurabilityStep{Record: []v1alpha1.ReplicationDurabilityEntry{v.entry(topology.Rule{})}}, unsettled(mem)
	}
	if !reflect.DeepEqual(mem.SettledUnder, list) {
		mem = unsettled(mem)
		mem.SettledUnder = list
	}
	last := list[len(list)-1]
	switch next := v.entry(want); {
	case v.broken(list):
		return DurabilityStep{Record: []v1alpha1.ReplicationDurabilityEntry{v.entry(topology.Rule{})}, Revoked: true}, unsettled(mem)
	case !v.madeBy(last) || !topology.RuleOf(last).Equal(want):
		promised := promising(list, next)
		if len(promised) > maxEntries {
			return DurabilityStep{}, mem
		}
		return DurabilityStep{Record: promised}, unsettled(mem)
	case !v.enforced(want):
		return DurabilityStep{Enforce: true}, unsettled(mem)
	}
	mem = v.settle(mem, now)
	if len(list) > 1 && v.held(last, mem) {
		return DurabilityStep{Record: list[len(list)-1:]}, mem
	}
	return DurabilityStep{}, mem
}

// promising is the list with what the primary promises next. Walsenders read the next rule
// one after the other: meanwhile each lets commits go by the number that it has read itself,
// and counts whoever any of them takes for one that is waited for. An entry says so, where
// none does.
func promising(list []v1alpha1.ReplicationDurabilityEntry, next v1alpha1.ReplicationDurabilityEntry) []v1alpha1.ReplicationDurabilityEntry {
	mixed := next
	mixed.Members = slices.Clone(next.Members)
	for _, e := range list {
		if e.Source != next.Source || e.Timeline != next.Timeline {
			continue
		}
		mixed.W = min(mixed.W, e.W)
		for _, m := range e.Members {
			if !topology.RuleOf(mixed).Has(m.Name) {
				mixed.Members = append(mixed.Members, m)
			}
		}
	}
	promised := topology.Promising(list, next)
	said := func(e v1alpha1.ReplicationDurabilityEntry) bool {
		return e.Source == mixed.Source && e.Timeline == mixed.Timeline && e.W <= mixed.W &&
			!slices.ContainsFunc(mixed.Members, func(m v1alpha1.DurabilityMember) bool { return !slices.Contains(e.Members, m) })
	}
	if mixed.W > 0 && !slices.ContainsFunc(promised, said) {
		promised = slices.Insert(promised, len(promised)-1, mixed)
	}
	return promised
}

// entry for the primary's timeline and a rule. Members are known by their units: they share
// one system identifier.
func (v *View) entry(r topology.Rule) v1alpha1.ReplicationDurabilityEntry {
	s := v.Source()
	return v1alpha1.ReplicationDurabilityEntry{Source: s.Seen.ServerID, Timeline: int64(s.Server.History.Timeline()), W: r.W, Members: r.Members}
}

// madeBy: the primary made the entry's commits, on the timeline that it writes.
func (v *View) madeBy(e v1alpha1.ReplicationDurabilityEntry) bool {
	s := v.Source()
	return e.Source == s.Seen.ServerID && e.Timeline == int64(s.Server.History.Timeline())
}

// names that the primary has for a rule.
func (v *View) names(r topology.Rule) settings.Sync {
	if r.W == 0 {
		return settings.Sync{}
	}
	units := make([]string, 0, len(r.Members))
	for _, m := range r.Members {
		units = append(units, m.Name)
	}
	return settings.Quorum(v.Recorded.Source, int(r.W), units)
}

// broken: the primary waits for others than any entry says, or for nobody, although its
// agent has recorded that it does and every entry promises it. While an entry is new the
// server may have the one before still.
func (v *View) broken(list []v1alpha1.ReplicationDurabilityEntry) bool {
	s := v.Source()
	r := s.Seen.Record
	if r == nil || r.Role != topology.RoleSource || r.Rule.W == 0 || s.Server.Sync.Equal(v.names(r.Rule)) {
		return false
	}
	for _, e := range list {
		if e.W == 0 || s.Server.Sync.Equal(v.names(topology.RuleOf(e))) {
			return false
		}
	}
	return true
}

// enforced: the primary's agent has recorded the rule, its server has it in force, and so
// has every walsender that has had a say: with an earlier setting it would let commits go
// that too few have, or count who has left.
func (v *View) enforced(want topology.Rule) bool {
	s := v.Source()
	r := s.Seen.Record
	names := v.names(want)
	if r == nil || r.Role != topology.RoleSource || !r.Rule.Equal(want) || !s.Server.Sync.Equal(names) {
		return false
	}
	for _, client := range s.Server.Standbys {
		if (client.Counted || names.Has(client.Application)) && !client.Reloaded {
			return false
		}
	}
	return true
}

// settle remembers when the rule was seen in force, and how far the primary had written
// after that. What it writes from then on is acknowledged by the rule's members only.
func (v *View) settle(mem topology.Memory, now time.Time) topology.Memory {
	s := v.Source()
	switch {
	case mem.Settled.IsZero():
		mem.Settled = now
	case mem.Logged == nil && s.Seen.At.After(mem.Settled):
		mem.Logged = wal.Position{Timeline: s.Server.History.Timeline(), LSN: s.Server.Written}
	}
	return mem
}

func unsettled(mem topology.Memory) topology.Memory {
	mem.Settled, mem.Logged = time.Time{}, nil
	return mem
}

// held: so many of an entry's members as acknowledge have what the primary had written when
// its rule was in force.
func (v *View) held(e v1alpha1.ReplicationDurabilityEntry, mem topology.Memory) bool {
	position, ok := mem.Logged.(wal.Position)
	if !ok {
		return false
	}
	var n int32
	for _, was := range e.Members {
		if m := v.Member(was.Name); m != nil && sameUnit(was, m) && v.has(m, position) {
			n++
		}
	}
	return n >= e.W
}

// has: the member has stored the WAL up to a position of the primary.
func (v *View) has(m *Member, p wal.Position) bool {
	b, ok := m.stored()
	return ok && v.reaches(b, p)
}

// reaches: the WAL has come to a position of the primary.
func (v *View) reaches(b wal.Branch, p wal.Position) bool {
	if v.StandingOf(b) != StandingCurrent || b.End < p.LSN {
		return false
	}
	end, ok := b.History.End(p.Timeline)
	return ok && end >= p.LSN
}

// sameUnit: the member is the one that the entry names, not one made again by its name.
func sameUnit(was v1alpha1.DurabilityMember, m *Member) bool {
	return was.UnitUID == "" || was.UnitUID == m.UnitUID
}
