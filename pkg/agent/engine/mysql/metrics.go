// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// statusMetrics are the variables of SHOW GLOBAL STATUS that are exported.
var statusMetrics = map[string]engine.Sample{
	"Threads_connected":                {Name: "mysql_threads_connected", Help: "Open connections.", Type: engine.Gauge},
	"Threads_running":                  {Name: "mysql_threads_running", Help: "Connections that run a statement.", Type: engine.Gauge},
	"Uptime":                           {Name: "mysql_uptime_seconds", Help: "Seconds since the server started.", Type: engine.Gauge},
	"Questions":                        {Name: "mysql_questions_total", Help: "Statements sent by clients.", Type: engine.Counter},
	"Slow_queries":                     {Name: "mysql_slow_queries_total", Help: "Statements slower than long_query_time.", Type: engine.Counter},
	"Com_commit":                       {Name: "mysql_commits_total", Help: "COMMIT statements.", Type: engine.Counter},
	"Com_rollback":                     {Name: "mysql_rollbacks_total", Help: "ROLLBACK statements.", Type: engine.Counter},
	"Connections":                      {Name: "mysql_connections_total", Help: "Connection attempts.", Type: engine.Counter},
	"Aborted_connects":                 {Name: "mysql_aborted_connects_total", Help: "Failed connection attempts.", Type: engine.Counter},
	"Bytes_received":                   {Name: "mysql_received_bytes_total", Help: "Bytes received from clients.", Type: engine.Counter},
	"Bytes_sent":                       {Name: "mysql_sent_bytes_total", Help: "Bytes sent to clients.", Type: engine.Counter},
	"Innodb_rows_read":                 {Name: "mysql_innodb_rows_read_total", Help: "Rows read from InnoDB.", Type: engine.Counter},
	"Innodb_buffer_pool_bytes_data":    {Name: "mysql_innodb_buffer_pool_data_bytes", Help: "Bytes of data in the buffer pool.", Type: engine.Gauge},
	"Innodb_buffer_pool_bytes_dirty":   {Name: "mysql_innodb_buffer_pool_dirty_bytes", Help: "Bytes of dirty data in the buffer pool.", Type: engine.Gauge},
	"Innodb_buffer_pool_read_requests": {Name: "mysql_innodb_buffer_pool_read_requests_total", Help: "Logical reads.", Type: engine.Counter},
	"Innodb_buffer_pool_reads":         {Name: "mysql_innodb_buffer_pool_reads_total", Help: "Logical reads that had to read a file.", Type: engine.Counter},
	"Innodb_row_lock_waits":            {Name: "mysql_innodb_row_lock_waits_total", Help: "Waits for a row lock.", Type: engine.Counter},
}

// variableMetrics likewise of the global variables.
var variableMetrics = []struct {
	variable string
	sample   engine.Sample
}{
	{"max_connections", engine.Sample{Name: "mysql_max_connections", Help: "Limit of open connections.", Type: engine.Gauge}},
	{"super_read_only", engine.Sample{Name: "mysql_super_read_only", Help: "1 if the server refuses all writes.", Type: engine.Gauge}},
	{"innodb_buffer_pool_size", engine.Sample{Name: "mysql_innodb_buffer_pool_size_bytes", Help: "Size of the buffer pool.", Type: engine.Gauge}},
}

// Metrics implements engine.Engine.
func (e *Engine) Metrics(ctx context.Context) ([]engine.Sample, error) {
	db, err := e.pool()
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SHOW GLOBAL STATUS")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var samples []engine.Sample
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		sample, ok := statusMetrics[name]
		if !ok {
			continue
		}
		if sample.Value, err = strconv.ParseFloat(value, 64); err != nil {
			continue
		}
		samples = append(samples, sample)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, m := range variableMetrics {
		sample := m.sample
		if err := db.QueryRowContext(ctx, "SELECT @@global."+m.variable).Scan(&sample.Value); err != nil {
			return nil, err
		}
		samples = append(samples, sample)
	}
	o, err := observe(ctx, db)
	return append(samples, replicationMetrics(o.MySQLReplication)...), err
}

// replicationMetrics of a source that waits for acknowledgements, or of a replica. A
// source keeps the channel that it had as a replica, which says nothing any more.
func replicationMetrics(m engine.MySQLReplication) []engine.Sample {
	var samples []engine.Sample
	add := func(name, help string, kind engine.SampleType, value float64) {
		samples = append(samples, engine.Sample{Name: name, Help: help, Type: kind, Value: value})
	}
	if s := m.SemiSync; s.SourceEnabled {
		add("mysql_semi_sync_clients", "Replicas that may acknowledge commits.", engine.Gauge, float64(s.Clients))
		add("mysql_semi_sync_wait_for", "Acknowledgements that a commit waits for.", engine.Gauge, float64(s.WaitFor))
		add("mysql_semi_sync_waiting_sessions", "Sessions whose commit waits for an acknowledgement.", engine.Gauge, float64(s.WaitingSessions))
		add("mysql_semi_sync_unacknowledged_total", "Commits that were let through without one.", engine.Counter, float64(s.Unacknowledged))
	}
	c := m.Channel
	if c == nil || !m.SuperReadOnly {
		return samples
	}
	add("mysql_replication_receiving", "1 if the replica is connected to its source.", engine.Gauge, truth(c.Receiving))
	add("mysql_replication_applying", "1 if it applies what it receives.", engine.Gauge, truth(c.Applying))
	const lag = "mysql_replication_lag_seconds"
	const help = "For how long what is applied now has been committed on the source; 0 if all that was received is applied."
	switch {
	case c.Unapplied == "" && c.Receiving:
		add(lag, help, engine.Gauge, 0)
	case c.Lag != nil:
		add(lag, help, engine.Gauge, c.Lag.Seconds())
	}
	return samples
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
