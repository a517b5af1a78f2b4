// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// firstNormalOID: what has a lower one was made by initdb.
const firstNormalOID = 16384

// observeQuery asks all at once. reset_val is what other sessions begin with,
// whatever this one has set.
const observeQuery = `
SELECT current_setting('server_version'),
  (SELECT system_identifier::text FROM pg_control_system()),
  NOT pg_is_in_recovery() AND (SELECT reset_val = 'off' FROM pg_settings WHERE name = 'default_transaction_read_only'),
  NOT EXISTS (SELECT FROM pg_database WHERE oid >= $1)
  AND NOT EXISTS (SELECT FROM pg_roles WHERE oid >= $1 AND shobj_description(oid, 'pg_authid') IS DISTINCT FROM $2)
  AND NOT EXISTS (SELECT FROM pg_class WHERE oid >= $1)
  AND NOT EXISTS (SELECT FROM pg_type WHERE oid >= $1)
  AND NOT EXISTS (SELECT FROM pg_proc WHERE oid >= $1)
  AND NOT EXISTS (SELECT FROM pg_namespace WHERE oid >= $1)
  AND NOT EXISTS (SELECT FROM pg_extension WHERE oid >= $1)
  AND NOT EXISTS (SELECT FROM pg_largeobject_metadata)`

// Observe implements engine.Engine. The database postgres stands for all: a
// server that anybody used has another one, or something in it.
func (e *Engine) Observe(ctx context.Context) (engine.Observation, error) {
	var o engine.Observation
	err := e.with(ctx, func(conn *pgx.Conn) error {
		var versionText string
		row := conn.QueryRow(ctx, observeQuery, firstNormalOID, initialMark)
		if err := row.Scan(&versionText, &o.SystemID, &o.Writable, &o.Virgin); err != nil {
			return fmt.Errorf("asking the server for its state: %w", err)
		}
		var err error
		o.Version, _, err = parseVersion(versionText)
		return err
	})
	if err != nil {
		return engine.Observation{}, err
	}
	return o, nil
}
