// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// errPrimary is the answer to a call that is one for standbys. Nothing was changed:
// the settings of a standby would acknowledge commits that wait.
var errPrimary = errors.New("the server is a primary: it becomes a standby by being demoted, which restarts it")

// Follow implements engine.Replicator. A standby that receives from the upstream
// already, or tries to, is left alone. Before it is given another one that server is
// asked whether it has all that this one holds; upstreamExecuted is MySQL's way of
// knowing that.
func (e *Engine) Follow(ctx context.Context, record engine.RoleRecord, channel engine.ChannelAccount, _ string) error {
	if record.Role != engine.RoleReplica || record.Upstream == nil {
		return fmt.Errorf("the record's role is %q and has no upstream", record.Role)
	}
	return e.withRole(ctx, func(conn *pgx.Conn) error {
		_, err := e.follow(ctx, conn, record, channel)
		return err
	})
}

func (e *Engine) follow(ctx context.Context, conn *pgx.Conn, record engine.RoleRecord, channel engine.ChannelAccount) (changed bool, err error) {
	recovering, err := inRecovery(ctx, conn)
	if err != nil {
		return false, err
	}
	if !recovering {
		return false, errPrimary
	}
	differs, err := notInForce(ctx, conn, e.roleSettings(record.Role, record))
	if err != nil {
		return false, err
	}
	if differs != "" {
		if err := e.writePassword(channel); err != nil {
			return false, fmt.Errorf("writing the channel's password: %w", err)
		}
		if err := e.mayFollow(ctx, conn, *record.Upstream); err != nil {
			return false, err
		}
		if err := e.freeTimelines(ctx); err != nil {
			return false, err
		}
	}
	if changed, err = e.applyRole(ctx, conn, record, channel); err != nil {
		return changed, err
	}
	since := time.Now()
	return changed, waitFor(ctx, "the receiver of the former upstream has not ended", func() (bool, error) {
		var foreign bool
		if err := delayed(ctx, conn, since); err != nil {
			return false, err
		}
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver WHERE sender_host IS DISTINCT FROM $1 OR sender_port IS DISTINCT FROM $2)",
			record.Upstream.Host, record.Upstream.Port).Scan(&foreign)
		return !foreign, err
	})
}

// mayFollow asks both servers how far they have come, this one first: what upstream
// writes meanwhile is no reason to refuse.
func (e *Engine) mayFollow(ctx context.Context, conn *pgx.Conn, up engine.Upstream) error {
	r, err := askReceived(ctx, conn)
	if err != nil {
		return err
	}
	receive, replay, known, err := r.positions()
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("%w: the server replays its own WAL, it is at %s", engine.ErrNotYet, replay)
	}
	config, err := e.replicationConfig()
	if err != nil {
		return err
	}
	local, err := branchOf(ctx, config)
	if err != nil {
		return fmt.Errorf("asking this server for its timeline: %w", err)
	}
	local.position = max(local.position, receive)
	if config, err = e.upstreamConfig(up); err != nil {
		return err
	}
	upstream, err := branchOf(ctx, config)
	if err != nil {
		return fmt.Errorf("asking %s for its timeline: %w", up.Name, err)
	}
	return mayFollow(local, upstream, up)
}

// StopReceiver implements engine.Replicator.
func (e *Engine) StopReceiver(ctx context.Context) error {
	return e.withRole(ctx, func(conn *pgx.Conn) error {
		recovering, err := inRecovery(ctx, conn)
		if err != nil {
			return err
		}
		if !recovering {
			return errPrimary
		}
		if _, err := e.applyRole(ctx, conn, engine.RoleRecord{Role: engine.RoleIsolated}, engine.ChannelAccount{}); err != nil {
			return err
		}
		return waitForReceiver(ctx, conn)
	})
}

// delayed asks for a restart if replay waits for recovery_min_apply_delay, for hours
// maybe, while somebody has waited since then for the receiver's end. The delay is the
// user's wish: it is not taken away to get on.
func delayed(ctx context.Context, conn *pgx.Conn, since time.Time) error {
	if time.Since(since) < replayPatience {
		return nil
	}
	var waits bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE backend_type = 'startup' AND wait_event = 'RecoveryApplyDelay')
  AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walreceiver')`).Scan(&waits)
	if err == nil && waits {
		err = fmt.Errorf("%w: its replay is delayed (recovery_min_apply_delay), and looks after the receiver only afterwards", engine.ErrMustRestart)
	}
	return err
}

// replayPatience is how long replay may be held up by readers before they are ended.
const replayPatience = time.Second

// waitForReceiver waits for the end of the receiver. The startup process ends it, in
// between two records: replay that is paused, or waits for a reader of this standby,
// keeps it alive, and it would go on acknowledging commits of the old upstream.
// pg_stat_wal_receiver does not show one that is connecting.
func waitForReceiver(ctx context.Context, conn *pgx.Conn) error {
	begun := time.Now()
	since := begun
	return waitFor(ctx, "the receiver has not ended: replay does not get to it", func() (bool, error) {
		var alive, paused bool
		err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walreceiver'),
  pg_catalog.pg_is_in_recovery() AND pg_catalog.pg_is_wal_replay_paused()`).Scan(&alive, &paused)
		if err != nil || !alive {
			return err == nil, err
		}
		if err := delayed(ctx, conn, begun); err != nil {
			return false, err
		}
		if paused {
			_, err = conn.Exec(ctx, "SELECT pg_catalog.pg_wal_replay_resume()")
		} else if time.Since(since) > replayPatience {
			_, err = conn.Exec(ctx, `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid() AND xact_start IS NOT NULL`)
			since = time.Now()
		}
		return false, err
	})
}
