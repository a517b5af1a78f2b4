// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// memberSlotPrefix begins the names of the slots that keep WAL for members. Only
// slots with it are ever dropped; those of backups and of people have others.
const memberSlotPrefix = "unit_member_"

// slotName is the slot of a unit: lower-case letters, digits and _ are all that a
// slot's name may have. Two units never share one: what cannot be written with a _
// for each - has a hash.
func slotName(unit string) string {
	name := memberSlotPrefix + strings.ReplaceAll(unit, "-", "_")
	plain := strings.IndexFunc(unit, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) < 0
	if plain && len(name) <= maxNameLength {
		return name
	}
	sum := sha256.Sum256([]byte(unit))
	return memberSlotPrefix + hex.EncodeToString(sum[:16])
}

// slot is what the server reports of a physical slot.
type slot struct {
	name   string
	active bool
	// lost: the WAL it should keep is gone, so that it serves nobody any more.
	lost bool
	// kept is how many bytes of WAL it keeps.
	kept int64
}

// planSlots says which slots a server with the role should get and lose. keep is
// the most that an inactive slot may keep where the server itself has no limit (12),
// 0 otherwise. A slot that is dropped for it is made again, empty, by the next plan.
func planSlots(self string, record engine.RoleRecord, found []slot, keep int64) (create, drop []string) {
	wanted := map[string]bool{}
	if record.Role == engine.RoleSource {
		for _, m := range record.Durability.Members {
			if m.Name != self {
				wanted[slotName(m.Name)] = true
			}
		}
	}
	there := map[string]bool{}
	for _, s := range found {
		there[s.name] = true
		switch {
		case !strings.HasPrefix(s.name, memberSlotPrefix) || s.active:
		case !wanted[s.name], s.lost, keep > 0 && s.kept > keep:
			drop = append(drop, s.name)
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
