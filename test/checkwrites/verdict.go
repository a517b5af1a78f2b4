// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rows of a member: how many times each id is there.
type Rows map[int64]int

// Verdict on a history, given what the members hold when all of them have applied what
// the source has.
type Verdict struct {
	Acknowledged, Unknown int
	// Lost ids were acknowledged, and the source does not have them.
	Lost []int64
	// Doubled ids are on a member more than once.
	Doubled map[string][]int64
	// Different ids are on the source and not on the member, or the other way around.
	Different map[string][]int64
	// Invented ids are on the source, and no client has attempted them.
	Invented []int64
}

// Judge compares the history with the rows of all members; source is one of them.
func Judge(writes []Write, source string, members map[string]Rows) Verdict {
	v := Verdict{Doubled: map[string][]int64{}, Different: map[string][]int64{}}
	attempted := make(map[int64]bool, len(writes))
	truth := members[source]
	for _, w := range writes {
		attempted[w.ID] = true
		if !w.Acknowledged {
			v.Unknown++
			continue
		}
		v.Acknowledged++
		if truth[w.ID] == 0 {
			v.Lost = append(v.Lost, w.ID)
		}
	}
	for id := range truth {
		if !attempted[id] {
			v.Invented = append(v.Invented, id)
		}
	}
	for member, rows := range members {
		for id, n := range rows {
			if n > 1 {
				v.Doubled[member] = append(v.Doubled[member], id)
			}
			if truth[id] == 0 {
				v.Different[member] = append(v.Different[member], id)
			}
		}
		for id := range truth {
			if rows[id] == 0 {
				v.Different[member] = append(v.Different[member], id)
			}
		}
		slices.Sort(v.Doubled[member])
		slices.Sort(v.Different[member])
	}
	slices.Sort(v.Lost)
	slices.Sort(v.Invented)
	return v
}

// Problems in sentences; none if the members kept what they had promised.
func (v Verdict) Problems() []string {
	var out []string
	if n := len(v.Lost); n > 0 {
		out = append(out, fmt.Sprintf("lost: of %d acknowledged rows %d are not on the source: %s", v.Acknowledged, n, some(v.Lost)))
	}
	for _, member := range slices.SortedFunc(maps.Keys(v.Doubled), cmp.Compare[string]) {
		out = append(out, fmt.Sprintf("doubled: %d rows are on %s more than once: %s", len(v.Doubled[member]), member, some(v.Doubled[member])))
	}
	for _, member := range slices.SortedFunc(maps.Keys(v.Different), cmp.Compare[string]) {
		out = append(out, fmt.Sprintf("different: the source and %s disagree on %d rows: %s", member, len(v.Different[member]), some(v.Different[member])))
	}
	if n := len(v.Invented); n > 0 {
		out = append(out, fmt.Sprintf("invented: %d rows of the source were never written: %s", n, some(v.Invented)))
	}
	return out
}

// DoubledRows on all members together.
func (v Verdict) DoubledRows() int {
	n := 0
	for _, ids := range v.Doubled {
		n += len(ids)
	}
	return n
}

// some of the ids, for a message.
func some(ids []int64) string {
	const most = 10
	words := make([]string, 0, most)
	for _, id := range ids[:min(most, len(ids))] {
		words = append(words, fmt.Sprint(id))
	}
	if len(ids) > most {
		words = append(words, "...")
	}
	return strings.Join(words, " ")
}
