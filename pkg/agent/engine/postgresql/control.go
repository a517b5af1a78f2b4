// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
)

// controlData is what pg_controldata prints, by the text before the colon.
type controlData map[string]string

func parseControlData(output string) controlData {
	c := controlData{}
	for line := range strings.Lines(output) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			c[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return c
}

// report is what of it the protocol has.
func (c controlData) report() (*engine.PostgreSQLControlData, error) {
	out := &engine.PostgreSQLControlData{
		State:         c["Database cluster state"],
		CheckpointLSN: c["Latest checkpoint location"],
		SystemID:      c["Database system identifier"],
	}
	timeline, err := strconv.ParseInt(c["Latest checkpoint's TimeLineID"], 10, 64)
	if err != nil || out.State == "" || out.SystemID == "" {
		return nil, errors.New("pg_controldata prints none of state, timeline and system identifier")
	}
	// A standby may have come to a newer timeline since its last restart point.
	if newer, err := strconv.ParseInt(c["Min recovery ending loc's timeline"], 10, 64); err == nil {
		timeline = max(timeline, newer)
	}
	out.Timeline = timeline
	return out, nil
}

// hints reports whether the server logs what pg_rewind needs.
func (c controlData) hints() bool {
	checksums, err := strconv.Atoi(c["Data page checksum version"])
	return c["wal_log_hints setting"] == "on" || err == nil && checksums > 0
}

// hotStandby are the settings that a standby must have at least as high as its
// primary had when it wrote the WAL, with their names in pg_controldata.
var hotStandby = []struct{ setting, control string }{
	{"max_connections", "max_connections setting"},
	{"max_worker_processes", "max_worker_processes setting"},
	{"max_wal_senders", "max_wal_senders setting"},
	{"max_prepared_transactions", "max_prepared_xacts setting"},
	{"max_locks_per_transaction", "max_locks_per_xact setting"},
}

// raise is which of them a standby must start with a higher value than configured:
// with a lower one the server refuses to start, or stops replaying, until its
// primary has the lower one too.
func raise(c controlData, wanted map[string]int) []setting {
	var raised []setting
	for _, s := range hotStandby {
		if n, err := strconv.Atoi(c[s.control]); err == nil && n > wanted[s.setting] {
			raised = append(raised, setting{s.setting, strconv.Itoa(n)})
		}
	}
	return raised
}

// controlData runs pg_controldata.
func (e *Engine) controlData(ctx context.Context) (controlData, error) {
	program, err := e.Program("pg_controldata")
	if err != nil {
		return nil, err
	}
	output, err := onVolume(ctx, e.control, "pg_controldata", func() (string, error) {
		return child.Run(ctx, child.Command{
			Path: program,
			Args: []string{"-D", e.env.DataDir()},
			Env:  append(slices.Clone(e.env.Environ), "LC_ALL=C"),
		})
	})
	return parseControlData(output), err
}

// onVolume does something with the data volume. That may hang, and what waits for it cannot
// be ended then: the caller gets its answer when ctx ends, and nothing more of the kind is
// begun before the first has come back.
func onVolume(ctx context.Context, kind chan struct{}, what string, do func() (string, error)) (string, error) {
	select {
	case kind <- struct{}{}:
	default:
		return "", fmt.Errorf("%s: the agent is still waiting for the data volume", what)
	}
	type answer struct {
		output string
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		output, err := do()
		// Whoever has the answer may ask again.
		<-kind
		done <- answer{output, err}
	}()
	select {
	case a := <-done:
		return a.output, a.err
	case <-ctx.Done():
		return "", fmt.Errorf("%s: %w", what, ctx.Err())
	}
}
