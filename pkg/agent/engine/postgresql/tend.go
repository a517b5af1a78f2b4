// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Tend implements engine.Replicator. What is recorded and not in force is put in
// force: a reload that was lost, a setting that somebody made by ALTER SYSTEM, a slot
// that is missing. Receivers connect again by themselves and with that confirm what
// they have stored, so that a lost acknowledgement needs no help; a receiver that is
// no member acknowledges nothing, for the source knows members by name.
func (e *Engine) Tend(ctx context.Context, record engine.RoleRecord, channel engine.ChannelAccount) (did []string, err error) {
	err = e.withRole(ctx, func(conn *pgx.Conn) error {
		switch record.Role {
		case engine.RoleSource:
			did, err = e.tendSource(ctx, conn, record, channel)
		case engine.RoleReplica, engine.RoleIsolated:
			did, err = e.tendStandby(ctx, conn, record, channel)
		default:
			// The connection is kept open nevertheless.
			_, err = inRecovery(ctx, conn)
		}
		return err
	})
	return did, err
}

func (e *Engine) tendStandby(ctx context.Context, conn *pgx.Conn, record engine.RoleRecord, channel engine.ChannelAccount) (did []string, err error) {
	var changed bool
	if record.Upstream != nil && record.Role == engine.RoleReplica {
		changed, err = e.follow(ctx, conn, record, channel)
	} else {
		changed, err = e.tendIsolated(ctx, conn, record)
	}
	if changed {
		did = append(did, fmt.Sprintf("put the upstream of role %s in force", record.Role))
	}
	if err != nil {
		return did, err
	}
	// Slots of the time when it was the source keep WAL for nobody.
	slots, err := e.applySlots(ctx, conn, record)
	return append(did, slots...), err
}

func (e *Engine) tendIsolated(ctx context.Context, conn *pgx.Conn, record engine.RoleRecord) (changed bool, err error) {
	recovering, err := inRecovery(ctx, conn)
	if err != nil {
		return false, err
	}
	if !recovering {
		return false, errPrimary
	}
	return e.applyRole(ctx, conn, record, engine.ChannelAccount{})
}
