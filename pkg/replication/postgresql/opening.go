// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import "github.com/upmio/unit-operator/pkg/replication/topology"

// MayOpen says why a member must not take writes; empty: it may. Everything is for the
// recorded primary alone: one that comes back after another was promoted finds that it is
// not, or that its WAL ends apart from the promotion that is recorded.
func (v *View) MayOpen(name string) (why string) {
	m := v.Member(name)
	switch op := v.Recorded.Operation; {
	case m == nil || !m.reachable():
		return "its agent does not answer"
	case name != v.Recorded.Source:
		return "the recorded primary is " + v.Recorded.Source
	case op != nil && op.From == name && op.Phase != topology.PhaseOpening:
		return "it is being replaced as the primary"
	case v.foreign(m):
		return "it has another database"
	case m.Seen.Busy != "":
		return "its data is being replaced"
	case m.answers() && v.Standing(m) == StandingBefore && op != nil && op.Phase == topology.PhaseOpening && op.To == name:
		// It is promoted after it was recorded as the primary, from before that timeline.
		return ""
	case v.Standing(m) != StandingCurrent:
		return "its WAL does not continue the promotion that is recorded"
	}
	for i := range v.Members {
		if other := &v.Members[i]; other != m && other.primary() {
			return other.Name + " is a primary as well, and is stopped first"
		}
	}
	return ""
}
