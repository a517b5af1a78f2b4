// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

// Whether a walsender has read the configuration that is in force, no view says. This is
// how a server takes up a new one (12 to 18; postmaster.c, guc.c, postgres.c, walsender.c
// and syncrep.c):
//
// The postmaster reads the files, remembers when (PgReloadTime), and sends SIGHUP to its
// children one after the other, all in between two connections that it accepts. A session
// reads them before its next command, remembering when as well: pg_conf_load_time is the
// session's own. A child that was forked later has what the postmaster had read.
//
// WalSndLoop goes round: ResetLatch; CHECK_FOR_INTERRUPTS; if there was a SIGHUP,
// ProcessConfigFile and SyncRepInitConfig (which writes sync_standby_priority, the view's
// sync_priority), in newer minor releases SyncRepReleaseWaiters; then ProcessRepliesIfAny,
// which for each reply writes flush_lsn and calls SyncRepReleaseWaiters; then it sends what
// is flushed to the disk; then it waits (WalSenderMain). A logical one waits within its
// sending, too: WalSndWaitForWal goes round in the same order, WalSndWriteData looks for
// replies before it looks for a SIGHUP.
//
// So, once SIGHUP was sent to everybody, a walsender lets no commit go any more by what it
// had read before if
//
//   - it began after the session's load time, which is later than the postmaster's;
//   - or it is seen waiting: the next that it does is to read the configuration;
//   - or, being physical, it has a reply for WAL that was not flushed before: it has sent
//     that in one round, and got the reply in a later one.
//
// reply_time proves nothing: it is by the standby's clock, and several replies may be
// worked through in the one round that was under way.
//
// That SIGHUP was sent to everybody is known when the postmaster has accepted another
// connection since.

// loadedAt is when the asking session has read the configuration.
const loadedAt = "pg_catalog.pg_conf_load_time()::text"

// walsender is one process.
type walsender struct {
	pid   int32
	begun string
}

// reload is what was found out about walsenders since a configuration was loaded.
type reload struct {
	// loaded is loadedAt of the session that asks.
	loaded string
	// written is how far WAL was written after everybody had got its SIGHUP; empty on a standby,
	// whose walsenders let nobody go.
	written string
	// read are the walsenders that go by the configuration.
	read map[walsender]bool
}

// signalled makes sure that every process has got its SIGHUP for the configuration that was
// loaded.
func (e *Engine) signalled(ctx context.Context, conn *pgx.Conn, loaded string) error {
	if e.reload.loaded == loaded {
		return nil
	}
	e.reload = reload{}
	another, err := e.connect(ctx)
	if tooMany(err) {
		// What cannot be proven is not proven.
		return nil
	}
	if err != nil {
		return err
	}
	disconnect(ctx, another)
	next := reload{read: map[walsender]bool{}}
	const query = "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN '' ELSE pg_catalog.pg_current_wal_lsn()::text END, " + loadedAt
	if err := conn.QueryRow(ctx, query).Scan(&next.written, &next.loaded); err != nil {
		return err
	}
	if next.loaded == loaded {
		e.reload = next
	}
	return nil
}

// standbysQuery reports of each walsender whether it is one that commits wait for, by its own
// sync_priority (its sync_state is judged by the session that asks, and is potential for
// one that has not caught up, too); whether it has begun late enough, waits, or has a reply
// for something new.
const standbysQuery = `
SELECT r.application_name, r.state, coalesce(r.sync_state, ''), coalesce(r.flush_lsn::text, ''), coalesce(r.replay_lsn::text, ''),
  coalesce(r.sync_priority, 0) > 0, r.pid, r.backend_start::text, ` + loadedAt + `,
  r.backend_start > pg_catalog.pg_conf_load_time(),
  coalesce(lower(a.wait_event) IN ('walsendermain', 'walsenderwaitforwal'), false),
  coalesce(a.datid IS NULL AND $1 <> '' AND r.flush_lsn > nullif($1, '')::pg_lsn, false)
FROM pg_catalog.pg_stat_replication AS r LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = r.pid
WHERE r.state IS NOT NULL ORDER BY r.application_name, r.pid`

// observeStandbys lists the walsenders' clients. loaded is when the session had read what
// it reports to be in force.
func (e *Engine) observeStandbys(ctx context.Context, conn *pgx.Conn, pg *engine.PostgreSQLReplication, loaded string) error {
	if err := e.signalled(ctx, conn, loaded); err != nil {
		return err
	}
	sync, syncErr := settings.ParseSync(pg.SynchronousStandbyNames)
	rows, err := conn.Query(ctx, standbysQuery, e.reload.written)
	if err != nil {
		return err
	}
	pg.Standbys, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s engine.PostgreSQLStandby, err error) {
		var w walsender
		var now string
		var young, waits, replied bool
		err = row.Scan(&s.ApplicationName, &s.State, &s.SyncState, &s.FlushLSN, &s.ReplayLSN, &s.Counted, &w.pid, &w.begun, &now, &young, &waits, &replied)
		if now != loaded {
			// Another configuration has come.
			return s, err
		}
		if now == e.reload.loaded && (waits || replied) {
			e.reload.read[w] = true
		}
		s.Reloaded = young || e.reload.read[w]
		if !pg.InRecovery && (syncErr != nil || s.Counted != sync.Has(s.ApplicationName)) {
			// It waits, and others count it by what it had read before.
			s.Reloaded = false
		}
		return s, err
	})
	return err
}
