// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// metrics are one query each, of one row with one number.
var metrics = []struct {
	sample engine.Sample
	query  string
}{
	{engine.Sample{Name: "postgresql_connections", Help: "Client connections.", Type: engine.Gauge},
		"SELECT count(*)::float8 FROM pg_stat_activity WHERE backend_type = 'client backend'"},
	{engine.Sample{Name: "postgresql_connections_active", Help: "Client connections that run a statement.", Type: engine.Gauge},
		"SELECT count(*)::float8 FROM pg_stat_activity WHERE backend_type = 'client backend' AND state = 'active'"},
	{engine.Sample{Name: "postgresql_max_connections", Help: "Limit of connections.", Type: engine.Gauge},
		"SELECT setting::float8 FROM pg_settings WHERE name = 'max_connections'"},
	{engine.Sample{Name: "postgresql_uptime_seconds", Help: "Seconds since the server started.", Type: engine.Gauge},
		"SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float8"},
	{engine.Sample{Name: "postgresql_in_recovery", Help: "1 if the server is a standby.", Type: engine.Gauge},
		"SELECT pg_is_in_recovery()::int::float8"},
	{engine.Sample{Name: "postgresql_commits_total", Help: "Committed transactions.", Type: engine.Counter},
		"SELECT coalesce(sum(xact_commit), 0)::float8 FROM pg_stat_database"},
	{engine.Sample{Name: "postgresql_rollbacks_total", Help: "Rolled back transactions.", Type: engine.Counter},
		"SELECT coalesce(sum(xact_rollback), 0)::float8 FROM pg_stat_database"},
	{engine.Sample{Name: "postgresql_blocks_read_total", Help: "Blocks read from files.", Type: engine.Counter},
		"SELECT coalesce(sum(blks_read), 0)::float8 FROM pg_stat_database"},
	{engine.Sample{Name: "postgresql_blocks_hit_total", Help: "Blocks found in shared buffers.", Type: engine.Counter},
		"SELECT coalesce(sum(blks_hit), 0)::float8 FROM pg_stat_database"},
	{engine.Sample{Name: "postgresql_deadlocks_total", Help: "Deadlocks.", Type: engine.Counter},
		"SELECT coalesce(sum(deadlocks), 0)::float8 FROM pg_stat_database"},
	{engine.Sample{Name: "postgresql_temporary_bytes_total", Help: "Bytes written to temporary files.", Type: engine.Counter},
		"SELECT coalesce(sum(temp_bytes), 0)::float8 FROM pg_stat_database"},
}

// Metrics implements engine.Engine.
func (e *Engine) Metrics(ctx context.Context) ([]engine.Sample, error) {
	samples := make([]engine.Sample, 0, len(metrics))
	err := e.with(ctx, func(conn *pgx.Conn) error {
		for _, m := range metrics {
			sample := m.sample
			if err := conn.QueryRow(ctx, m.query).Scan(&sample.Value); err != nil {
				return err
			}
			samples = append(samples, sample)
		}
		return nil
	})
	return samples, err
}
