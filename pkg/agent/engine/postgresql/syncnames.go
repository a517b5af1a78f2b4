// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// maxNameLength of identifiers and application names; the server cuts longer ones.
const maxNameLength = 63

// memberName is the name under which a unit's standby is known to its source.
func memberName(unit string) string {
	return unit[:min(len(unit), maxNameLength)]
}

// synchronousNames is synchronous_standby_names of a source: empty unless commits
// wait for members. It never becomes shorter than what was asked for: with fewer
// members than W, or with none, commits wait. self is in the list then, which no
// standby of this server is called.
func synchronousNames(self string, d engine.Durability) string {
	if d.Mode != engine.DurabilitySync {
		return ""
	}
	names := make([]string, 0, len(d.Members))
	for _, m := range d.Members {
		names = append(names, identifier(memberName(m.Name)))
	}
	if len(names) == 0 {
		names = append(names, identifier(memberName(self)))
	}
	return fmt.Sprintf("ANY %d (%s)", max(d.W, 1), strings.Join(names, ","))
}
