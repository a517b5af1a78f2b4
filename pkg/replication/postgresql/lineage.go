// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"math"

	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
)

// Standing of a member's WAL towards the promotion that is recorded.
type Standing string

const (
	// StandingUnknown: its WAL is not known.
	StandingUnknown Standing = "Unknown"
	// StandingCurrent: it has come to the recorded timeline, which began where it is recorded
	// to.
	StandingCurrent Standing = "Current"
	// StandingBefore: it has not come to where the recorded timeline begins.
	StandingBefore Standing = "Before"
	// StandingBeyond: it has WAL of a timeline before, of after that was left.
	StandingBeyond Standing = "Beyond"
	// StandingApart: it has come to a timeline of the recorded number that began elsewhere.
	StandingApart Standing = "Apart"
	// StandingForeign: it has another database.
	StandingForeign Standing = "Foreign"
)

// Standing of the member: whose WAL it has.
func (v *View) Standing(m *Member) Standing {
	if v.foreign(m) {
		return StandingForeign
	}
	b, ok := m.stored()
	if !ok {
		return StandingUnknown
	}
	return v.StandingOf(b)
}

// foreign: the member's database is known, and is not that of the replication.
func (v *View) foreign(m *Member) bool {
	return m.reachable() && m.Seen.ServerID != "" && v.Recorded.Data.SystemID != "" && m.Seen.ServerID != v.Recorded.Data.SystemID
}

// StandingOf a branch. While no timeline is recorded all are as good.
func (v *View) StandingOf(b wal.Branch) Standing {
	timeline, begin, err := v.promotion()
	switch {
	case b.History.IsZero() || err != nil:
		return StandingUnknown
	case timeline == 0:
		return StandingCurrent
	}
	at, has := b.History.Begin(timeline)
	switch {
	case has && at != begin:
		return StandingApart
	case has && b.End >= begin:
		return StandingCurrent
	case b.End > begin, !has && b.History.Timeline() > timeline:
		// A higher number that does not come from the recorded one was begun apart from it.
		return StandingBeyond
	}
	return StandingBefore
}

// promotion that is recorded: its timeline, and where that begins; 0 if none is.
func (v *View) promotion() (timeline wal.Timeline, begin wal.LSN, err error) {
	data := v.Recorded.Data
	switch {
	case data.Timeline == 0 || data.Timeline == int64(wal.FirstTimeline):
		return wal.Timeline(data.Timeline), wal.None, nil
	case data.Timeline < 0 || data.Timeline > math.MaxUint32:
		return 0, wal.None, fmt.Errorf("timeline %d is recorded, which is none", data.Timeline)
	}
	if begin, err = wal.ParseLSN(data.BeginLSN); err != nil {
		return 0, wal.None, fmt.Errorf("where timeline %d begins is not recorded: %w", data.Timeline, err)
	}
	return wal.Timeline(data.Timeline), begin, nil
}

// NextTimeline is a number for the next promotion that is recorded before it begins, and that
// none had before it. A server takes the first that it has not seen itself, which may be that
// of a promotion whose WAL has reached nobody: two timelines of one number that begin at one
// position look the same, and who has the one would follow the other.
//
// It is odd: those of promotions that are not recorded before are even, for no record keeps
// others from them while who has one is away.
func (v *View) NextTimeline() wal.Timeline {
	highest := wal.FirstTimeline
	if t, _, err := v.promotion(); err == nil {
		highest = max(highest, t)
	}
	for i := range v.Members {
		if s := v.Members[i].Server; s != nil {
			highest = max(highest, s.History.Timeline())
			if s.Control != nil {
				highest = max(highest, s.Control.Timeline)
			}
		}
	}
	return highest + 1 + highest%2
}

// unrecordedTimeline is a number for the promotion of a member that is the recorded primary
// already and was a standby in between. It is recorded when it is seen. Until then another
// member may be recorded as the primary, and promoted to a number of its own.
func (v *View) unrecordedTimeline() wal.Timeline { return v.NextTimeline() + 1 }
