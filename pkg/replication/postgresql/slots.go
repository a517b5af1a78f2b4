// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"slices"

	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

// Slots says which slots the primary should get and lose: one for every other member, also
// for an isolated one that may come back, and for everybody whose acknowledgement counts
// still. Those of who left are dropped when nobody uses them; those that have lost WAL serve nobody any more and are
// made again, empty, by the next look. Slots that are not of members are nobody's business
// here. Both lists are empty while the primary does not answer.
func (v *View) Slots() (create, drop []string) {
	s := v.Source()
	if s == nil || !s.primary() {
		return nil, nil
	}
	wanted := map[string]bool{}
	for _, name := range v.slotted(s) {
		wanted[settings.SlotName(name)] = true
	}
	there := map[string]bool{}
	for _, slot := range s.Server.Slots {
		there[slot.Name] = true
		if !slot.Logical && settings.IsMemberSlot(slot.Name) && !slot.Active && (slot.Lost || !wanted[slot.Name]) {
			drop = append(drop, slot.Name)
		}
	}
	for name := range wanted {
		if !there[name] {
			create = append(create, name)
		}
	}
	slices.Sort(create)
	slices.Sort(drop)
	return create, drop
}

// slotted are the members for which a primary keeps WAL.
func (v *View) slotted(s *Member) (names []string) {
	for i := range v.Members {
		if m := &v.Members[i]; m != s && (!m.leaves() || v.counts(m.Name)) {
			names = append(names, m.Name)
		}
	}
	return names
}

// counts: an entry of the recorded durability names the member.
func (v *View) counts(name string) bool {
	for _, e := range v.Recorded.Durability {
		for _, m := range e.Members {
			if m.Name == name {
				return true
			}
		}
	}
	return false
}
