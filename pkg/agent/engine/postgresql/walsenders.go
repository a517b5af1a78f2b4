// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// answersSinceLoad are how many answers a walsender must have worked through since a
// configuration was loaded, to be sure that it has read it. WalSndLoop (walsender.c) looks
// for a reload, and reads the configuration, before it processes the replies that have
// come in. A signal that arrives between the two is noticed one turn later: the second
// answer is worked through by a loop that has read it.
const answersSinceLoad = 2

// walsender of one client, for as long as its process lives.
type walsender struct {
	pid     int32
	started time.Time
}

// progress of a walsender since a configuration was loaded.
type progress struct {
	loaded, answered time.Time
	answers          int
}

// reloads remembers which walsenders have answered since the configuration was loaded.
// pg_stat_replication shows when a client has answered last, by the client's clock: only
// that this changes means anything.
type reloads struct {
	mu   sync.Mutex
	seen map[walsender]progress
}

// sight of a walsender: what one query said of it.
type sight struct {
	walsender
	// answered is the time of the client's last answer, by its clock; zero: none yet.
	answered time.Time
}

// look takes in what was seen after the configuration was loaded at a time, and reports
// which of the walsenders have read it. loaded is that of the session which asked: it may
// have noticed the reload later than it happened, never sooner. Walsenders that are not
// seen any more are forgotten.
func (r *reloads) look(loaded time.Time, now []sight) []bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[walsender]progress, len(now))
	read := make([]bool, len(now))
	for i, s := range now {
		p, known := r.seen[s.walsender]
		switch {
		case !known || !p.loaded.Equal(loaded):
			p = progress{loaded: loaded, answered: s.answered}
		case !s.answered.Equal(p.answered):
			p.answered = s.answered
			p.answers++
		}
		next[s.walsender] = p
		// A process that was forked after the postmaster had read it has it from its start.
		read[i] = s.started.After(loaded) || p.answers >= answersSinceLoad
	}
	r.seen = next
	return read
}

// observeStandbys reads who receives. sync_priority is what SyncRepInitConfig of that very
// walsender has found when it read the configuration: above 0 it counts its client's
// answers (syncrep.c).
func (e *Engine) observeStandbys(ctx context.Context, conn *pgx.Conn, pg *engine.PostgreSQLReplication) error {
	const query = `SELECT application_name, state, coalesce(sync_state, ''), coalesce(flush_lsn::text, ''), coalesce(replay_lsn::text, ''),
  coalesce(sync_priority > 0, false), pid, backend_start, coalesce(reply_time, '-infinity') = '-infinity', coalesce(reply_time, backend_start), pg_catalog.pg_conf_load_time()
FROM pg_catalog.pg_stat_replication WHERE state IS NOT NULL ORDER BY application_name, pid`
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return err
	}
	var loaded time.Time
	var sights []sight
	pg.Standbys, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s engine.PostgreSQLStandby, err error) {
		var at sight
		var silent bool
		err = row.Scan(&s.ApplicationName, &s.State, &s.SyncState, &s.FlushLSN, &s.ReplayLSN, &s.Counted, &at.pid, &at.started, &silent, &at.answered, &loaded)
		if silent {
			at.answered = time.Time{}
		}
		sights = append(sights, at)
		return s, err
	})
	if err != nil {
		return err
	}
	for i, read := range e.reloads.look(loaded, sights) {
		pg.Standbys[i].Reloaded = read
	}
	return nil
}
