// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// maxGlobals bounds what is read of roles.
const maxGlobals = 64 << 20

// globalsOf a backup.
func globalsOf(from io.Reader) (globals, error) {
	var g globals
	raw, err := io.ReadAll(io.LimitReader(from, maxGlobals+1))
	if err != nil {
		return g, withReason(err)
	}
	if len(raw) > maxGlobals {
		return g, operations.Failed("TooLarge", "the roles of the backup take more than %d bytes", maxGlobals)
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return g, operations.Failed("BackupCorrupt", "the backup's description of its roles: %w", err)
	}
	return g, nil
}

// restoreRoles makes the roles that the server lacks.
func restoreRoles(ctx context.Context, conn *pgx.Conn, g globals) error {
	exists, err := roles(ctx, conn)
	if err != nil {
		return err
	}
	major, err := postgresql.MajorOf(conn)
	if err != nil {
		return err
	}
	for _, s := range append(append([]string{"BEGIN"}, g.missing(exists, major)...), "COMMIT") {
		if err := execute(ctx, conn, s); err != nil {
			refused, ok := errors.AsType[*pgconn.PgError](err)
			if !ok {
				return err
			}
			// The statement may have a verifier in it; its message has none of it.
			return operations.Failed("RolesRefused", "the server refuses the roles of the backup (SQLSTATE %s): %s", refused.Code, withoutQuoted(refused.Message))
		}
	}
	return nil
}

var quoted = regexp.MustCompile(`SCRAM-SHA-256\$\S+|md5[0-9a-f]{32}`)

func withoutQuoted(message string) string { return quoted.ReplaceAllString(message, "***") }

// roles that a server has.
func roles(ctx context.Context, conn *pgx.Conn) (map[string]bool, error) {
	names, err := list(ctx, conn, "SELECT rolname::text FROM pg_roles")
	exists := map[string]bool{}
	for _, name := range names {
		exists[name] = true
	}
	return exists, err
}

// quietSession is one whose statements are in no log.
func (u unit) quietSession(ctx context.Context, database string) (*pgx.Conn, error) {
	conn, err := u.session(ctx, database)
	if err != nil {
		return nil, err
	}
	if err := execute(ctx, conn, postgresql.Quiet()...); err != nil {
		postgresql.Disconnect(ctx, conn)
		return nil, err
	}
	return conn, nil
}
