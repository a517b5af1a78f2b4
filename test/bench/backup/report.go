// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// What is aimed at.
const (
	targetRatio  = 0.9
	targetMemory = 128 << 20
)

// agentProgram is the name of the agent's process.
const agentProgram = "unit-agent"

var begun = time.Now()

// say prints a line while the benchmark goes on.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0fs  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
}

// ratio of throughputs: above 1 the agent is the faster one.
func (r round) ratio() float64 { return r.Rival.Took.Seconds() / r.Agent.Took.Seconds() }

// median of what f says of the rounds, with the lowest and the highest.
func (r result) median(f func(round) float64) (median, low, high float64) {
	var all []float64
	for _, round := range r.Rounds {
		all = append(all, f(round))
	}
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2, all[0], all[n-1]
}

// peaks over all rounds.
func (r result) peaks(of func(round) run) peaks {
	all := peaks{}
	for _, round := range r.Rounds {
		all.merge(of(round).Peaks)
	}
	return all
}

func agentOf(r round) run { return r.Agent }
func rivalOf(r round) run { return r.Rival }

// show prints the table, and whether it is what is aimed at.
func show(to io.Writer, s setting, results []result) error {
	fmt.Fprintf(to, "\nThe agent against the engine's own tool | zstd -%d -T%d | s5cmd pipe, into the same S3 server;\n", zstdLevel, s.Threads)
	fmt.Fprintf(to, "%d rounds that change places. Medians; ratio above 1: the agent is faster.\n", s.Rounds)
	fmt.Fprintln(to, "MySQL's physical rival is CLONE LOCAL, as the agent does it, and tar: there is no xtrabackup to be had.")
	fmt.Fprintln(to)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVER\tBACKUP\tDATA MiB\tAGENT MiB/s\tRIVAL MiB/s\tRATIO (MIN-MAX)\tCPU s AGENT/RIVAL\tSTORED MiB AGENT/RIVAL\tPEAK RSS MiB: AGENT, ITS TOOL\tRIVAL")
	met := true
	for _, r := range results {
		speed := func(of func(round) run) float64 {
			m, _, _ := r.median(func(n round) float64 { return float64(r.Size) / (1 << 20) / of(n).Took.Seconds() })
			return m
		}
		seconds := func(of func(round) run) float64 {
			m, _, _ := r.median(func(n round) float64 { return of(n).CPU.Seconds() })
			return m
		}
		ratio, low, high := r.median(round.ratio)
		agent := r.peaks(agentOf)
		last := r.Rounds[len(r.Rounds)-1]
		fmt.Fprintf(w, "%s\t%s\t%d\t%.1f\t%.1f\t%.2f (%.2f-%.2f)\t%.1f/%.1f\t%d/%d\t%s\t%s\n", r.Server, r.Kind, r.Size>>20, speed(agentOf), speed(rivalOf),
			ratio, low, high, seconds(agentOf), seconds(rivalOf), last.Agent.Stored>>20, last.Rival.Stored>>20, agent, r.peaks(rivalOf))
		met = met && ratio >= targetRatio && agent[agentProgram] <= targetMemory
	}
	if err := w.Flush(); err != nil {
		return err
	}
	verdict := "missed"
	if met {
		verdict = "met"
	}
	fmt.Fprintf(to, "\nTarget, a ratio of %.1f and %d MiB for the agent: %s.\n", targetRatio, targetMemory>>20, verdict)
	return nil
}

// String lists the programs, the agent first.
func (p peaks) String() string {
	names := slices.SortedFunc(maps.Keys(p), func(a, b string) int {
		if (a == agentProgram) != (b == agentProgram) {
			if a == agentProgram {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s %d", name, (p[name]+1<<20-1)>>20))
	}
	return strings.Join(parts, ", ")
}
