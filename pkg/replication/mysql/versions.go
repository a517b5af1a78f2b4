// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import "github.com/upmio/unit-operator/pkg/replication/topology"

// seriesSince are the first versions of the release series, between two of which a server
// can be upgraded, and replicate, in one step.
var seriesSince = []string{"8.0", "8.1", "9", "10"}

// seriesOf a version; known is false for what is none.
func seriesOf(version string) (n int, known bool) {
	if version == "" || version[0] < '0' || version[0] > '9' {
		return 0, false
	}
	for n < len(seriesSince) && topology.CompareVersions(version, seriesSince[n]) >= 0 {
		n++
	}
	return n, true
}

// apart: the versions of the member and the source differ by more than one series. What
// one of them logs the other may not be able to apply. One series is what an upgrade of
// the members one after the other comes through.
func (d *decision) apart(m *Member) bool {
	s := d.source
	if s == nil || s == m || !s.answers() || !m.answers() {
		return false
	}
	its, known := seriesOf(m.Seen.Version)
	ours, knownToo := seriesOf(s.Seen.Version)
	return known && knownToo && (ours-its > 1 || its-ours > 1)
}
