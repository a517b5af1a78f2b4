// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// count in figures.
func count(n int) string { return strconv.Itoa(n) }

// names of a rule's members.
func names(r topology.Rule) string {
	list := make([]string, 0, len(r.Members))
	for _, m := range r.Members {
		list = append(list, m.Name)
	}
	return strings.Join(list, ", ")
}

// shorten a text for a message.
func shorten(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
