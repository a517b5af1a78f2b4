// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"fmt"
	"slices"
	"time"
)

// Marker is one commit that was attempted directly on a member. If it was acknowledged,
// the member accepted it at some instant between Begun and Ended; which one is not known.
type Marker struct {
	Member string
	// Session of the member's server. A source that is closed ends its sessions, so within
	// one of them the member was not closed and opened again.
	Session      string
	Begun, Ended time.Time
	Acknowledged bool
}

// tenure is a time in which a member was certainly open: it acknowledged a first and a
// last marker in one session, and refused none in between. It was open from the instant
// of the first, which is at Opened or earlier, to the instant of the last, which is at
// Closed or later. With a single marker Opened is its end and Closed its beginning: then
// it is one instant between these two.
type tenure struct {
	member         string
	session        string
	opened, closed time.Time
}

func (t tenure) String() string {
	const clock = "15:04:05.000"
	if t.opened.After(t.closed) {
		return fmt.Sprintf("%s acknowledged once between %s and %s", t.member, t.closed.Format(clock), t.opened.Format(clock))
	}
	return fmt.Sprintf("%s acknowledged from %s to %s", t.member, t.opened.Format(clock), t.closed.Format(clock))
}

// tenures of one member, from its markers in the order in which they were attempted.
func tenures(markers []Marker) []tenure {
	var out []tenure
	open := false
	for _, m := range markers {
		switch {
		case !m.Acknowledged:
			open = false
		case open && out[len(out)-1].session == m.Session:
			out[len(out)-1].closed = m.Begun
		default:
			out = append(out, tenure{member: m.Member, session: m.Session, opened: m.Ended, closed: m.Begun})
			open = true
		}
	}
	return out
}

// Overlaps are pairs of members of which both acknowledged at the same time, in
// sentences. A pair is here only if no choice of the unknown instants keeps the two apart:
// one of them need not have been open before its first marker ended, nor after its last
// began, so they are apart if either can have closed before the other opened.
func Overlaps(markers []Marker) []string {
	of := map[string][]Marker{}
	for _, m := range markers {
		of[m.Member] = append(of[m.Member], m)
	}
	var all []tenure
	for _, list := range of {
		slices.SortStableFunc(list, func(a, b Marker) int { return a.Begun.Compare(b.Begun) })
		all = append(all, tenures(list)...)
	}
	slices.SortFunc(all, func(a, b tenure) int { return a.opened.Compare(b.opened) })
	var out []string
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.member != b.member && a.opened.Before(b.closed) && b.opened.Before(a.closed) {
				out = append(out, fmt.Sprintf("%s, and %s", a, b))
			}
		}
	}
	return out
}

// Changes is how often the member that acknowledges has changed, at least: only markers
// that began after the former member's last had ended count. More changes than the
// Replication has recorded mean that two members took turns.
func Changes(markers []Marker) int {
	acknowledged := slices.DeleteFunc(slices.Clone(markers), func(m Marker) bool { return !m.Acknowledged })
	slices.SortStableFunc(acknowledged, func(a, b Marker) int { return a.Ended.Compare(b.Ended) })
	changes, current, last := 0, "", time.Time{}
	for _, m := range acknowledged {
		switch {
		case current == "" || m.Member == current:
			current, last = m.Member, m.Ended
		case m.Begun.After(last):
			changes++
			current, last = m.Member, m.Ended
		}
	}
	return changes
}
