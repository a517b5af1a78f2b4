// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// admin calls f with a connection to the admin interface.
func (e *Engine) admin(ctx context.Context, f func(conn *sql.Conn) error) error {
	c, err := e.credentials()
	if err != nil {
		return err
	}
	config := mysql.NewConfig()
	config.User, config.Passwd = adminUser, c.Admin.Reveal()
	config.Net, config.Addr = "tcp", net.JoinHostPort("127.0.0.1", e.adminPort())
	config.Timeout = 5 * time.Second
	// The driver would print each broken connection; errors say it.
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return f(conn)
}

// Check implements engine.Engine: the admin interface answers, the SQL port
// accepts connections, and what a start leaves to do is done.
func (e *Engine) Check(ctx context.Context) error {
	err := e.admin(ctx, func(conn *sql.Conn) error {
		var one int
		return conn.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	})
	if err != nil {
		return err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(e.env.SQLPort)))
	if err != nil {
		return err
	}
	_ = conn.Close()
	return e.completeStart(ctx)
}

// completeStart sets the monitoring account and records that the configuration
// file is in the database. It runs again until it succeeds.
func (e *Engine) completeStart(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pending == nil {
		return nil
	}
	accounts, err := engine.LoadAccounts(e.env)
	if err != nil {
		return err
	}
	if err := e.EnsureAccounts(ctx, accounts, engine.ReachServer); err != nil {
		return err
	}
	if err := place.File(e.appliedPath(), []byte(e.pending.applied), 0o600); err != nil {
		return fmt.Errorf("recording the configuration: %w", err)
	}
	e.pending = nil
	return nil
}
