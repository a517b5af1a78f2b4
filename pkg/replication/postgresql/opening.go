// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

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
	case m.answers() && m.Seen.Busy == "" && v.promoting(name) && v.Standing(m) == StandingBefore:
		// It is promoted after it was recorded as the primary, from before that timeline.
		return v.otherPrimary(m)
	}
	return v.unopenable(m)
}

// promoting: the member is recorded as the next primary, and was not opened yet.
func (v *View) promoting(name string) bool {
	op := v.Recorded.Operation
	return op != nil && op.Phase == topology.PhaseOpening && op.To == name
}

// unopenable says why the recorded primary must not take writes with the data that it has;
// empty: it may.
func (v *View) unopenable(m *Member) (why string) {
	switch {
	case v.foreign(m):
		return "it has another database"
	case m.Seen.Busy != "":
		return "its data is being replaced"
	case v.Standing(m) != StandingCurrent && !v.resumes(m):
		return "its WAL does not continue the promotion that is recorded"
	}
	return v.otherPrimary(m)
}

// otherPrimary says who else is a primary; empty: nobody.
func (v *View) otherPrimary(m *Member) string {
	for i := range v.Members {
		if other := &v.Members[i]; other != m && other.primary() {
			return other.Name + " is a primary as well, and is stopped first"
		}
	}
	return ""
}

// resumes: the member's server is stopped, and its files say that it is the primary that it
// was, with the recorded promotion. It is started as that, which begins no timeline unless
// it was a standby in between.
func (v *View) resumes(m *Member) bool {
	if !m.reachable() || m.Server == nil || m.Server.Control == nil || m.Server.History.IsZero() {
		return false
	}
	control := m.Server.Control
	return control.Timeline == m.Server.History.Timeline() && v.StandingOf(wal.Branch{History: m.Server.History, End: control.Checkpoint}) == StandingCurrent
}
