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
)

// maxHistory of a timeline is read; each promotion adds a line of some fifty bytes.
const maxHistory = 1 << 20

// historyName is the file of a timeline's history, in pg_wal.
func historyName(timeline int64) string { return fmt.Sprintf("%08X.history", timeline) }

func (e *Engine) historyPath(timeline int64) string {
	return filepath.Join(e.env.DataDir(), "pg_wal", historyName(timeline))
}

// observeHistory reads the history of the timeline that a running server is on. A standby
// has the file before it comes to the timeline; where it is missing nothing is known.
func observeHistory(ctx context.Context, conn *pgx.Conn, pg *engine.PostgreSQLReplication) error {
	if pg.Timeline <= 1 {
		pg.HistoryKnown = pg.Timeline == 1
		return nil
	}
	var content *string
	err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_read_file($1, 0, $2, true)", "pg_wal/"+historyName(pg.Timeline), int64(maxHistory)).Scan(&content)
	if err == nil && content != nil {
		pg.History, pg.HistoryKnown = *content, true
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
	b, err := io.ReadAll(io.LimitReader(f, maxHistory))
	return string(b), err == nil, err
}
