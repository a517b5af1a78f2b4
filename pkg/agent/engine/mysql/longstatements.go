// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// LongStatements is the query of what a lock on all tables would wait for: statements that
// have run for that many seconds on tables, and LOCK TABLES.
const LongStatements = `SELECT t.processlist_id AS id, COALESCE(t.processlist_user, '') AS user, COALESCE(t.processlist_host, '') AS host, COALESCE(t.processlist_time, 0) AS seconds,
  MAX(l.lock_type IN ('SHARED_READ_ONLY', 'SHARED_NO_READ_WRITE')) AS locks,
  MIN(l.lock_type = 'SHARED_READ_ONLY') AS locks_reading,
  MAX(COALESCE(e.event_name = 'statement/sql/select' OR e.event_name = 'statement/com/Execute' AND e.sql_text REGEXP '^[[:space:](]*SELECT[^a-zA-Z0-9_]', 0)) AS selects
FROM performance_schema.threads t JOIN performance_schema.metadata_locks l ON l.owner_thread_id = t.thread_id AND l.lock_status = 'GRANTED' AND l.object_type = 'TABLE'
LEFT JOIN performance_schema.events_statements_current e ON e.thread_id = t.thread_id AND e.nesting_event_level = 0 AND t.processlist_command <> 'Sleep'
WHERE t.processlist_id <> CONNECTION_ID() AND t.type = 'FOREGROUND' AND COALESCE(t.processlist_state, '') NOT LIKE 'Waiting for %' AND l.object_schema NOT IN ('performance_schema', 'information_schema')
  AND (t.processlist_command IN ('Query', 'Execute') AND t.processlist_time >= ? OR t.processlist_command = 'Sleep' AND l.lock_type IN ('SHARED_READ_ONLY', 'SHARED_NO_READ_WRITE'))
GROUP BY 1, 2, 3, 4 ORDER BY 4 DESC LIMIT 5`

// noLongStatements fails while there is one. FLUSH TABLES WITH READ LOCK has every table
// closed, and what it asked for nobody can open before the last reader is done, even if the
// lock is not wanted any more.
func noLongStatements(ctx context.Context, conn *sql.Conn) error {
	var user, host, seconds string
	err := conn.QueryRowContext(ctx, "SELECT user, host, seconds FROM ("+LongStatements+") l", 1).Scan(&user, &host, &seconds)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: clients would wait behind a statement of %s@%s that has run for %s s", engine.ErrNotYet, user, host, seconds)
}
