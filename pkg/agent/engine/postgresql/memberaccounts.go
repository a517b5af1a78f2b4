// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

// EnsureMemberAccounts implements engine.MemberAccounts, in one transaction that is
// committed as clients' are. A password beyond ASCII cannot be compared with what the server
// keeps of it, and is written again.
func (e *Engine) EnsureMemberAccounts(ctx context.Context, accounts []engine.Account) (changed []string, err error) {
	if err := checkAccounts(engine.Accounts{Accounts: accounts}); err != nil {
		return nil, fmt.Errorf("%w: %w", engine.ErrInvalid, err)
	}
	conn, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer disconnect(ctx, conn)
	var differ engine.Accounts
	for _, a := range accounts {
		same, err := accountIs(ctx, conn, a)
		if err != nil {
			return nil, err
		}
		if !same {
			differ.Accounts = append(differ.Accounts, a)
		}
	}
	if len(differ.Accounts) == 0 {
		return nil, nil
	}
	if err := mayWrite(ctx, conn); err != nil {
		return nil, err
	}
	// An account that is on this server alone would be gone after a failover.
	if _, err := conn.Exec(ctx, "SET synchronous_commit = on"); err != nil {
		return nil, err
	}
	err = ensure(ctx, conn, differ, func(exists map[string]bool, major int) ([]string, error) {
		statements := slices.Clone(quiet)
		for _, a := range differ.Accounts {
			more, err := accountStatements(major, a, exists[a.User])
			if err != nil {
				return nil, err
			}
			exists[a.User] = true
			statements = append(statements, more...)
		}
		return statements, nil
	})
	if err != nil {
		return nil, err
	}
	for _, a := range differ.Accounts {
		if !slices.Contains(changed, a.User) {
			changed = append(changed, a.User)
		}
	}
	return changed, nil
}

// accountIs reports whether the role is what it shall be.
func accountIs(ctx context.Context, conn *pgx.Conn, a engine.Account) (bool, error) {
	const query = `SELECT coalesce(rolpassword, ''), rolcanlogin,
  rolsuper AND rolcreatedb AND rolcreaterole AND rolreplication AND rolbypassrls, rolreplication
FROM pg_catalog.pg_authid WHERE rolname = $1`
	var stored string
	var logsIn, everything, replicates bool
	err := conn.QueryRow(ctx, query, a.User).Scan(&stored, &logsIn, &everything, &replicates)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil || !logsIn || !verifies(stored, a.Password.Reveal()) {
		return false, err
	}
	if a.Purpose != engine.PurposeReplication {
		return everything, nil
	}
	for _, f := range rewindFunctions {
		var may bool
		if err := conn.QueryRow(ctx, "SELECT pg_catalog.has_function_privilege($1::name, $2, 'EXECUTE')", a.User, f).Scan(&may); err != nil || !may {
			return false, err
		}
	}
	return replicates, nil
}

// mayWrite fails unless a transaction of the agent's would be acknowledged now: it could
// not be ended while it waits without being committed here alone.
func mayWrite(ctx context.Context, conn *pgx.Conn) error {
	const query = `SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('synchronous_standby_names'),
  (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE wait_event = 'SyncRep'),
  (SELECT count(*) FROM pg_catalog.pg_stat_replication WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum'))`
	var recovering bool
	var names string
	var waiting, standbys int
	if err := conn.QueryRow(ctx, query).Scan(&recovering, &names, &waiting, &standbys); err != nil {
		return err
	}
	sync, err := settings.ParseSync(names)
	switch {
	case err != nil:
		return fmt.Errorf("%w: synchronous_standby_names is %q, which is not understood: %w", engine.ErrNotYet, names, err)
	case recovering:
		return fmt.Errorf("%w: the server is a standby still", engine.ErrNotYet)
	case waiting > 0:
		return fmt.Errorf("%w: %d commits wait for acknowledgements, and this would wait with them", engine.ErrNotYet, waiting)
	case standbys < sync.Wait:
		return fmt.Errorf("%w: %d standbys acknowledge, a commit waits for %d", engine.ErrNotYet, standbys, sync.Wait)
	}
	return nil
}
