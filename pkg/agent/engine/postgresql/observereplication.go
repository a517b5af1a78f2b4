// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// received is how far a standby has stored WAL. Before its first receiver the server
// does not say: what it found on its own disk counts then, once all of it is replayed
// and the startup process waits for more. Afterwards it may have replayed more than
// the receiver's position, which restarts at the beginning of a file.
type received struct {
	receive, replay *string
	// waiting is true when the startup process has replayed all there is.
	waiting, paused bool
}

const receivedQuery = `
SELECT pg_catalog.pg_last_wal_receive_lsn()::text, pg_catalog.pg_last_wal_replay_lsn()::text, pg_catalog.pg_is_wal_replay_paused(),
  EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE backend_type = 'startup'
    AND wait_event IN ('RecoveryWalStream', 'RecoveryWalAll', 'RecoveryRetrieveRetryInterval'))`

func askReceived(ctx context.Context, conn *pgx.Conn) (r received, err error) {
	err = conn.QueryRow(ctx, receivedQuery).Scan(&r.receive, &r.replay, &r.paused, &r.waiting)
	return r, err
}

// positions of a standby; known is false while it cannot say how far it has WAL.
func (r received) positions() (receive, replay lsn, known bool, err error) {
	if r.replay != nil {
		if replay, err = parseLSN(*r.replay); err != nil {
			return 0, 0, false, err
		}
	}
	if r.receive == nil {
		return replay, replay, r.waiting, nil
	}
	if receive, err = parseLSN(*r.receive); err != nil {
		return 0, 0, false, err
	}
	return max(receive, replay), replay, true, nil
}

// ObserveReplication implements engine.Replicator. Of a server that does not run it
// reports what pg_controldata prints.
func (e *Engine) ObserveReplication(ctx context.Context) (engine.Replication, error) {
	out := engine.Replication{PostgreSQL: &engine.PostgreSQLReplication{}}
	err := e.with(ctx, func(conn *pgx.Conn) error { return e.observeReplication(ctx, conn, &out) })
	if notRunning(err) {
		return e.observeStopped(ctx)
	}
	if err != nil {
		return engine.Replication{}, err
	}
	if !out.PostgreSQL.InRecovery {
		return out, e.with(ctx, func(conn *pgx.Conn) error { return observeHistory(ctx, conn, out.PostgreSQL) })
	}
	return out, e.observeTimeline(ctx, out.PostgreSQL)
}

// observeTimeline that a standby has come to, and its history.
func (e *Engine) observeTimeline(ctx context.Context, pg *engine.PostgreSQLReplication) error {
	timeline, err := e.timeline(ctx)
	if tooMany(err) {
		// All walsenders are taken: by receivers of this standby, or base backups of it. Its
		// history stays unknown: it may replay a later timeline than this.
		return e.with(ctx, func(conn *pgx.Conn) error { return timelineBySQL(ctx, conn, pg) })
	}
	if err != nil {
		return err
	}
	pg.Timeline = int64(timeline)
	return e.with(ctx, func(conn *pgx.Conn) error { return observeStandbyHistory(ctx, conn, pg) })
}

// tooMany is true if the server has no walsender for one more connection.
func tooMany(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == "53300"
}

// timelineBySQL is the newest timeline that a standby is known to have come to: by its
// receiver, or by its control file, which may lag behind what is replayed.
func timelineBySQL(ctx context.Context, conn *pgx.Conn, pg *engine.PostgreSQLReplication) error {
	err := conn.QueryRow(ctx, `SELECT greatest((SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),
  (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery()))`).Scan(&pg.Timeline)
	if pg.Receiver != nil {
		pg.Timeline = max(pg.Timeline, pg.Receiver.Timeline)
	}
	return err
}

// notRunning is true if nobody listens on the socket.
func notRunning(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

func (e *Engine) observeStopped(ctx context.Context) (engine.Replication, error) {
	data, err := e.controlData(ctx)
	if err != nil {
		return engine.Replication{}, err
	}
	control, err := data.report()
	if err != nil {
		return engine.Replication{}, err
	}
	pg := &engine.PostgreSQLReplication{Control: control, Hints: data.hints()}
	return engine.Replication{ServerID: control.SystemID, PostgreSQL: pg}, e.observeStoredHistory(ctx, pg)
}

func (e *Engine) observeReplication(ctx context.Context, conn *pgx.Conn, out *engine.Replication) error {
	pg := out.PostgreSQL
	var loaded string
	if err := conn.QueryRow(ctx, stateQuery).Scan(&pg.InRecovery, &out.ServerID, &pg.SynchronousStandbyNames, &pg.Hints, &loaded); err != nil {
		return err
	}
	out.Answered, out.ReadOnly = true, pg.InRecovery
	if err := observePositions(ctx, conn, pg); err != nil {
		return err
	}
	if err := observeReceiver(ctx, conn, pg); err != nil {
		return err
	}
	if err := e.observeStandbys(ctx, conn, pg, loaded); err != nil {
		return err
	}
	return observeSlots(ctx, conn, pg)
}

const stateQuery = `
SELECT pg_catalog.pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),
  pg_catalog.current_setting('synchronous_standby_names'),
  pg_catalog.current_setting('wal_log_hints')::boolean OR pg_catalog.current_setting('data_checksums')::boolean, ` + loadedAt

// primaryQuery reads the timeline from the name of the file that is written: the
// control file has that of the last checkpoint.
const primaryQuery = "SELECT pg_catalog.pg_current_wal_lsn()::text, " + currentTimeline

// currentTimeline of a primary.
const currentTimeline = "('x' || pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::bigint"

func observePositions(ctx context.Context, conn *pgx.Conn, pg *engine.PostgreSQLReplication) error {
	if !pg.InRecovery {
		return conn.QueryRow(ctx, primaryQuery).Scan(&pg.WriteLSN, &pg.Timeline)
	}
	r, err := askReceived(ctx, conn)
	if err != nil {
		return err
	}
	receive, replay, known, err := r.positions()
	if err != nil {
		return err
	}
	pg.ReplayedLSN, pg.ReplayPaused = replay.String(), r.paused
	if known {
		pg.ReceivedLSN = receive.String()
	}
	return nil
}

func observeReceiver(ctx context.Context, conn *pgx.Conn, pg *engine.PostgreSQLReplication) error {
	const query = `SELECT status, coalesce(sender_host, ''), coalesce(sender_port, 0), coalesce(slot_name, ''), coalesce(received_tli, 0)
FROM pg_catalog.pg_stat_wal_receiver WHERE pid IS NOT NULL`
	var r engine.PostgreSQLReceiver
	err := conn.QueryRow(ctx, query).Scan(&r.Status, &r.Host, &r.Port, &r.Slot, &r.Timeline)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		pg.Receiver = &r
	}
	return err
}

// slotsQuery by major version: 12 does not say whether the WAL is still there.
func slotsQuery(major int) string {
	status := "coalesce(wal_status, '')"
	if major < 13 {
		status = "''"
	}
	return "SELECT slot_name::text, slot_type = 'logical', active, coalesce(restart_lsn::text, ''), " + status +
		" FROM pg_catalog.pg_replication_slots WHERE NOT temporary ORDER BY slot_name"
}

func observeSlots(ctx context.Context, conn *pgx.Conn, pg *engine.PostgreSQLReplication) error {
	major, err := MajorOf(conn)
	if err != nil {
		return err
	}
	rows, err := conn.Query(ctx, slotsQuery(major))
	if err != nil {
		return err
	}
	pg.Slots, err = pgx.CollectRows(rows, pgx.RowToStructByPos[engine.PostgreSQLSlot])
	return err
}
