// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// SetDurability implements engine.Replicator.
func (e *Engine) SetDurability(ctx context.Context, record engine.RoleRecord) error {
	db, v, err := e.controlVersion(ctx)
	if err != nil {
		return err
	}
	return inTime(ctx, enforce(ctx, db, semiSyncOf(v), record))
}

// enforce gives a server the settings of its record and reads them back.
func enforce(ctx context.Context, db *sql.DB, s semiSync, record engine.RoleRecord) error {
	settings := s.forRecord(record)
	wrong, err := differ(ctx, db, settings)
	if err != nil || len(wrong) == 0 {
		return err
	}
	for _, w := range wrong {
		if w.name == s.sourceEnabled && w.value == "OFF" {
			err = stopWaiting(ctx, db, w)
		} else {
			_, err = db.ExecContext(ctx, setGlobal(w))
		}
		if err != nil {
			return fmt.Errorf("setting %s to %s: %w", w.name, w.value, err)
		}
	}
	return verify(ctx, db, settings)
}

// verify reads settings back.
func verify(ctx context.Context, db *sql.DB, settings []setting) error {
	wrong, err := differ(ctx, db, settings)
	if err == nil && len(wrong) > 0 {
		err = notInForce(wrong)
	}
	return err
}

// differ reads settings from the server.
func differ(ctx context.Context, db *sql.DB, settings []setting) ([]setting, error) {
	values := make([]string, len(settings))
	targets := make([]any, len(settings))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := db.QueryRowContext(ctx, readSettings(settings)).Scan(targets...); err != nil {
		return nil, fmt.Errorf("reading the settings of semi-synchronous replication, whose plugins every start loads: %w", err)
	}
	return differing(settings, values), nil
}

// stopWaiting ends the wait for acknowledgements for commits to come. Switching it off
// acknowledges every commit that waits: so commits are held up first, which succeeds
// only while none waits.
func stopWaiting(ctx context.Context, db *sql.DB, off setting) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	lockErr := noLongStatements(ctx, conn)
	if lockErr == nil {
		if _, lockErr = conn.ExecContext(ctx, "FLUSH TABLES WITH READ LOCK"); lockErr == nil {
			defer unlock(ctx, conn)
		}
	}
	o, err := observe(ctx, db)
	if err != nil {
		return errors.Join(lockErr, err)
	}
	if n := o.SemiSync.WaitingSessions; n > 0 {
		return fmt.Errorf("%w: %d commits wait for an acknowledgement, and switching the wait off would acknowledge them", engine.ErrMustKill, n)
	}
	if lockErr != nil {
		return fmt.Errorf("holding commits up: %w", lockErr)
	}
	_, err = conn.ExecContext(ctx, setGlobal(off))
	return err
}

func unlock(ctx context.Context, conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	// With the connection, if it is gone, the lock is gone.
	_, _ = conn.ExecContext(ctx, "UNLOCK TABLES")
}
