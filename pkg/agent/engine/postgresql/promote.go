// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Promote implements engine.Replicator. The settings of a source are put in force
// while the server is a standby still: its receiver ends with them, and no commit of
// the new primary is acknowledged by other rules than the record's.
func (e *Engine) Promote(ctx context.Context, record engine.RoleRecord, channel engine.ChannelAccount) error {
	if err := checkSource(record); err != nil {
		return err
	}
	return e.withRole(ctx, func(conn *pgx.Conn) error {
		recovering, err := inRecovery(ctx, conn)
		if err != nil {
			return err
		}
		if recovering {
			if err := e.writePassword(channel); err != nil {
				return fmt.Errorf("writing the channel's password: %w", err)
			}
			if err := e.applyForPromotion(ctx, conn, record); err != nil {
				return err
			}
			if err := e.promote(ctx, conn, record.Timeline); err != nil {
				return err
			}
		}
		if _, err := e.applyRole(ctx, conn, record, channel); err != nil {
			return err
		}
		if err := e.ensureChannel(ctx, conn, channel); err != nil {
			return fmt.Errorf("making the channel's account %s: %w", channel.User, err)
		}
		_, err = e.applySlots(ctx, conn, record)
		return err
	})
}

// applyForPromotion puts the settings of a source in force on a standby, and has it
// summarize no WAL meanwhile: a server that archives waits for the summarizer at the end of
// recovery (CleanupAfterArchiveRecovery in xlog.c, since 17), which sleeps for up to 30
// seconds after WAL has come slowly. It is looked for every 10 seconds only. What was not
// summarized is when the setting is back, right after the promotion.
func (e *Engine) applyForPromotion(ctx context.Context, conn *pgx.Conn, record engine.RoleRecord) error {
	major, err := MajorOf(conn)
	if err != nil {
		return err
	}
	settings := e.roleSettings(record.Role, record)
	if major >= 17 {
		settings = append(settings, setting{"summarize_wal", "off"})
	}
	if _, err := e.applySettings(ctx, conn, settings); err != nil || major < 17 {
		return err
	}
	return waitFor(ctx, "the server has not taken up summarize_wal", func() (off bool, err error) {
		err = conn.QueryRow(ctx, "SELECT NOT pg_catalog.current_setting('summarize_wal')::boolean").Scan(&off)
		return off, err
	})
}

// checkSource refuses a record by which a source could not keep its word.
func checkSource(record engine.RoleRecord) error {
	switch {
	case record.Role != engine.RoleSource:
		return fmt.Errorf("the record's role is %q, not source", record.Role)
	case record.Durability.Mode == engine.DurabilitySync && (record.Durability.W < 1 || len(record.Durability.Members) == 0):
		return errors.New("synchronous durability needs members and how many of them a commit waits for")
	}
	return nil
}

// promotion to a timeline, of a server since it was started.
type promotion struct {
	timeline int64
	started  string
}

// promote waits until all that was received is replayed, and lets the server become
// a primary, on the given timeline unless that is 0. It has no upstream any more.
func (e *Engine) promote(ctx context.Context, conn *pgx.Conn, timeline int64) error {
	if err := waitForReceiver(ctx, conn); err != nil {
		return err
	}
	var last lsn
	var what string
	ready := func() (bool, error) {
		r, err := askReceived(ctx, conn)
		if err != nil {
			return false, err
		}
		if r.paused {
			if _, err := conn.Exec(ctx, "SELECT pg_catalog.pg_wal_replay_resume()"); err != nil {
				return false, err
			}
		}
		receive, replay, known, err := r.positions()
		if err != nil {
			return false, err
		}
		what = fmt.Sprintf("WAL is received up to %s and replayed up to %s", receive, replay)
		// The end of what was received may be half a record, which nobody replays: the
		// startup process has looked at it twice and waits for the rest then.
		stalled := r.waiting && replay == last
		last = replay
		return known && replay >= receive || stalled, nil
	}
	if err := waitFor(ctx, "received WAL is being replayed", ready); err != nil {
		if errors.Is(err, engine.ErrNotYet) && what != "" {
			err = fmt.Errorf("%w: %s", engine.ErrNotYet, what)
		}
		return err
	}
	// A call before may have begun it: the history of its timeline is there then. A server
	// that was started since has to be asked again.
	ask := promotion{timeline: timeline}
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_postmaster_start_time()::text").Scan(&ask.started); err != nil {
		return err
	}
	if timeline == 0 || e.promoting != ask {
		if err := e.reserveTimelines(ctx, timeline); err != nil {
			return fmt.Errorf("promoting to timeline %d: %w", timeline, err)
		}
		// Without its own wait, which looks ten times a second.
		if _, err := conn.Exec(ctx, "SELECT pg_catalog.pg_promote(false)"); err != nil {
			return err
		}
		e.promoting = ask
	}
	err := waitFor(ctx, "the promotion is under way", func() (bool, error) {
		recovering, err := inRecovery(ctx, conn)
		return !recovering, err
	})
	if err != nil || timeline == 0 {
		return err
	}
	var begun int64
	if err := conn.QueryRow(ctx, "SELECT "+currentTimeline).Scan(&begun); err != nil {
		return err
	}
	if begun != timeline {
		return fmt.Errorf("the server was to begin timeline %d, and has begun %d", timeline, begun)
	}
	return nil
}

// Open implements engine.Replicator: the sessions of clients are read-write by
// default. A primary is never opened before its durability is in force, for Promote
// puts that in force before it is one.
func (e *Engine) Open(ctx context.Context, record engine.RoleRecord) error {
	if err := checkSource(record); err != nil {
		return err
	}
	record.Open = true
	return e.withRole(ctx, func(conn *pgx.Conn) error {
		recovering, err := inRecovery(ctx, conn)
		if err != nil {
			return err
		}
		if recovering {
			return fmt.Errorf("%w: the server is a standby still", engine.ErrNotYet)
		}
		_, err = e.applyRole(ctx, conn, record, engine.ChannelAccount{})
		return err
	})
}
