// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

const (
	// lockWait bounds one try, in seconds: clients queue behind a statement that waits
	// for a lock, and are to wait no longer than that.
	lockWait = 3
	// lockPause lets them through before the next one.
	lockPause = time.Second
	// patientTries are those after which sessions that hold locks on what is to be
	// replaced are ended, as PostgreSQL ends them at once; lockTries are all.
	patientTries, lockTries = 3, 10
)

// errLockWait: a lock was not had in time.
const errLockWait = 1205

// insist on locks on tables of databases that are to be replaced or dropped. ended hears
// of the sessions that were ended for it; nil if nobody does.
func (u unit) insist(ctx context.Context, s *session, in []string, do func() error, ended func(who string)) error {
	if err := s.exec(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout = %d", lockWait)); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := do()
		if number(err) != errLockWait {
			return err
		}
		holders, lookErr := holdersOf(ctx, s, in)
		if lookErr != nil {
			return lookErr
		}
		if try >= lockTries {
			return operations.Failed(operation.ReasonLocked, "no lock on tables of %s could be had in %d tries of %d s: %s",
				strings.Join(in, ", "), lockTries, lockWait, sayHolders(holders))
		}
		if try >= patientTries {
			for _, h := range holders {
				// It may have ended meanwhile.
				if h.ofTable && s.exec(ctx, "KILL "+h.id) == nil && ended != nil {
					ended(h.who)
				}
			}
		}
		if err := pause(ctx, lockPause); err != nil {
			return err
		}
	}
}

// holder of a lock: a session of somebody's.
type holder struct {
	id, who string
	// ofTable: the lock is on a table, not on the whole server.
	ofTable bool
}

// holdersOf locks on tables of databases, and of locks on everything.
func holdersOf(ctx context.Context, s *session, in []string) ([]holder, error) {
	var names []string
	for _, name := range in {
		names = append(names, mysql.Literal(name))
	}
	rows, err := s.rows(ctx, `SELECT t.processlist_id AS id, CONCAT(COALESCE(t.processlist_user, ''), '@', COALESCE(t.processlist_host, '')) AS who,
  MAX(l.object_type = 'TABLE') AS t
FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id
WHERE l.lock_status = 'GRANTED' AND t.processlist_id IS NOT NULL AND t.processlist_id <> CONNECTION_ID()
  AND (l.object_type = 'TABLE' AND l.object_schema IN (`+strings.Join(names, ", ")+`)
    OR l.object_type IN ('GLOBAL', 'COMMIT', 'BACKUP LOCK') AND l.lock_type IN ('SHARED', 'EXCLUSIVE'))
GROUP BY 1, 2`)
	if err != nil {
		return nil, err
	}
	var out []holder
	for _, r := range rows {
		out = append(out, holder{id: r.first, who: fmt.Sprintf("%s (id %s)", r.byName["who"], r.first), ofTable: r.byName["t"] == "1"})
	}
	return out, nil
}

func sayHolders(holders []holder) string {
	if len(holders) == 0 {
		return "who holds one is not known, it may be a prepared XA transaction (XA RECOVER lists them), or performance_schema is off"
	}
	var out []string
	for _, h := range holders {
		out = append(out, h.who)
	}
	return "these sessions hold locks: " + strings.Join(out, ", ")
}
