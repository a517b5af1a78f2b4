// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// identifySystem asks a server over a replication connection, as a standby does: SQL
// shows the timeline of the last checkpoint only, or does not work on standbys.
func identifySystem(ctx context.Context, conn *pgconn.PgConn) (branch, error) {
	row, err := replicationRow(ctx, conn, "IDENTIFY_SYSTEM", 3)
	if err != nil {
		return branch{}, err
	}
	b := branch{systemID: row[0]}
	if b.timeline, err = strconv.ParseInt(row[1], 10, 64); err != nil {
		return branch{}, err
	}
	b.position, err = parseLSN(row[2])
	return b, err
}

// withHistory adds where the server's timeline comes from. The first comes from nowhere.
func (b branch) withHistory(ctx context.Context, conn *pgconn.PgConn) (branch, error) {
	if b.timeline <= 1 {
		return b, nil
	}
	row, err := replicationRow(ctx, conn, fmt.Sprintf("TIMELINE_HISTORY %d", b.timeline), 2)
	if err != nil {
		return b, err
	}
	b.history, err = parseHistory(row[1])
	return b, err
}

func replicationRow(ctx context.Context, conn *pgconn.PgConn, command string, columns int) ([]string, error) {
	results, err := conn.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) < columns {
		return nil, errors.New("the server does not answer " + command + " as it should")
	}
	row := make([]string, columns)
	for i := range row {
		row[i] = string(results[0].Rows[0][i])
	}
	return row, nil
}

// replicationConfig is for a replication connection to this unit's server.
func (e *Engine) replicationConfig() (*pgconn.Config, error) {
	config, err := e.config(e.env.SocketDir, engine.AgentUser, superuser)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["replication"] = "true"
	return &config.Config, nil
}

// upstreamConfig is for one to another server, as this one's receiver makes it.
func (e *Engine) upstreamConfig(up engine.Upstream) (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig(e.conninfo(up))
	if err != nil {
		return nil, err
	}
	config.RuntimeParams = map[string]string{"application_name": "unit-agent", "replication": "true"}
	return config, nil
}

func withReplication(ctx context.Context, config *pgconn.Config, f func(conn *pgconn.PgConn) error) error {
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
		defer cancel()
		// It is not used any more.
		_ = conn.Close(ctx)
	}()
	return f(conn)
}

// branchOf a server, with its history.
func branchOf(ctx context.Context, config *pgconn.Config) (b branch, err error) {
	err = withReplication(ctx, config, func(conn *pgconn.PgConn) error {
		if b, err = identifySystem(ctx, conn); err != nil {
			return err
		}
		b, err = b.withHistory(ctx, conn)
		return err
	})
	return b, err
}

// timeline that the server writes, or replays if it is a standby.
func (e *Engine) timeline(ctx context.Context) (int, error) {
	config, err := e.replicationConfig()
	if err != nil {
		return 0, err
	}
	var b branch
	err = withReplication(ctx, config, func(conn *pgconn.PgConn) error {
		b, err = identifySystem(ctx, conn)
		return err
	})
	return int(b.timeline), err
}
