// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings

import "strings"

// memberSlot begins the names of the slots that keep WAL for members. Those of backups
// and of people have others: nobody but their makers drops them.
const memberSlot = "unit_member_"

// SlotName of a unit's slot on the server that it receives from: small letters, digits and
// underscores are all that the server allows. Two units never share one: a name that
// cannot be written with an underscore for each dash has a hash.
func SlotName(unit string) string {
	name := memberSlot + strings.ReplaceAll(unit, "-", "_")
	if plain(unit) && !strings.Contains(unit, ".") && len(name) <= MaxName {
		return name
	}
	return memberSlot + hashed(unit)
}

// IsMemberSlot reports whether a slot was made for a member, of now or of before.
func IsMemberSlot(slot string) bool { return strings.HasPrefix(slot, memberSlot) }

// ValidSlotName reports whether the server has slots of that name.
func ValidSlotName(slot string) bool {
	return slot != "" && len(slot) <= MaxName && strings.Trim(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
