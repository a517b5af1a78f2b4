// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

// synchronousNames is synchronous_standby_names of a source: empty unless commits
// wait for members.
func synchronousNames(self string, d engine.Durability) string {
	if d.Mode != engine.DurabilitySync {
		return ""
	}
	units := make([]string, 0, len(d.Members))
	for _, m := range d.Members {
		units = append(units, m.Name)
	}
	return settings.Quorum(self, d.W, units).String()
}
