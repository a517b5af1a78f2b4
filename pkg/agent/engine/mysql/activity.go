// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

var _ engine.Member = (*Engine)(nil)

// transactionsQuery lists clients' transactions that have been open for a second. The
// table has the time of the operating system's zone.
const transactionsQuery = `SELECT processlist_id, processlist_user, COALESCE(processlist_host, ''),
  TIMESTAMPDIFF(SECOND, trx_started, NOW()), trx_rows_modified
FROM information_schema.innodb_trx JOIN performance_schema.threads ON processlist_id = trx_mysql_thread_id
WHERE trx_started <= NOW() - INTERVAL 1 SECOND AND ` + clientSession + `
ORDER BY trx_started LIMIT 20`

// definitionsQuery lists clients' statements that change definitions and run now, by
// their class: what they say is not read.
const definitionsQuery = `SELECT processlist_id, processlist_user, COALESCE(processlist_host, ''), COALESCE(processlist_time, 0),
  SUBSTRING(event_name, LENGTH('statement/sql/') + 1)
FROM performance_schema.events_statements_current JOIN performance_schema.threads USING (thread_id)
WHERE end_event_id IS NULL AND event_name REGEXP '^statement/sql/(alter|create|drop|rename|truncate|optimize|repair)(_|$)'
  AND ` + clientSession + `
ORDER BY processlist_time DESC LIMIT 20`

// Activity implements engine.Member.
func (e *Engine) Activity(ctx context.Context) (engine.Activity, error) {
	db, err := e.openWith(map[string]string{"time_zone": "'SYSTEM'"})
	if err != nil {
		return engine.Activity{}, err
	}
	defer db.Close()
	var a engine.Activity
	err = eachRow(ctx, db, transactionsQuery, func(scan func(...any) error) error {
		var t engine.Transaction
		err := scan(&t.Session, &t.User, &t.Host, &t.Seconds, &t.RowsModified)
		a.Transactions = append(a.Transactions, t)
		return err
	})
	if err != nil {
		return engine.Activity{}, fmt.Errorf("listing transactions: %w", err)
	}
	err = eachRow(ctx, db, definitionsQuery, func(scan func(...any) error) error {
		var s engine.Statement
		err := scan(&s.Session, &s.User, &s.Host, &s.Seconds, &s.Kind)
		s.Kind = strings.ToUpper(strings.ReplaceAll(s.Kind, "_", " "))
		a.Definitions = append(a.Definitions, s)
		return err
	})
	if err != nil {
		return engine.Activity{}, fmt.Errorf("listing statements: %w", err)
	}
	return a, nil
}

func eachRow(ctx context.Context, db *sql.DB, query string, row func(scan func(...any) error) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// errMalformedGTIDs answers a text that is no GTID set.
const errMalformedGTIDs = 1772

// WaitExecuted implements engine.Member, on a connection of its own: it occupies it for
// seconds.
func (e *Engine) WaitExecuted(ctx context.Context, gtidSet string, timeout time.Duration) (engine.Executed, error) {
	db, err := e.open()
	if err != nil {
		return engine.Executed{}, err
	}
	defer db.Close()
	set := literal(gtidSet)
	if timeout > 0 {
		var timedOut int
		query := fmt.Sprintf("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %.3f)", set, timeout.Seconds())
		if err := db.QueryRowContext(ctx, query).Scan(&timedOut); err != nil {
			return engine.Executed{}, malformed(gtidSet, err)
		}
	}
	var x engine.Executed
	err = db.QueryRowContext(ctx, "SELECT e.e, GTID_SUBTRACT("+set+", e.e) FROM (SELECT @@global.gtid_executed AS e) e").Scan(&x.Executed, &x.Missing)
	if err != nil {
		return engine.Executed{}, malformed(gtidSet, err)
	}
	x.Executed, x.Missing = gtids(x.Executed), gtids(x.Missing)
	x.Contained = x.Missing == ""
	return x, nil
}

// malformed is err as engine.ErrInvalid if it says that the set is none.
func malformed(gtidSet string, err error) error {
	if server, ok := errors.AsType[*mysql.MySQLError](err); ok && server.Number == errMalformedGTIDs {
		return fmt.Errorf("%w: %q is no GTID set", engine.ErrInvalid, gtidSet)
	}
	return err
}
