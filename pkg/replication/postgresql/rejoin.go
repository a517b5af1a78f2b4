// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"

	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
)

// Way for a member to become a standby of the primary.
type Way string

const (
	// WayWait: it is not known yet what it has, or what the primary has.
	WayWait Way = "Wait"
	// WayFollow: it receives what it lacks.
	WayFollow Way = "Follow"
	// WayRewind: it has WAL that the primary has not, and pg_rewind undoes it.
	WayRewind Way = "Rewind"
	// WayCopy: its data is replaced by a base backup, and moved aside.
	WayCopy Way = "Copy"
	// WayRefused: it has another database, or what the primary has lost. A person has to give
	// that up first.
	WayRefused Way = "Refused"
)

// Rejoin is what becomes of a member.
type Rejoin struct {
	Way Way
	// At is the last position that it has in common with the primary.
	At wal.Position
	// Why in words.
	Why string
}

// Rejoin says how a member becomes a standby of the recorded primary. What it received and
// has not replayed is no obstacle: the server receives that again. It never becomes a
// primary by this.
func (v *View) Rejoin(name string) Rejoin {
	s, m := v.Source(), v.Member(name)
	switch {
	case m == nil || m == s:
		return Rejoin{Way: WayWait, Why: "it is the primary itself, or no member"}
	case !m.reachable():
		return Rejoin{Way: WayWait, Why: "its agent does not answer"}
	case m.Seen.Pristine:
		return Rejoin{Way: WayCopy, Why: "it has no data"}
	case v.foreign(m):
		return Rejoin{Way: WayRefused, Why: "it has database " + m.Seen.ServerID + ", the replication has " + v.Recorded.Data.SystemID}
	case s == nil || !s.primary() || v.Standing(s) != StandingCurrent || s.Server.History.IsZero():
		return Rejoin{Way: WayWait, Why: "the primary does not answer"}
	}
	mine, ok := m.applied()
	if !ok {
		return Rejoin{Way: WayWait, Why: "it does not say yet how far it has WAL: it is started without an upstream to replay what it has"}
	}
	theirs := s.Server.History
	at, diverged := mine.Diverged(theirs)
	r := Rejoin{Way: WayFollow, At: at}
	begin, same := mine.History.Begin(theirs.Timeline())
	begun, _ := theirs.Begin(theirs.Timeline())
	switch {
	case !diverged && mine.End > s.Server.Written && !m.Seen.At.After(s.Seen.At):
		r.Way, r.Why = WayRefused, "it has WAL that the primary has not, on the primary's own timeline: the primary has lost it"
	case !diverged && !m.primary():
	case at.LSN == wal.None:
		r.Way, r.Why = WayCopy, "it has nothing in common with the primary"
	case same && begin != begun, mine.History.Timeline() == theirs.Timeline():
		// pg_rewind compares the numbers, and leaves the server as it is.
		r.Way, r.Why = WayCopy, fmt.Sprintf("it was promoted to timeline %d apart from the primary", mine.History.Timeline())
	case !diverged:
		// A primary that was stopped in time, or will be.
		r.Why = "it has nothing that the primary has not"
	case !rewinds(mine.History, theirs, at):
		r.Way, r.Why = WayCopy, fmt.Sprintf("pg_rewind would not look at %s, from where on it differs", at)
	case !m.Server.Hints:
		r.Way, r.Why = WayCopy, "its server logs nothing for pg_rewind"
	default:
		r.Way, r.Why = WayRewind, fmt.Sprintf("it has WAL up to %s, the primary has the same up to %s", mine.Position(), at)
	}
	return r
}

// rewinds: pg_rewind would find that the two have diverged where they have.
func rewinds(target, source wal.History, at wal.Position) bool {
	found, ok := wal.RewindFinds(target, source)
	return ok && found.LSN == at.LSN
}
