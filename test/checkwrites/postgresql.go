// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// PostgreSQL servers.
var PostgreSQL = Engine{
	open:   openPostgreSQL,
	broken: brokenPostgreSQL,
	prepare: []string{
		"CREATE SCHEMA IF NOT EXISTS " + schema,
		// Ids begin again with each history.
		"DROP TABLE IF EXISTS " + table,
		// The id is not unique: a row that is there twice has to show.
		"CREATE TABLE " + table + " (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bigint NOT NULL)",
		"CREATE INDEX ON " + table + " (id)",
		"CREATE TABLE IF NOT EXISTS " + markers + " (member text PRIMARY KEY, n bigint NOT NULL)",
	},
	// All members have one system identifier, and process ids begin again with each server. A
	// standby that is promoted keeps its sessions; to become one again, a primary is restarted.
	identify: "SELECT concat(system_identifier, '/', extract(epoch FROM pg_postmaster_start_time()), ':', pg_backend_pid()) FROM pg_control_system()",
	insert:   "INSERT INTO " + table + " (id) VALUES ($1)",
	mark:     "INSERT INTO " + markers + " AS m VALUES ($1, 1) ON CONFLICT (member) DO UPDATE SET n = m.n + 1",
	// What was committed is on the primary's disk, and no more than that is sent. The timeline
	// comes first: a former primary may be as far on its own.
	position: "SELECT concat(left(pg_walfile_name(lsn), 8), ' ', lsn) FROM pg_current_wal_flush_lsn() AS lsn",
	applied: `SELECT CASE WHEN pg_is_in_recovery()
  THEN coalesce(pg_last_wal_replay_lsn() >= split_part($1, ' ', 2)::pg_lsn
    AND (SELECT lpad(to_hex(received_tli), 8, '0') = lower(split_part($1, ' ', 1)) FROM pg_stat_wal_receiver), false)
  ELSE pg_current_wal_flush_lsn() >= split_part($1, ' ', 2)::pg_lsn
    AND left(pg_walfile_name(pg_current_wal_flush_lsn()), 8) = split_part($1, ' ', 1)
  END::text`,
}

// notReplicated is the code of the warning with which the server lets a commit through
// although its wait for the standbys was cancelled: it is on this server only.
const notReplicated = "01000"

type postgresqlConn struct {
	conn *pgx.Conn
	// warning of the statement that is carried out, which makes its outcome unknown.
	warning *pgconn.Notice
}

func openPostgreSQL(ctx context.Context, account Account, dial dialer) (conn, error) {
	// The host is whom dial reaches. With TLS where the server has it, as psql does.
	c, err := pgx.ParseConfig("postgres://127.0.0.1/postgres?sslmode=prefer")
	if err != nil {
		return nil, err
	}
	c.User, c.Password = account.User, account.Password
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	p := &postgresqlConn{}
	c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.Code == notReplicated {
			p.warning = n
		}
	}
	if p.conn, err = pgx.ConnectConfig(ctx, c); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *postgresqlConn) exec(ctx context.Context, statement string, args ...any) error {
	p.warning = nil
	_, err := p.conn.Exec(ctx, statement, args...)
	if err == nil && p.warning != nil {
		return unreplicatedError{p.warning}
	}
	return err
}

// unreplicatedError: the commit is on the primary only.
type unreplicatedError struct{ warning *pgconn.Notice }

func (e unreplicatedError) Error() string {
	return fmt.Sprintf("the commit was not replicated: %s (%s)", e.warning.Message, e.warning.Code)
}

func (p *postgresqlConn) query(ctx context.Context, each func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := p.conn.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *postgresqlConn) close() {
	// A server that is gone does not say goodbye.
	ctx, cancel := context.WithTimeout(context.Background(), ConnectTimeout)
	defer cancel()
	_ = p.conn.Close(ctx)
}

func brokenPostgreSQL(err error) bool {
	if err == nil || errors.As(err, new(unreplicatedError)) {
		return false
	}
	var refusal *pgconn.PgError
	return !errors.As(err, &refusal) || refusal.SeverityUnlocalized != "ERROR"
}
