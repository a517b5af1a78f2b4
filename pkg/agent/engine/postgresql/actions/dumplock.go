// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// dumpLockWait bounds how long a dump waits for a table that somebody has locked against
// readers; nobody waits for it meanwhile.
const dumpLockWait = 5 * time.Minute

// lookForLocks is how often is looked for who keeps a dump waiting.
const lookForLocks = time.Second

// namingHolders dumps, tells in the progress who holds a lock that the dump waits for, and
// names them if it has waited for too long. What they say may be a secret, who says it is
// none.
func (a logicalBackup) namingHolders(ctx context.Context, op operations.Op, what string, dump func() error) error {
	conn, err := a.session(ctx, home)
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, conn)
	var last []string
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(lookForLocks)
		defer ticker.Stop()
		for {
			select {
			case <-over:
				return
			case <-ticker.C:
			}
			// A failed look is made again: pg_dump finds out what is wrong.
			if holders, err := dumpWaitsFor(ctx, conn); err == nil && len(holders) > 0 {
				last = holders
				op.Progress(what+" waits for a lock that is held by "+strings.Join(holders, ", "), 0, 0)
			}
		}
	})
	err = dump()
	close(over)
	watching.Wait()
	// pg_dump bounds its wait for locks as a statement.
	if err != nil && ctx.Err() == nil && len(last) > 0 && strings.Contains(err.Error(), "due to statement timeout") {
		return operations.Failed(operation.ReasonLocked, "%s has waited %s for a lock that is held by %s", what, a.lockWait, strings.Join(last, ", "))
	}
	if err != nil && ctx.Err() == nil && lostByTool.MatchString(err.Error()) {
		return operations.Failed(operation.ReasonServerNotRunning, "the server has ended while it was dumped: %w", err)
	}
	return err
}

// lostByTool are libpq's words for a server that has ended.
var lostByTool = regexp.MustCompile(`server closed the connection unexpectedly|terminating connection due to|the database system is (starting up|shutting down)|could not connect to server|connection to server .* failed`)

// dumpWaitsFor are the sessions whose locks pg_dump waits for.
func dumpWaitsFor(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	return list(ctx, conn, `SELECT DISTINCT format('%s@%s (pid %s, in a transaction for %s s)', coalesce(h.usename, 'nobody, a prepared transaction'), h.datname, p.pid, coalesce(extract(epoch FROM now() - h.xact_start)::bigint, 0))
		FROM pg_stat_activity d CROSS JOIN LATERAL unnest(pg_blocking_pids(d.pid)) AS p(pid) LEFT JOIN pg_stat_activity h ON h.pid = p.pid
		WHERE d.usename = '`+engine.AgentUser+`' AND d.query LIKE 'LOCK TABLE %' AND d.wait_event_type = 'Lock' ORDER BY 1`)
}
