// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"maps"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Of the package actions: what operations need of the engine.

// Literal writes s as a string constant.
func Literal(s string) string { return literal(s) }

// Identifier writes s as a quoted identifier.
func Identifier(s string) string { return identifier(s) }

// Quiet are the settings of a session whose statements hold passwords.
func Quiet() []string { return append([]string(nil), quiet...) }

// Connect logs in to a database of this unit's server by operating-system identity.
// The caller gives the connection to Disconnect.
func (e *Engine) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	return e.connectTo(ctx, e.env.SocketDir, engine.AgentUser, database)
}

// ConnectTo is Connect for a server whose socket is in dir, as a role of its.
func (e *Engine) ConnectTo(ctx context.Context, dir, user, database string) (*pgx.Conn, error) {
	return e.connectTo(ctx, dir, user, database)
}

// SessionLimits are the settings of a session in another server that is to be read, which
// are every user's to choose.
func SessionLimits() map[string]string {
	limits := maps.Clone(sessionLimits)
	limits["application_name"], limits["client_encoding"] = "unit-agent", "UTF8"
	return limits
}

// Disconnect ends a connection, whether ctx has ended or not.
func Disconnect(ctx context.Context, conn *pgx.Conn) { disconnect(ctx, conn) }

// Program finds one of the server's programs, those of the server's own version
// first: the wrappers that some images have on PATH choose by other rules.
func (e *Engine) Program(name string) (string, error) {
	postgres, err := e.program("postgres")
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(postgres); err == nil {
		path := filepath.Join(filepath.Dir(real), name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return e.program(name)
}

// Major version of the server's programs, which do not change under a running agent.
func (e *Engine) Major(ctx context.Context) (int, error) {
	if major := e.major.Load(); major != 0 {
		return int(major), nil
	}
	postgres, err := e.program("postgres")
	if err != nil {
		return 0, err
	}
	major, err := e.serverMajor(ctx, postgres)
	if err == nil {
		e.major.Store(int32(major))
	}
	return major, err
}

// MajorOf the server of a connection.
func MajorOf(conn *pgx.Conn) (int, error) {
	_, major, err := parseVersion(conn.PgConn().ParameterStatus("server_version"))
	return major, err
}

// EnsureAccountsOn is EnsureAccounts for the server of a connection, whose session
// it changes. It needs a superuser.
func EnsureAccountsOn(ctx context.Context, conn *pgx.Conn, accounts engine.Accounts) error {
	return ensureAccounts(ctx, conn, accounts)
}

// Timeline of the WAL that the server writes, or replays if it is a standby.
func (e *Engine) Timeline(ctx context.Context) (int, error) { return e.timeline(ctx) }

// SystemID of a data directory.
func SystemID(dataDir string) (string, error) {
	return systemID(filepath.Join(dataDir, "global", "pg_control"))
}
