// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// EnsureMemberAccounts implements engine.Member.
func (e *Engine) EnsureMemberAccounts(ctx context.Context, accounts []engine.Account) (changed []string, err error) {
	if err := checkAccounts(engine.Accounts{Accounts: accounts}); err != nil {
		return nil, fmt.Errorf("%w: %w", engine.ErrInvalid, err)
	}
	db, v, err := e.controlVersion(ctx)
	if err != nil {
		return nil, err
	}
	var differ []engine.Account
	for _, a := range accounts {
		same, err := e.accountIs(ctx, db, v, a)
		if err != nil {
			return nil, err
		}
		if !same {
			differ = append(differ, a)
		}
	}
	if len(differ) == 0 {
		return nil, nil
	}
	if err := mayWrite(ctx, db); err != nil {
		return nil, err
	}
	// A connection of its own: what it writes is logged, and waits as clients' commits do.
	logged, err := e.open()
	if err != nil {
		return nil, err
	}
	defer logged.Close()
	conn, err := logged.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := execAll(ctx, conn, session(true)); err != nil {
		return nil, err
	}
	for _, a := range differ {
		if err := execAll(ctx, conn, accountStatements(v, a)); err != nil {
			return changed, inTime(ctx, fmt.Errorf("account %q (%s): %w", a.User, a.Purpose, withoutSecret(err, a)))
		}
		if !slices.Contains(changed, a.User) {
			changed = append(changed, a.User)
		}
	}
	return changed, nil
}

// mayWrite fails unless a transaction of the agent's would be acknowledged now: it could
// not be ended while it waits.
func mayWrite(ctx context.Context, db *sql.DB) error {
	o, err := observe(ctx, db)
	switch s := o.SemiSync; {
	case err != nil:
		return err
	case o.readOnly:
		return fmt.Errorf("%w: the server is read-only", engine.ErrNotYet)
	case s.SourceEnabled && s.WaitingSessions > 0:
		return fmt.Errorf("%w: %d commits wait for acknowledgements, and this would wait with them", engine.ErrNotYet, s.WaitingSessions)
	case s.SourceEnabled && s.Clients < max(1, s.WaitFor):
		return fmt.Errorf("%w: %d replicas acknowledge, a commit waits for %d", engine.ErrNotYet, s.Clients, max(1, s.WaitFor))
	}
	return nil
}

// accountIs says whether the account is what it shall be: the password lets in by the
// socket and from the network, and every host's account has the grants.
func (e *Engine) accountIs(ctx context.Context, db *sql.DB, v version, a engine.Account) (bool, error) {
	for _, host := range hosts(a) {
		for _, g := range grants(v, a.Purpose) {
			granted, err := isGranted(ctx, db, g, a.User, host)
			if err != nil || !granted {
				return false, err
			}
		}
	}
	return e.logsIn(ctx, "unix", e.socket(), a) &&
		e.logsIn(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(e.env.SQLPort)), a), nil
}

func (e *Engine) logsIn(ctx context.Context, network, address string, a engine.Account) bool {
	db, err := openChannelAccount(network, address, engine.ChannelAccount{User: a.User, Password: a.Password.Reveal()}, "")
	if err != nil {
		return false
	}
	defer db.Close()
	return db.PingContext(ctx) == nil
}

// isGranted compares with what the server lists. ALL is all that the agent has.
func isGranted(ctx context.Context, db *sql.DB, g grant, user, host string) (bool, error) {
	grantee := literal(literal(user) + "@" + literal(host))
	var missing int
	var err error
	schema, global := strings.CutSuffix(g.on, ".*")
	switch {
	case slices.Equal(g.privileges, []string{"ALL"}):
		err = db.QueryRowContext(ctx, `SELECT COUNT(*) FROM information_schema.user_privileges a
WHERE a.grantee = `+literal(literal(engine.AgentUser)+"@'localhost'")+` AND NOT EXISTS (SELECT 1 FROM information_schema.user_privileges h
  WHERE h.grantee = `+grantee+` AND h.privilege_type = a.privilege_type AND h.is_grantable = a.is_grantable)`).Scan(&missing)
	case global && schema == "*":
		missing, err = ungranted(ctx, db, g, "SELECT COUNT(DISTINCT privilege_type) FROM information_schema.user_privileges WHERE grantee = "+grantee)
	default:
		missing, err = ungranted(ctx, db, g, "SELECT COUNT(DISTINCT privilege_type) FROM information_schema.schema_privileges WHERE grantee = "+
			grantee+" AND table_schema = "+literal(schema))
	}
	return missing == 0, err
}

func ungranted(ctx context.Context, db *sql.DB, g grant, count string) (int, error) {
	names := make([]string, len(g.privileges))
	for i, p := range g.privileges {
		names[i] = literal(p)
	}
	count += " AND privilege_type IN (" + strings.Join(names, ", ") + ")"
	if g.option {
		count += " AND is_grantable = 'YES'"
	}
	var granted int
	err := db.QueryRowContext(ctx, count).Scan(&granted)
	return len(names) - granted, err
}
