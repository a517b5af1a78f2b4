// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"fmt"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// countSchemas that are not the server's own.
const countSchemas = `SELECT COUNT(*) FROM information_schema.schemata
   WHERE LOWER(schema_name) NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')`

// Observe implements engine.Engine. A server without GTIDs is virgin while it
// has no schema but its own.
func (e *Engine) Observe(ctx context.Context) (engine.Observation, error) {
	db, err := e.pool()
	if err != nil {
		return engine.Observation{}, err
	}
	var (
		versionText, uuid, gtids string
		readOnly, superReadOnly  bool
		schemas                  int
	)
	err = db.QueryRowContext(ctx, `
SELECT @@global.version, @@global.server_uuid, @@global.gtid_executed, @@global.read_only, @@global.super_read_only,
  (`+countSchemas+`)`).
		Scan(&versionText, &uuid, &gtids, &readOnly, &superReadOnly, &schemas)
	if err != nil {
		return engine.Observation{}, fmt.Errorf("asking the server for its state: %w", err)
	}
	v, err := parseVersion(versionText)
	if err != nil {
		return engine.Observation{}, err
	}
	return engine.Observation{
		Version:  v.String(),
		SystemID: uuid,
		Writable: !readOnly && !superReadOnly,
		Virgin:   gtids == "" && schemas == 0,
	}, nil
}
