// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// askInterval is how often the server is asked whether something has come about
// that it notifies nobody of.
const askInterval = 20 * time.Millisecond

// waitFor asks until done is true. When ctx ends first the error is ErrNotYet with
// what is waited for.
func waitFor(ctx context.Context, what string, done func() (bool, error)) error {
	ticker := time.NewTicker(askInterval)
	defer ticker.Stop()
	for {
		ok, err := done()
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %s", engine.ErrNotYet, what)
		case ok || err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", engine.ErrNotYet, what)
		case <-ticker.C:
		}
	}
}

// applyRole brings the settings of a role into force on the running server and
// returns true if that took a change. Callers have made sure that the server is what
// the record says: on a primary whose commits wait, the settings of another role
// would acknowledge them.
func (e *Engine) applyRole(ctx context.Context, conn *pgx.Conn, record engine.RoleRecord, channel engine.ChannelAccount) (bool, error) {
	if err := e.writePassword(channel); err != nil {
		return false, fmt.Errorf("writing the channel's password: %w", err)
	}
	return e.applySettings(ctx, conn, e.roleSettings(record.Role, record))
}

// applySettings of a role, and report whether anything had to be done for it.
func (e *Engine) applySettings(ctx context.Context, conn *pgx.Conn, settings []setting) (bool, error) {
	content := roleConfig(settings)
	// A file that cannot be read is written.
	old, _ := os.ReadFile(e.configPath(roleFile))
	written := !bytes.Equal(old, content)
	if err := place.File(e.configPath(roleFile), content, 0o640); err != nil {
		return false, fmt.Errorf("writing the role's configuration: %w", err)
	}
	differs, err := notInForce(ctx, conn, settings)
	if err != nil || differs == "" && !written {
		return false, err
	}
	if err := resetAutoConf(ctx, conn); err != nil {
		return false, err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_catalog.pg_reload_conf()"); err != nil {
		return false, err
	}
	return true, waitFor(ctx, "the server has not taken up "+differs, func() (bool, error) {
		differs, err := notInForce(ctx, conn, settings)
		if err != nil || differs == "" {
			return err == nil, err
		}
		return false, needsRestart(ctx, conn, differs)
	})
}

// notInForce names the first dynamic setting that has another value in this session,
// which reads the configuration when all others do. The checkpointer, by which
// sessions know whether to wait for standbys, is notified by the same signal.
func notInForce(ctx context.Context, conn *pgx.Conn, settings []setting) (string, error) {
	const query = "SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.unnest($1::text[]) AS name"
	rows, err := conn.Query(ctx, query, dynamicSettings)
	if err != nil {
		return "", err
	}
	values := map[string]string{}
	var name, value string
	if _, err := pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		values[name] = value
		return nil
	}); err != nil {
		return "", err
	}
	return firstDifference(settings, values), nil
}

func firstDifference(settings []setting, inForce map[string]string) string {
	for _, s := range settings {
		if value, ok := inForce[s.name]; ok && value != s.value {
			return s.name
		}
	}
	return ""
}

// needsRestart fails if the setting waits for a restart: PostgreSQL 12 reads
// primary_conninfo at its start only.
func needsRestart(ctx context.Context, conn *pgx.Conn, name string) error {
	var pending bool
	err := conn.QueryRow(ctx, "SELECT pending_restart FROM pg_catalog.pg_settings WHERE name = $1", name).Scan(&pending)
	if err == nil && pending {
		err = fmt.Errorf("this version of PostgreSQL takes up %s at its start only: the server must be restarted", name)
	}
	return err
}

// resetAutoConf removes what ALTER SYSTEM has set of the agent's settings, which
// would win over the agent's file. It is the only ALTER SYSTEM of the agent's.
func resetAutoConf(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "SELECT DISTINCT name FROM pg_catalog.pg_file_settings WHERE sourcefile LIKE '%/"+autoConf+"' AND name IS NOT NULL")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range names {
		if !owned(name) {
			continue
		}
		if _, resetErr := conn.Exec(ctx, "ALTER SYSTEM RESET "+name); resetErr != nil {
			err = errors.Join(err, fmt.Errorf("removing %s from %s: %w", name, autoConf, resetErr))
		}
	}
	return err
}

// inRecovery is true of a standby.
func inRecovery(ctx context.Context, conn *pgx.Conn) (yes bool, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_catalog.pg_is_in_recovery()").Scan(&yes)
	return yes, err
}
