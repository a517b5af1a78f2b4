// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// answerTime is how long a standby has to answer before its connection is ended, if
// the caller has that long.
const answerTime = time.Second

// Close implements engine.Replicator. It does not take anybody's writes away: a
// primary that runs has no state in which it surely acknowledges nothing, for
// default_transaction_read_only is every session's to change and superusers log in
// whatever else is set. What demotes a PostgreSQL is its stop, which RestartFor asks
// for; no commit is acknowledged after that and none by it.
//
// Close makes the stop short. A checkpoint is written while clients still write, so
// that the one of the shutdown has little to do. The connections of standbys that do
// not answer are ended: a fast shutdown waits until every one of them has the WAL.
func (e *Engine) Close(ctx context.Context) error {
	return e.withRole(ctx, func(conn *pgx.Conn) error {
		recovering, err := inRecovery(ctx, conn)
		if err != nil || recovering {
			return err
		}
		if err := e.checkpoint(ctx); err != nil {
			return err
		}
		return dropSilent(ctx, conn)
	})
}

// checkpoint takes at most half of the time there is, on a connection of its own:
// one that takes longer is finished by the server.
func (e *Engine) checkpoint(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok {
		half, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
		ctx = half
	}
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect(ctx, conn)
	_, err = conn.Exec(ctx, "CHECKPOINT")
	if ctx.Err() != nil || timedOut(err) {
		return nil
	}
	return err
}

// timedOut is true of a statement that the server ended for its timeout.
func timedOut(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == "57014"
}

// silentQuery are the walsenders that have not stored the WAL up to a position.
const silentQuery = `FROM pg_catalog.pg_stat_replication AS r WHERE flush_lsn IS NULL OR flush_lsn < $1::text::pg_lsn`

// dropSilent ends the connections of standbys and others that do not answer within
// answerTime. Those that live connect again at once.
func dropSilent(ctx context.Context, conn *pgx.Conn) error {
	var at string
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_current_wal_flush_lsn()::text").Scan(&at); err != nil {
		return err
	}
	wait := answerTime
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)/2)
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := waitFor(waiting, "", func() (bool, error) {
		var silent int
		err := conn.QueryRow(ctx, "SELECT count(*) "+silentQuery, at).Scan(&silent)
		return silent == 0, err
	})
	if err == nil || !errors.Is(err, engine.ErrNotYet) || ctx.Err() != nil {
		return err
	}
	_, err = conn.Exec(ctx, "SELECT pg_catalog.pg_terminate_backend(pid) "+silentQuery, at)
	return err
}
