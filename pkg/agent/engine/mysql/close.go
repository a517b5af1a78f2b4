// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

const (
	// killAfter is how long statements that run may end by themselves when a server is
	// closed.
	killAfter = 200 * time.Millisecond
	// errNoSuchThread answers a KILL of a session that has ended.
	errNoSuchThread = 1094
)

// clientSession is true of the sessions of clients and of running events. Senders of the
// binary log and of clones are none: others need what this server has; nor are the
// agent's own.
const clientSession = `processlist_id IS NOT NULL AND processlist_id <> CONNECTION_ID()
  AND (name IN ('thread/sql/one_connection', 'thread/sql/event_worker', 'thread/mysqlx/worker') OR name LIKE 'thread/thread\_pool/%')
  AND processlist_user IS NOT NULL AND NOT (processlist_user = '` + engine.AgentUser + `' AND processlist_host = 'localhost')
  AND COALESCE(processlist_command, '') NOT IN ('Binlog Dump', 'Binlog Dump GTID', 'Clone', 'Daemon')`

// clientSessions selects them.
const clientSessions = "SELECT processlist_id FROM performance_schema.threads WHERE " + clientSession

// Close implements engine.Replicator. Semi-synchronous replication stays as it is:
// switching it off would acknowledge what waits.
func (e *Engine) Close(ctx context.Context) error {
	db, err := e.control()
	if err != nil {
		return err
	}
	if err := e.closeServer(ctx, db); err != nil {
		return fmt.Errorf("%w: %w", engine.ErrMustKill, err)
	}
	return nil
}

func (e *Engine) closeServer(ctx context.Context, db *sql.DB) error {
	o, err := observe(ctx, db)
	if !o.SuperReadOnly {
		defer func() { e.lingering.closed(time.Now()) }()
	}
	if err != nil {
		return err
	}
	if o.EventScheduler {
		if err := execControl(ctx, db, "SET GLOBAL event_scheduler = OFF"); err != nil {
			return fmt.Errorf("switching the event scheduler off: %w", err)
		}
	}
	if !o.SuperReadOnly {
		if err := takeWritesAway(ctx, db); err != nil {
			return err
		}
	}
	o, err = observe(ctx, db)
	switch {
	case err != nil:
		return err
	case !o.SuperReadOnly:
		return errors.New("the server was opened again meanwhile")
	case o.SemiSync.WaitingSessions > 0:
		return fmt.Errorf("%d commits wait for an acknowledgement", o.SemiSync.WaitingSessions)
	}
	return nil
}

// takeWritesAway makes the server read-only, which waits for running statements and
// commits, and ends sessions meanwhile and afterwards.
func takeWritesAway(ctx context.Context, db *sql.DB) error {
	readOnly := make(chan error, 1)
	go func() { readOnly <- setReadOnly(ctx, db) }()
	timer := time.NewTimer(killAfter)
	defer timer.Stop()
	for {
		select {
		case err := <-readOnly:
			if err != nil {
				return fmt.Errorf("making the server read-only: %w", err)
			}
			_, err = killSessions(ctx, db, "")
			return err
		case <-timer.C:
			if _, err := killSessions(ctx, db, ""); err != nil {
				return err
			}
			timer.Reset(killAfter)
		}
	}
}

// setReadOnly tries until ctx ends: an attempt waits a second for others' locks.
func setReadOnly(ctx context.Context, db *sql.DB) error {
	for {
		err := execControl(ctx, db, "SET GLOBAL super_read_only = ON")
		var server *mysql.MySQLError
		if err == nil || ctx.Err() != nil || !errors.As(err, &server) {
			return err
		}
	}
}

// killSessions ends the sessions of clients, of those that a condition is true of, and
// returns how many there were.
func killSessions(ctx context.Context, db *sql.DB, condition string) (int, error) {
	ids, err := sessionIDs(ctx, db, condition)
	if err != nil {
		return 0, fmt.Errorf("listing sessions: %w", err)
	}
	for _, id := range ids {
		if err := kill(ctx, db, id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func kill(ctx context.Context, db *sql.DB, id int64) error {
	_, err := db.ExecContext(ctx, fmt.Sprintf("KILL %d", id))
	var server *mysql.MySQLError
	if errors.As(err, &server) && server.Number == errNoSuchThread {
		return nil
	}
	return err
}

func sessionIDs(ctx context.Context, db *sql.DB, condition string) ([]int64, error) {
	rows, err := db.QueryContext(ctx, clientSessions+condition)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
