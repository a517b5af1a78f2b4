// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// session is the connection that queries share. A kept one lets a server whose
// connections are used up answer still.
type session struct{ conn *pgx.Conn }

// closeWait is how long an abandoned connection may take to say goodbye.
const closeWait = time.Second

// with calls f with the shared connection, connecting if need be. A connection
// that f failed on is given up.
func (e *Engine) with(ctx context.Context, f func(conn *pgx.Conn) error) error {
	return e.use(ctx, e.conn, f)
}

// withRole is with for what changes roles: it does not wait for observers, nor they
// for it.
func (e *Engine) withRole(ctx context.Context, f func(conn *pgx.Conn) error) error {
	return e.use(ctx, e.roleConn, f)
}

func (e *Engine) use(ctx context.Context, sessions chan *session, f func(conn *pgx.Conn) error) error {
	var s *session
	select {
	case s = <-sessions:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { sessions <- s }()
	// The server may have been restarted or replaced since; f is not to find out,
	// for what it does may not be done twice.
	if s.conn != nil && s.conn.Ping(ctx) != nil {
		disconnect(ctx, s.conn)
		s.conn = nil
	}
	if s.conn == nil {
		conn, err := e.connect(ctx)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	err := f(s.conn)
	if err != nil || s.conn.Config().Database != homeDatabase {
		disconnect(ctx, s.conn)
		s.conn = nil
	}
	return err
}

// sessionLimits are those of sessions that take as long as they take, whatever the
// server allows its clients.
var sessionLimits = map[string]string{
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "0",
}

// limitsOfVersion are limits that not all versions know. They are those of the programs
// beside the agent; without one there is none.
func (e *Engine) limitsOfVersion(ctx context.Context) map[string]string {
	limits := map[string]string{}
	major, err := e.Major(ctx)
	if err == nil && major >= 14 {
		limits["idle_session_timeout"] = "0"
	}
	if err == nil && major >= 17 {
		limits["transaction_timeout"] = "0"
	}
	return limits
}

// sessionSettings are those of the agent's own sessions, whatever the server's
// configuration says.
var sessionSettings = map[string]string{
	// Nothing that the agent asks may take the server's time for longer.
	"statement_timeout": "60s",
	// A role or an account is made although no standby is there to acknowledge it.
	"synchronous_commit": "local",
	// A function or table of a user's that is called like one of the server's.
	"search_path": "pg_catalog, pg_temp",
}

// The server itself is asked in the database that initdb makes for that. Users may drop
// or close it: then the one that new databases are copied from serves, for as long as a
// question takes, since nothing can be copied from it meanwhile.
const (
	homeDatabase   = "postgres"
	spareDatabase  = "template1"
	noSuchDatabase = "3D000"
	// closedDatabase is one that takes no connections, or is half dropped.
	closedDatabase = "55000"
)

// connect logs in by operating-system identity.
func (e *Engine) connect(ctx context.Context) (*pgx.Conn, error) {
	return e.connectWith(ctx, e.env.SocketDir, engine.AgentUser, homeDatabase, sessionSettings)
}

func (e *Engine) connectTo(ctx context.Context, socketDir, user, database string) (*pgx.Conn, error) {
	return e.connectWith(ctx, socketDir, user, database, sessionLimits)
}

func (e *Engine) connectWith(ctx context.Context, socketDir, user, database string, settings map[string]string) (*pgx.Conn, error) {
	config, err := e.config(socketDir, user, database)
	if err != nil {
		return nil, err
	}
	maps.Copy(config.RuntimeParams, settings)
	maps.Copy(config.RuntimeParams, e.limitsOfVersion(ctx))
	conn, err := pgx.ConnectConfig(ctx, config)
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if ok && database == homeDatabase && (refused.Code == noSuchDatabase || refused.Code == closedDatabase) {
		return e.connectWith(ctx, socketDir, user, spareDatabase, settings)
	}
	return conn, err
}

func (e *Engine) config(socketDir, user, database string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("")
	if err != nil {
		return nil, err
	}
	// The environment of the container is for people, not for the agent.
	config.Host, config.Port = socketDir, uint16(e.env.SQLPort)
	config.User, config.Database, config.Password = user, database, ""
	config.TLSConfig, config.Fallbacks = nil, nil
	config.RuntimeParams = map[string]string{"application_name": "unit-agent", "client_encoding": "UTF8"}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	return config, nil
}

func disconnect(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	// It is being given up; there is nothing to do about an error.
	_ = conn.Close(ctx)
}

// Check implements engine.Engine.
func (e *Engine) Check(ctx context.Context) error {
	return e.with(ctx, func(conn *pgx.Conn) error {
		var one int
		return conn.QueryRow(ctx, "SELECT 1").Scan(&one)
	})
}
