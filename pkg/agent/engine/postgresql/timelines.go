// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// reserved is the content of a history file that stands for a timeline which this server
// has not begun. The server reads a history that has no ancestors.
const reserved = "# Reserved by unit-agent: another server may have begun this timeline.\n"

// maxReserved is how many numbers one promotion may pass over.
const maxReserved = 1000

// reserveTimelines has the next promotion begin a timeline of the given number, which
// another server's promotion must not have had: two timelines of one number that begin at
// one position look the same. The server takes the number after the newest of the history
// files that follow each other in pg_wal (findNewestTimeLine in timeline.c), so that the
// numbers between get a file. Standbys fetch them all on their way to the new timeline
// (WalRcvFetchTimeLineHistoryFiles in walreceiver.c), and need them to find it.
//
// A server does not take a reserved timeline for its own: it is no child of the one that
// it is on (rescanLatestTimeLine in xlogrecovery.c). It does not start with one as the
// newest, though: see freeTimelines.
//
// These files are not archived: the archive may have the real one of a server whose WAL
// reached nobody else, which archive_command must not replace. So a recovery from an archive
// without it does not find what comes after as the latest timeline, but has to name it.
func (e *Engine) reserveTimelines(ctx context.Context, timeline int64) error {
	if timeline == 0 {
		return nil
	}
	on, err := e.timeline(ctx)
	if err != nil {
		return err
	}
	switch between := timeline - int64(on) - 1; {
	case between < 0:
		return fmt.Errorf("the server is on timeline %d already", on)
	case between > maxReserved:
		return fmt.Errorf("the server is on timeline %d: more than %d numbers would be passed over", on, maxReserved)
	}
	_, err = onVolume(ctx, e.histories, "reserving timelines", func() (string, error) {
		// A timeline of that number or above is somebody else's, or was reserved for nothing.
		if err := e.dropReserved(); err != nil {
			return "", err
		}
		if _, known, err := e.storedHistory(timeline); err != nil {
			return "", err
		} else if known {
			return "", fmt.Errorf("the server knows timeline %d: another one has begun it", timeline)
		}
		for number := int64(on) + 1; number < timeline; number++ {
			if _, known, err := e.storedHistory(number); err != nil {
				return "", err
			} else if known {
				continue
			}
			if err := place.File(e.historyPath(number), []byte(reserved), 0o600); err != nil {
				return "", err
			}
		}
		return "", nil
	})
	return err
}

// freeTimelines removes the files of reserved numbers above which there is no real
// timeline: those of a promotion that did not happen, or that were fetched of one whose own
// history was not. A standby takes the newest timeline that it has a history of for its
// target when it starts, and refuses to start if that is none of its own; and it does not
// fetch the history of a timeline whose file it has.
func (e *Engine) freeTimelines(ctx context.Context) error {
	_, err := onVolume(ctx, e.histories, "freeing timelines", func() (string, error) { return "", e.dropReserved() })
	if err != nil {
		return fmt.Errorf("freeing timelines that were not begun: %w", err)
	}
	return nil
}

func (e *Engine) dropReserved() error {
	entries, err := os.ReadDir(filepath.Join(e.env.DataDir(), "pg_wal"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var numbers []int64
	for _, entry := range entries {
		if n, ok := historyNumber(entry.Name()); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range slices.Backward(numbers) {
		content, _, err := e.storedHistory(n)
		if err != nil {
			return err
		}
		if content != reserved {
			return nil
		}
		if err := os.Remove(e.historyPath(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// historyNumber of a history file.
func historyNumber(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, ".history")
	if !ok || len(digits) != 8 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 16, 64)
	return n, err == nil
}
