// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

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
	if err := f(s.conn); err != nil {
		disconnect(ctx, s.conn)
		s.conn = nil
		return err
	}
	return nil
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

// connect logs in by operating-system identity.
func (e *Engine) connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := e.config(e.env.SocketDir, engine.AgentUser, superuser)
	if err != nil {
		return nil, err
	}
	maps.Copy(config.RuntimeParams, sessionSettings)
	return pgx.ConnectConfig(ctx, config)
}

func (e *Engine) connectTo(ctx context.Context, socketDir, user, database string) (*pgx.Conn, error) {
	config, err := e.config(socketDir, user, database)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
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
