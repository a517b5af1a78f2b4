// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// StallLimit is what the machine may stand still in a round whose gap is to count.
const StallLimit = 300 * time.Millisecond

// Result of one round.
type Result struct {
	Round Round
	// Gap of the worst client, and what the machine itself stood still meanwhile.
	Gap, Stall time.Duration
	// Switchovers and Failovers that were committed.
	Switchovers, Failovers int
	// Refused are the rules by which a failover was not made, as the Replication gave them.
	Refused []string
	// Rebuilt members had transactions that nobody had acknowledged, and a person's
	// permission to be made again.
	Rebuilt int
	// Unsynced files were written before a power failure and not synced. Gone is how many
	// of them were not there afterwards.
	Unsynced, Gone int
	Verdict        Verdict
	// Overlaps and unrecorded changes of who acknowledges.
	Overlaps   []string
	Unrecorded int
}

// Repeats says that the round's gap says more about the machine than about the databases.
func (r Result) Repeats() bool { return r.Stall > StallLimit }

// Problems in sentences.
func (r Result) Problems() []string {
	out := r.Verdict.Problems()
	for _, o := range r.Overlaps {
		out = append(out, "two at a time: "+o)
	}
	if r.Unrecorded > 0 {
		out = append(out, fmt.Sprintf("two by turns: the member that acknowledges changed %d times more than the Replication has recorded", r.Unrecorded))
	}
	return out
}

// Report of all rounds.
type Report struct {
	Seed    uint64
	Mode    string
	Clients int
	Rate    int
	Results []Result
}

// Problems of all rounds. Lost rows stay lost: each is reported once.
func (r Report) Problems() []string {
	var out []string
	for _, result := range r.Results {
		for _, p := range result.Problems() {
			if line := fmt.Sprintf("%s: %s", result.Round, p); !slices.ContainsFunc(out, func(s string) bool { return strings.HasSuffix(s, ": "+p) }) {
				out = append(out, line)
			}
		}
	}
	return out
}

const replaced = "any, with a failover"

// gaps of the rounds that count, by name; and of those in which a source that failed was
// replaced, whatever struck it.
func (r Report) gaps() map[string][]time.Duration {
	out := map[string][]time.Duration{}
	for _, result := range r.Results {
		if result.Repeats() {
			continue
		}
		name := result.Round.Name()
		out[name] = append(out[name], result.Gap)
		if result.Failovers > 0 && name != string(ForcedFailover) {
			out[replaced] = append(out[replaced], result.Gap)
		}
	}
	return out
}

func (r Report) String() string {
	var b strings.Builder
	var last Verdict
	var switchovers, failovers, rebuilt, unsynced, gone, stalled, overlaps, refusals int
	refused := map[string]int{}
	for _, result := range r.Results {
		last = result.Verdict
		switchovers += result.Switchovers
		failovers += result.Failovers
		rebuilt += result.Rebuilt
		unsynced += result.Unsynced
		gone += result.Gone
		overlaps += len(result.Overlaps) + result.Unrecorded
		if result.Repeats() {
			stalled++
		}
		if len(result.Refused) > 0 && result.Failovers == 0 {
			refusals++
		}
		for _, reason := range result.Refused {
			refused[reason]++
		}
	}
	fmt.Fprintf(&b, "mode %s, seed %d, %d rounds; %d clients at %d writes a second in all, connect timeout %v, statement timeout %v\n",
		r.Mode, r.Seed, len(r.Results), r.Clients, r.Rate, ConnectTimeout, StatementTimeout)
	fmt.Fprintf(&b, "rows: %d acknowledged, %d of unknown outcome; %d lost, %d doubled\n", last.Acknowledged, last.Unknown, len(last.Lost), last.DoubledRows())
	fmt.Fprintf(&b, "two members that acknowledged at the same time: %d\n", overlaps)
	fmt.Fprintf(&b, "%d switchovers, %d failovers; rounds in which a rule refused one and none was made: %d", switchovers, failovers, refusals)
	for _, reason := range slices.Sorted(maps.Keys(refused)) {
		fmt.Fprintf(&b, ", %s %d", reason, refused[reason])
	}
	fmt.Fprintf(&b, "\nmembers rebuilt with permission: %d; files not synced before a power failure: %d, gone after it: %d\n", rebuilt, unsynced, gone)
	fmt.Fprintf(&b, "rounds in which the machine stood still for more than %v, and whose gaps do not count: %d\n", StallLimit, stalled)
	fmt.Fprintf(&b, "%-28s %6s %8s %8s %8s\n", "gap of the worst client", "rounds", "p50", "p99", "max")
	gaps := r.gaps()
	for _, name := range slices.Sorted(maps.Keys(gaps)) {
		list := gaps[name]
		fmt.Fprintf(&b, "%-28s %6d %7.2fs %7.2fs %7.2fs\n", name, len(list),
			percentile(list, 50).Seconds(), percentile(list, 99).Seconds(), percentile(list, 100).Seconds())
	}
	return b.String()
}
