// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"slices"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

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
			wanted[settings.SlotName(m.Name)] = true
		}
		for _, unit := range record.Slots {
			wanted[settings.SlotName(unit)] = true
		}
		delete(wanted, settings.SlotName(self))
	}
	there := map[string]bool{}
	for _, s := range found {
		there[s.name] = true
		switch {
		case !settings.IsMemberSlot(s.name) || s.active:
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
