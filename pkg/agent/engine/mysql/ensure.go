// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
)

// EnsureAccounts implements engine.Engine. The agent's own account is always
// written without the binary log: each server has its own.
func (e *Engine) EnsureAccounts(ctx context.Context, accounts engine.Accounts, reach engine.Reach) error {
	if err := checkAccounts(accounts); err != nil {
		return err
	}
	osUser, err := osUser()
	if err != nil {
		return err
	}
	db, err := e.open()
	if err != nil {
		return err
	}
	// A connection of its own: its session settings must not reach the pool.
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()

	v, err := connVersion(ctx, conn)
	if err != nil {
		return err
	}
	if err := execAll(ctx, conn, session(false)); err != nil {
		return err
	}
	if err := ensureAuthSocket(ctx, conn); err != nil {
		return err
	}
	if err := execAll(ctx, conn, agentStatements(osUser)); err != nil {
		return fmt.Errorf("account %s: %w", engine.AgentUser, err)
	}
	if err := execAll(ctx, conn, session(reach == engine.ReachReplicas)); err != nil {
		return err
	}
	for _, a := range accounts.Accounts {
		if err := execAll(ctx, conn, accountStatements(v, a)); err != nil {
			return fmt.Errorf("account %q (%s): %w", a.User, a.Purpose, withoutSecret(err, a))
		}
	}
	return nil
}

func connVersion(ctx context.Context, conn *sql.Conn) (version, error) {
	var text string
	if err := conn.QueryRowContext(ctx, "SELECT @@global.version").Scan(&text); err != nil {
		return version{}, err
	}
	return parseVersion(text)
}

func execAll(ctx context.Context, conn *sql.Conn, statements []string) error {
	for _, s := range statements {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// ensureAuthSocket installs the plugin where a foreign data directory lacks it.
func ensureAuthSocket(ctx context.Context, conn *sql.Conn) error {
	var active int
	err := conn.QueryRowContext(ctx,
		"SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'auth_socket' AND plugin_status = 'ACTIVE'").Scan(&active)
	if err != nil || active > 0 {
		return err
	}
	_, err = conn.ExecContext(ctx, "INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
	return err
}

// withoutSecret keeps number and SQLSTATE of the server's error and what of its
// message cannot be part of the statement.
func withoutSecret(err error, a engine.Account) error {
	var server *mysql.MySQLError
	if !errors.As(err, &server) {
		return err
	}
	safe := *server
	safe.Message = child.Redact(server.Message, literal(a.Password.Reveal()), a.Password.Reveal())
	return &safe
}
