// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"

	"github.com/go-sql-driver/mysql"
)

// MySQL servers.
var MySQL = Engine{
	open:   openMySQL,
	broken: brokenMySQL,
	prepare: []string{
		"CREATE DATABASE IF NOT EXISTS " + schema,
		// Ids begin again with each history.
		"DROP TABLE IF EXISTS " + table,
		// No unique key: a row that is applied twice has to show.
		"CREATE TABLE " + table + " (n BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT NOT NULL, KEY (id))",
		"CREATE TABLE IF NOT EXISTS " + markers + " (member VARCHAR(64) PRIMARY KEY, n BIGINT NOT NULL)",
	},
	identify: "SELECT CONCAT(@@server_uuid, ':', CONNECTION_ID())",
	insert:   "INSERT INTO " + table + " (id) VALUES (?)",
	mark:     "INSERT INTO " + markers + " VALUES (?, 1) ON DUPLICATE KEY UPDATE n = n + 1",
	position: "SELECT @@global.gtid_executed",
	// 0: the member has them, 1: not within the second.
	applied: "SELECT IF(WAIT_FOR_EXECUTED_GTID_SET(?, 1) = 0, 'true', 'false')",
}

type mysqlConn struct {
	db   *sql.DB
	conn *sql.Conn
}

func openMySQL(ctx context.Context, account Account, dial dialer) (conn, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net = account.User, account.Password, "tcp"
	c.TLS, c.Logger = &tls.Config{InsecureSkipVerify: true}, &mysql.NopLogger{}
	c.ReadTimeout, c.WriteTimeout = StatementTimeout, StatementTimeout
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	m := mysqlConn{db: sql.OpenDB(connector)}
	if m.conn, err = m.db.Conn(ctx); err != nil {
		_ = m.db.Close()
		return nil, err
	}
	return m, nil
}

func (m mysqlConn) exec(ctx context.Context, statement string, args ...any) error {
	_, err := m.conn.ExecContext(ctx, statement, args...)
	return err
}

func (m mysqlConn) query(ctx context.Context, each func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := m.conn.QueryContext(ctx, query, args...)
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

func (m mysqlConn) close() {
	_ = m.conn.Close()
	_ = m.db.Close()
}

func brokenMySQL(err error) bool {
	var refusal *mysql.MySQLError
	return err != nil && (!errors.As(err, &refusal) || errors.Is(err, driver.ErrBadConn))
}
