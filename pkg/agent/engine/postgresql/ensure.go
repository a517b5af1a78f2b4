// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
)

// EnsureAccounts implements engine.Engine, all in one transaction. Standbys get
// it whatever the reach.
func (e *Engine) EnsureAccounts(ctx context.Context, accounts engine.Accounts, _ engine.Reach) error {
	// A connection of its own, for the settings of its session.
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect(ctx, conn)
	return ensureAccounts(ctx, conn, accounts)
}

func ensureAccounts(ctx context.Context, conn *pgx.Conn, accounts engine.Accounts) error {
	if err := checkAccounts(accounts); err != nil {
		return err
	}
	return ensure(ctx, conn, accounts, func(exists map[string]bool, major int) ([]string, error) {
		return allStatements(major, accounts, exists)
	})
}

// ensure runs the statements for a server of the version with the roles that exist.
// The first of them are quiet.
func ensure(ctx context.Context, conn *pgx.Conn, accounts engine.Accounts, statementsFor func(exists map[string]bool, major int) ([]string, error)) error {
	_, major, err := parseVersion(conn.PgConn().ParameterStatus("server_version"))
	if err != nil {
		return err
	}
	exists, err := roles(ctx, conn)
	if err != nil {
		return err
	}
	statements, err := statementsFor(exists, major)
	if err != nil {
		return err
	}
	// Settings of the session are made outside of the transaction.
	statements = slices.Insert(statements, len(quiet), "BEGIN")
	for _, s := range append(statements, "COMMIT") {
		// Not through pgx, which refuses text with quotes in some settings of
		// standard_conforming_strings; literal is right in all.
		if _, err := conn.PgConn().Exec(ctx, s).ReadAll(); err != nil {
			return withoutSecret(err, accounts)
		}
	}
	return nil
}

func roles(ctx context.Context, conn *pgx.Conn) (map[string]bool, error) {
	rows, err := conn.Query(ctx, "SELECT rolname::text FROM pg_catalog.pg_roles")
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	exists := make(map[string]bool, len(names))
	for _, name := range names {
		exists[name] = true
	}
	return exists, err
}

// withoutSecret keeps code and message of the server's error, and of the message
// nothing that can be part of a statement.
func withoutSecret(err error, accounts engine.Accounts) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return err
	}
	return &pgconn.PgError{
		Severity: server.Severity,
		Code:     server.Code,
		Message:  child.Redact(server.Message, secrets(accounts)...),
	}
}
