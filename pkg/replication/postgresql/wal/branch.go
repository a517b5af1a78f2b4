// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wal

import "fmt"

// Position on a timeline.
type Position struct {
	Timeline Timeline
	LSN      LSN
}

// String for people.
func (p Position) String() string { return fmt.Sprintf("%s of timeline %d", p.LSN, p.Timeline) }

// Contains reports whether a server that stands at a position of a timeline has nothing
// but what the history has: the history has that timeline, and left it no earlier. It
// takes the timeline to be the same one; where two may have its number, compare their
// histories.
func (h History) Contains(p Position) bool {
	end, ok := h.End(p.Timeline)
	return ok && p.LSN <= end
}

// Common is the last position that both histories have: where one was left for the other,
// or both for different ones. Unlimited on one timeline: they are the same. ok is false if
// they have nothing in common.
//
// A timeline that both have is the same one only if they came to it the same way.
func Common(a, b History) (p Position, ok bool) {
	for i := range min(a.len(), b.len()) {
		x, y := a.at(i), b.at(i)
		if x.Timeline != y.Timeline {
			break
		}
		p, ok = Position{x.Timeline, min(x.At, y.At)}, true
		if x.At != y.At {
			break
		}
	}
	return p, ok
}

// Branch is the write-ahead log that one server has: its history up to a position.
type Branch struct {
	History History
	// End is where the server would write, or receive, next.
	End LSN
}

// Position of the end. A server that knows of a timeline and has not come to where it
// begins is on an older one.
func (b Branch) Position() Position { return Position{b.History.On(b.End), b.End} }

// Relation of one branch to another.
type Relation string

const (
	// Same: both have the same WAL. One of them may have begun a timeline that is empty yet.
	Same Relation = "Same"
	// Behind: the other has all that this one has, and more.
	Behind Relation = "Behind"
	// Ahead: this one has all that the other has, and more.
	Ahead Relation = "Ahead"
	// Diverged: each has what the other has not.
	Diverged Relation = "Diverged"
	// Unrelated: they have nothing in common, or one of them was not asked.
	Unrelated Relation = "Unrelated"
)

// Compare two branches, and say what is the last position that both have.
func Compare(a, b Branch) (Relation, Position) {
	fork, ok := Common(a.History, b.History)
	if !ok {
		return Unrelated, Position{}
	}
	last := min(fork.LSN, a.End, b.End)
	common := Position{a.History.On(last), last}
	switch aHas, bHas := b.End <= last, a.End <= last; {
	case aHas && bHas:
		return Same, common
	case bHas:
		return Behind, common
	case aHas:
		return Ahead, common
	}
	return Diverged, common
}

// Diverged reports whether a server has WAL that a history has not, and up to where it
// has the same: what a former primary wrote after another one was promoted. The server may
// follow whoever has the history if it has none.
//
// A server that has nothing in common with the history has diverged from it at None.
func (b Branch) Diverged(from History) (at Position, diverged bool) {
	fork, ok := Common(b.History, from)
	if !ok {
		return Position{}, true
	}
	last := min(fork.LSN, b.End)
	return Position{b.History.On(last), last}, b.End > fork.LSN
}

// RewindFinds is where pg_rewind takes a server with the one history to have diverged from
// one with the other. ok is false where it does nothing: it compares the numbers of the two
// timelines first. It takes both as they are written, so that after a promotion from before
// the parent begins it looks in the wrong place, and leaves what it should undo. Only if it
// finds what Common says is it safe to use.
func RewindFinds(target, source History) (p Position, ok bool) {
	if target.timeline == source.timeline {
		return Position{}, false
	}
	for i := range min(target.len(), source.len()) {
		x, y := target.written(i), source.written(i)
		if x.Timeline != y.Timeline {
			break
		}
		p, ok = Position{x.Timeline, min(x.At, y.At)}, true
		if x.At != y.At {
			break
		}
	}
	return p, ok
}

// written is the i-th timeline, and where it says that it was left.
func (h History) written(i int) Switch {
	if i < len(h.past) {
		return h.past[i]
	}
	return Switch{h.timeline, Unlimited}
}
