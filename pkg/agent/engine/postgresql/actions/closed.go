// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// phaseOpened: databases that take no connections are open for the dump, to superusers
// only.
const phaseOpened = "opened"

// opened is such a database, and its own limit of connections.
type opened struct {
	Name  string `json:"name"`
	Limit int    `json:"limit"`
}

// openClosed opens databases that take no connections, which only their dump shall have.
// On a server that takes no writes they are left out.
func (a logicalBackup) openClosed(ctx context.Context, op operations.Op, conn *pgx.Conn, all []database) (open []database, leftOut []string, err error) {
	var recovers bool
	if err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovers); err != nil {
		return nil, nil, err
	}
	var closed []opened
	for _, d := range all {
		if d.Closed && recovers {
			leftOut = append(leftOut, d.Name+" (it takes no connections, and a standby cannot open it)")
			continue
		}
		if open = append(open, d); d.Closed {
			closed = append(closed, opened{d.Name, d.Limit})
		}
	}
	if len(closed) == 0 {
		return open, leftOut, nil
	}
	if err := op.SetPhase(phaseOpened, closed); err != nil {
		return nil, nil, err
	}
	for _, d := range closed {
		if err := execute(ctx, conn, "ALTER DATABASE "+postgresql.Identifier(d.Name)+" ALLOW_CONNECTIONS true CONNECTION LIMIT 0"); err != nil {
			a.closeOpened(ctx, op)
			return nil, nil, operations.Failed("DatabaseRefused", "opening %s for the dump: %w", d.Name, err)
		}
	}
	return open, leftOut, nil
}

// closeOpened closes what was opened for a dump. What it cannot close is closed by
// Abandon, or stays open to superusers only.
func (a logicalBackup) closeOpened(ctx context.Context, op operations.Op) {
	_ = a.shut(context.WithoutCancel(ctx), op)
}

func (a logicalBackup) shut(ctx context.Context, op operations.Op) error {
	phase, raw := op.Phase()
	if phase != phaseOpened {
		return nil
	}
	var closed []opened
	if err := json.Unmarshal(raw, &closed); err != nil {
		return err
	}
	conn, err := a.awaitSession(ctx, home)
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, conn)
	var all error
	for _, d := range closed {
		err := execute(ctx, conn, fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS false CONNECTION LIMIT %d", postgresql.Identifier(d.Name), d.Limit))
		if sqlState(err) != unknownDatabase {
			all = errors.Join(all, err)
		}
	}
	return all
}

// unknownDatabase is the SQLSTATE of one that is not there.
const unknownDatabase = "3D000"

// Abandon implements operations.Abandoner.
func (a logicalBackup) Abandon(ctx context.Context, op operations.Op) error {
	return errors.Join(a.shut(ctx, op), a.clearVerify())
}
