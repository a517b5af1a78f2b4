// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// home is the database that the server itself is asked in. If it is gone, another one is
// used in its place.
const home = "postgres"

// New are the actions by name.
func New(deps operations.Deps) map[string]operations.Action {
	u := unit{deps}
	return map[string]operations.Action{
		operation.ActionSetVariable:    setVariable{u},
		operation.ActionLogicalBackup:  logicalBackup{u, dumpLockWait},
		operation.ActionPhysicalBackup: physicalBackup{u},
		operation.ActionRestore:        restore{u},
		operation.ActionClone:          clone{u},
		operation.ActionProvision:      provision{u},
		operation.ActionVerify:         verify{u},
	}
}

// unit is the server that the actions work on.
type unit struct{ operations.Deps }

// server is the engine with what only PostgreSQL's has.
func (u unit) server() *postgresql.Engine { return u.Engine.(*postgresql.Engine) }

// session is a connection of the operation's own to a database.
func (u unit) session(ctx context.Context, database string) (*pgx.Conn, error) {
	conn, err := u.server().Connect(ctx, database)
	if err != nil {
		return nil, operations.Failed(operation.ReasonServerNotRunning, "no connection to the server: %w", err)
	}
	// A managed server is read-only for who does not insist, and an operation may take
	// longer than what is good for clients.
	const settings = `SELECT set_config(name, CASE vartype WHEN 'bool' THEN 'off' ELSE '0' END, false) FROM pg_settings WHERE name IN
		('default_transaction_read_only', 'statement_timeout', 'lock_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`
	if err := execute(ctx, conn, settings); err != nil {
		postgresql.Disconnect(ctx, conn)
		return nil, err
	}
	return conn, nil
}

// patience is how long a server may take to come back.
const patience = 5 * time.Minute

// awaitSession is session for who must clean up: the server may be on its way, as the
// agent was.
func (u unit) awaitSession(ctx context.Context, database string) (*pgx.Conn, error) {
	for end := time.Now().Add(patience); ; {
		conn, err := u.session(ctx, database)
		if err == nil || time.Now().After(end) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// execute runs statements one by one, not through pgx, which refuses text with quotes in
// some settings of standard_conforming_strings.
func execute(ctx context.Context, conn *pgx.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.PgConn().Exec(ctx, s).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}

// list is the first column of a query's rows.
func list(ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// params of the operation, as the action's type.
func params[P operation.Params](op operations.Op) (P, error) {
	p, ok := op.Params().(P)
	if !ok {
		return p, fmt.Errorf("parameters of %s are %T", op.Action(), op.Params())
	}
	return p, nil
}
