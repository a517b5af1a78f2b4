// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// monitor is the account by which ProxySQL looks at its backends, the only one of
// accounts that concerns it; nil if there is none.
func monitor(accounts engine.Accounts) *engine.Account {
	for _, a := range accounts.Accounts {
		if a.Purpose == engine.PurposeMonitor {
			return &a
		}
	}
	return nil
}

// checkMonitor refuses what a variable of ProxySQL cannot hold.
func checkMonitor(accounts engine.Accounts) error {
	a := monitor(accounts)
	switch {
	case a == nil:
		return nil
	case a.Password == "":
		return fmt.Errorf("account %q (%s): its password in the Secret is empty", a.User, a.Purpose)
	case strings.ContainsRune(a.User+a.Password.Reveal(), 0):
		return fmt.Errorf("account %q (%s): its password has a NUL byte, which no client can send", a.User, a.Purpose)
	case !utf8.ValidString(a.User + a.Password.Reveal()):
		return fmt.Errorf("account %q (%s): its password is not UTF-8, which ProxySQL cannot keep", a.User, a.Purpose)
	}
	return nil
}

// EnsureAccounts implements engine.Engine: it sets the monitoring account, if it
// is another. The accounts of the servers behind are not made here.
func (e *Engine) EnsureAccounts(ctx context.Context, accounts engine.Accounts, _ engine.Reach) error {
	if err := checkMonitor(accounts); err != nil {
		return err
	}
	a := monitor(accounts)
	if a == nil {
		return nil
	}
	return e.admin(ctx, func(conn *sql.Conn) error {
		changed := false
		for _, v := range [][2]string{
			{"mysql-monitor_username", a.User},
			{"mysql-monitor_password", a.Password.Reveal()},
		} {
			var current string
			// Placeholders do not work here, and the driver's quoting is MySQL's:
			// the admin interface is SQLite.
			if err := conn.QueryRowContext(ctx, "SELECT variable_value FROM runtime_global_variables WHERE variable_name = "+literal(v[0])).Scan(&current); err != nil {
				return fmt.Errorf("reading %s: %w", v[0], err)
			}
			if current == v[1] {
				continue
			}
			changed = true
			if _, err := conn.ExecContext(ctx, "UPDATE global_variables SET variable_value = "+literal(v[1])+" WHERE variable_name = "+literal(v[0])); err != nil {
				// Its message may quote the statement.
				return fmt.Errorf("setting %s failed", v[0])
			}
		}
		if !changed {
			return nil
		}
		for _, s := range []string{"LOAD MYSQL VARIABLES TO RUNTIME", "SAVE MYSQL VARIABLES TO DISK"} {
			if _, err := conn.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
}

// literal writes s as a string of SQLite, which has no escapes but the doubled
// quote.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
