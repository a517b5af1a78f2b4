// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
)

// historyName is the file of a timeline's history, in pg_wal.
func historyName(timeline int64) string { return fmt.Sprintf("%08X.history", timeline) }

func (e *Engine) historyPath(timeline int64) string {
	return filepath.Join(e.env.DataDir(), "pg_wal", historyName(timeline))
}

// observeHistory reads the history of the timeline that a running server is on. A standby
// has the file before it comes to the timeline; where it is missing nothing is known.
func observeHistory(ctx context.Context, conn *pgx.Conn, pg *engine.PostgreSQLReplication) (err error) {
	pg.History, pg.HistoryKnown, err = historyBySQL(ctx, conn, pg.Timeline)
	return err
}

// observeStandbyHistory is observeHistory of a standby whose Timeline is the one that it
// replays. What it has received beyond may be of a later one, and to say that it is of this
// one would be to say that the standby has WAL which its primary never had.
func observeStandbyHistory(ctx context.Context, conn *pgx.Conn, pg *engine.PostgreSQLReplication) error {
	received, receivedErr := wal.ParseLSN(pg.ReceivedLSN)
	replayed, replayedErr := wal.ParseLSN(pg.ReplayedLSN)
	if receivedErr != nil || replayedErr != nil || received <= replayed {
		return observeHistory(ctx, conn, pg)
	}
	replays := pg.Timeline
	for next := replays + 1; ; next++ {
		content, there, err := historyBySQL(ctx, conn, next)
		if err != nil {
			return err
		}
		if !there {
			return observeHistory(ctx, conn, pg)
		}
		h, err := wal.ParseHistory(wal.Timeline(next), content)
		if err != nil {
			return err
		}
		if end, ok := h.End(wal.Timeline(replays)); !ok || end < replayed {
			// It was begun apart from what the standby has.
			continue
		}
		if has, err := hasSegment(ctx, conn, wal.Timeline(next), received-1); err != nil {
			return err
		} else if has {
			pg.Timeline = next
		}
	}
}

// hasSegment reports whether a standby has received WAL of a timeline that it does not
// replay: it has the file then, for those that it makes for later are of the timeline that it
// replays.
func hasSegment(ctx context.Context, conn *pgx.Conn, timeline wal.Timeline, at wal.LSN) (has bool, err error) {
	var size int64
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))").Scan(&size); err != nil {
		return false, err
	}
	segments, err := wal.SegmentsOf(size)
	if err != nil {
		return false, err
	}
	const query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_file($1, true) AS f WHERE f.size IS NOT NULL)"
	err = conn.QueryRow(ctx, query, "pg_wal/"+segments.Name(timeline, at)).Scan(&has)
	return has, err
}

// historyBySQL is the content of a timeline's history; known is false while the server has
// none, as a standby that has not fetched it. The first timeline has none for good.
func historyBySQL(ctx context.Context, conn *pgx.Conn, timeline int64) (content string, known bool, err error) {
	if timeline <= 1 {
		return "", timeline == 1, nil
	}
	var found *string
	err = conn.QueryRow(ctx, "SELECT pg_catalog.pg_read_file($1, 0, $2, true)", "pg_wal/"+historyName(timeline), int64(wal.MaxHistoryLength)).Scan(&found)
	if err != nil || found == nil {
		return "", false, err
	}
	return *found, true, nil
}

// observeStoredHistory is observeHistory of a server that does not run. The timeline is that
// of its control file: a server that ended between the history of its promotion and the
// first record of the new timeline has that history and nothing else of it.
func (e *Engine) observeStoredHistory(ctx context.Context, pg *engine.PostgreSQLReplication) error {
	var known bool
	content, err := onVolume(ctx, e.control, historyName(pg.Control.Timeline), func() (content string, err error) {
		content, known, err = e.storedHistory(pg.Control.Timeline)
		return content, err
	})
	if err == nil {
		pg.History, pg.HistoryKnown = content, known
	}
	return err
}

// storedHistory reads the history of a timeline from the files of a server that does not
// run.
func (e *Engine) storedHistory(timeline int64) (content string, known bool, err error) {
	if timeline <= 1 {
		return "", timeline == 1, nil
	}
	f, err := os.Open(e.historyPath(timeline))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, wal.MaxHistoryLength))
	return string(b), err == nil, err
}
