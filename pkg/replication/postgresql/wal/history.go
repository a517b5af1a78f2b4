// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Timeline is the number of one. Each promotion begins one with a number that the
// promoted server had not seen before.
type Timeline uint32

// FirstTimeline is that of initdb.
const FirstTimeline Timeline = 1

// MaxHistoryLength bounds what ParseHistory accepts, in bytes: more than 10,000 promotions.
const MaxHistoryLength = 1 << 20

// Switch is where a timeline was left for the next one.
type Switch struct {
	Timeline Timeline
	// At is its end, and the begin of the next.
	At LSN
}

// History is how one came to a timeline: the timelines before it, and where each was
// left. The zero value is no history.
type History struct {
	timeline Timeline
	// past timelines as they are written, the oldest first. Their numbers rise.
	past []Switch
	// ends of them, which do not fall: what is left later than a timeline after it has
	// nothing of after that in this history.
	ends []LSN
}

// NewHistory of a timeline that was reached over others.
//
// A standby that knew of a later timeline already, and had not come to where that begins
// when it was promoted, names it as the parent of the one that it began. The server writes
// that without a remark, as 1 left at 0/5000000 and 2 at 0/4000000: of timeline 1 it has
// WAL up to 0/4000000, and of 2 none.
func NewHistory(timeline Timeline, past ...Switch) (History, error) {
	last := Timeline(0)
	for _, s := range past {
		switch {
		case s.Timeline == 0:
			return History{}, errors.New("a history has the timeline 0")
		case s.Timeline <= last:
			return History{}, fmt.Errorf("a history has timeline %d after %d: their numbers rise", s.Timeline, last)
		case s.At == None || s.At == Unlimited:
			return History{}, fmt.Errorf("a history leaves timeline %d at %s, where no server can be", s.Timeline, s.At)
		}
		last = s.Timeline
	}
	if timeline <= last {
		return History{}, fmt.Errorf("timeline %d has one with the number %d in its past: their numbers rise", timeline, last)
	}
	h := History{timeline: timeline, past: slices.Clone(past), ends: make([]LSN, len(past))}
	end := Unlimited
	for i := len(past) - 1; i >= 0; i-- {
		end = min(end, past[i].At)
		h.ends[i] = end
	}
	return h, nil
}

// MustHistory is NewHistory for constants.
func MustHistory(timeline Timeline, past ...Switch) History {
	h, err := NewHistory(timeline, past...)
	if err != nil {
		panic(err)
	}
	return h
}

// ParseHistory reads the file of a timeline's history: lines of a timeline, where it was
// left, and why; between them empty ones and comments. A timeline that has no file has an
// empty content here: it has no past, as the server takes it.
func ParseHistory(timeline Timeline, content string) (History, error) {
	if len(content) > MaxHistoryLength {
		return History{}, fmt.Errorf("a history of %d bytes is longer than %d", len(content), MaxHistoryLength)
	}
	var past []Switch
	for line := range strings.Lines(content) {
		// As C's isspace has it.
		fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) })
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		number, err := strconv.ParseUint(fields[0], 10, 32)
		if err != nil {
			return History{}, fmt.Errorf("a history begins a line with %s: want a timeline", quoted(fields[0]))
		}
		if len(fields) == 1 {
			return History{}, fmt.Errorf("a history does not say where timeline %d was left", number)
		}
		at, err := ParseLSN(fields[1])
		if err != nil {
			return History{}, fmt.Errorf("a history does not say where timeline %d was left: %w", number, err)
		}
		past = append(past, Switch{Timeline(number), at})
	}
	return NewHistory(timeline, past...)
}

// Timeline whose history it is; 0: none.
func (h History) Timeline() Timeline { return h.timeline }

// Past timelines as they are written, the oldest first. End says where each really ends.
func (h History) Past() []Switch { return slices.Clone(h.past) }

// IsZero reports whether it is no history: that of a server that was not asked.
func (h History) IsZero() bool { return h.timeline == 0 }

// Equal reports whether both came the same way to the same timeline.
func (h History) Equal(o History) bool {
	return h.timeline == o.timeline && slices.Equal(h.past, o.past)
}

// String is what the file of the history has, without reasons.
func (h History) String() string {
	var b strings.Builder
	for _, s := range h.past {
		fmt.Fprintf(&b, "%d\t%s\n", s.Timeline, s.At)
	}
	return b.String()
}

// len counts the timelines.
func (h History) len() int {
	if h.timeline == 0 {
		return 0
	}
	return len(h.past) + 1
}

// at is the i-th timeline, the oldest first, and where it was left.
func (h History) at(i int) Switch {
	if i < len(h.past) {
		return Switch{h.past[i].Timeline, h.ends[i]}
	}
	return Switch{h.timeline, Unlimited}
}

// index of a timeline; -1: the history does not have it.
func (h History) index(t Timeline) int {
	for i := range h.len() {
		if h.at(i).Timeline == t {
			return i
		}
	}
	return -1
}

// Begin of a timeline of the history: None for its first. ok is false for one that it
// does not have.
func (h History) Begin(t Timeline) (at LSN, ok bool) {
	switch i := h.index(t); i {
	case -1:
		return None, false
	case 0:
		return None, true
	default:
		return h.at(i - 1).At, true
	}
}

// End of a timeline of the history, Unlimited for its last. ok is false for one that it
// does not have.
func (h History) End(t Timeline) (at LSN, ok bool) {
	i := h.index(t)
	if i < 0 {
		return None, false
	}
	return h.at(i).At, true
}

// On says on which timeline the byte before a position was written; 0 where there is none.
func (h History) On(at LSN) Timeline {
	if at == None {
		return 0
	}
	for i := range h.len() {
		if s := h.at(i); at <= s.At {
			return s.Timeline
		}
	}
	return 0
}

// Promoted is the history that a promotion at a position begins.
func (h History) Promoted(to Timeline, at LSN) (History, error) {
	return NewHistory(to, append(h.Past(), Switch{h.timeline, at})...)
}
