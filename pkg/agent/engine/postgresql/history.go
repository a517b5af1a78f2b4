// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// fork is a line of a timeline's history: the timeline before it ended there.
type fork struct {
	timeline int64
	end      lsn
}

// parseHistory reads a timeline history file: the ancestor's number, where it was
// left, and a reason.
func parseHistory(content string) ([]fork, error) {
	var forks []fork
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 2 {
			return nil, fmt.Errorf("a timeline history has the line %q", line)
		}
		timeline, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a timeline history has the line %q", line)
		}
		end, err := parseLSN(fields[1])
		if err != nil {
			return nil, err
		}
		forks = append(forks, fork{timeline, end})
	}
	return forks, nil
}

// branch is how far a server has come, and by which way.
type branch struct {
	systemID string
	timeline int64
	position lsn
	history  []fork
}

// at is where the branch left a timeline: its position on its own one.
func (b branch) at(timeline int64) (end lsn, ok bool) {
	if timeline == b.timeline {
		return b.position, true
	}
	for _, f := range b.history {
		if f.timeline == timeline {
			return f.end, true
		}
	}
	return 0, false
}

// mayFollow says whether a server loses nothing if it continues with what upstream
// writes: all that it holds must be in upstream's past. expected is what the caller
// knows of upstream.
func mayFollow(local, upstream branch, expected engine.Upstream) error {
	switch {
	case upstream.systemID != local.systemID:
		return fmt.Errorf("%s is database %s, this server database %s: it must be provisioned from %s first", expected.Name, upstream.systemID, local.systemID, expected.Name)
	case expected.ServerID != "" && expected.ServerID != upstream.systemID:
		return fmt.Errorf("%s is database %s, expected was %s", expected.Name, upstream.systemID, expected.ServerID)
	case expected.Timeline > upstream.timeline:
		return fmt.Errorf("%w: %s is on timeline %d and not yet on %d", engine.ErrNotYet, expected.Name, upstream.timeline, expected.Timeline)
	case expected.Timeline != 0 && expected.Timeline < upstream.timeline:
		return fmt.Errorf("%s is on timeline %d, expected was %d: it was promoted since", expected.Name, upstream.timeline, expected.Timeline)
	}
	// Of every timeline that this server has been on it holds WAL up to some position;
	// upstream must have been there and have left no earlier. A timeline's number alone
	// says nothing: two servers may have been promoted to the same one.
	for _, f := range append([]fork{{local.timeline, local.position}}, local.history...) {
		end, ok := upstream.at(f.timeline)
		if !ok {
			return fmt.Errorf("%w: this server is at %s of timeline %d, which %s at %s of timeline %d has never been on",
				engine.ErrWouldLose, local.position, local.timeline, expected.Name, upstream.position, upstream.timeline)
		}
		if f.timeline != local.timeline && f.end != end {
			return fmt.Errorf("%w: this server left timeline %d at %s, %s at %s", engine.ErrWouldLose, f.timeline, f.end, expected.Name, end)
		}
		if f.end > end {
			return fmt.Errorf("%w: this server has timeline %d up to %s, %s only up to %s", engine.ErrWouldLose, f.timeline, f.end, expected.Name, end)
		}
	}
	return nil
}
