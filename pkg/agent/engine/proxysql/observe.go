// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// versionPattern matches the beginning of 2.7.1-16-g2726c27.
var versionPattern = regexp.MustCompile(`^\d+\.\d+\.\d+`)

// Observe implements engine.Engine. A proxy takes writes by passing them on.
func (e *Engine) Observe(ctx context.Context) (engine.Observation, error) {
	id, err := e.systemID()
	if err != nil {
		return engine.Observation{}, err
	}
	var version string
	err = e.admin(ctx, func(conn *sql.Conn) error {
		return conn.QueryRowContext(ctx, "SELECT variable_value FROM global_variables WHERE variable_name = 'admin-version'").Scan(&version)
	})
	if err != nil {
		return engine.Observation{}, fmt.Errorf("asking the server for its version: %w", err)
	}
	if m := versionPattern.FindString(version); m != "" {
		version = m
	}
	return engine.Observation{Version: version, SystemID: id, Writable: true, Virgin: true}, nil
}

// statistics are the rows of stats_mysql_global that are exported.
var statistics = map[string]engine.Sample{
	"ProxySQL_Uptime":              {Name: "proxysql_uptime_seconds", Help: "Seconds since the server started.", Type: engine.Gauge},
	"Client_Connections_connected": {Name: "proxysql_client_connections", Help: "Open connections of clients.", Type: engine.Gauge},
	"Client_Connections_created":   {Name: "proxysql_client_connections_total", Help: "Connections of clients.", Type: engine.Counter},
	"Client_Connections_aborted":   {Name: "proxysql_client_connections_aborted_total", Help: "Failed connections of clients.", Type: engine.Counter},
	"Server_Connections_connected": {Name: "proxysql_server_connections", Help: "Open connections to backends.", Type: engine.Gauge},
	"Server_Connections_created":   {Name: "proxysql_server_connections_total", Help: "Connections to backends.", Type: engine.Counter},
	"Server_Connections_aborted":   {Name: "proxysql_server_connections_aborted_total", Help: "Failed connections to backends.", Type: engine.Counter},
	"Active_Transactions":          {Name: "proxysql_active_transactions", Help: "Clients inside a transaction.", Type: engine.Gauge},
	"Questions":                    {Name: "proxysql_questions_total", Help: "Statements sent by clients.", Type: engine.Counter},
	"Slow_queries":                 {Name: "proxysql_slow_queries_total", Help: "Statements slower than long_query_time.", Type: engine.Counter},
	"Queries_backends_bytes_recv":  {Name: "proxysql_backend_received_bytes_total", Help: "Bytes received from backends.", Type: engine.Counter},
	"Queries_backends_bytes_sent":  {Name: "proxysql_backend_sent_bytes_total", Help: "Bytes sent to backends.", Type: engine.Counter},
}

// Metrics implements engine.Engine.
func (e *Engine) Metrics(ctx context.Context) ([]engine.Sample, error) {
	var samples []engine.Sample
	err := e.admin(ctx, func(conn *sql.Conn) error {
		rows, err := conn.QueryContext(ctx, "SELECT variable_name, variable_value FROM stats_mysql_global")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, value string
			if err := rows.Scan(&name, &value); err != nil {
				return err
			}
			sample, ok := statistics[name]
			if !ok {
				continue
			}
			if sample.Value, err = strconv.ParseFloat(value, 64); err != nil {
				continue
			}
			samples = append(samples, sample)
		}
		return rows.Err()
	})
	return samples, err
}
