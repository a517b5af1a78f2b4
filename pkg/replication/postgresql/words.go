// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"strconv"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// count in figures.
func count(n int) string { return strconv.Itoa(n) }

// lasting is a duration as people say it: 0.8s, 42s, 10m, 1h30m.
func lasting(d time.Duration) string {
	unit := time.Second
	if d < 10*time.Second {
		unit = 100 * time.Millisecond
	}
	text := d.Round(unit).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

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
