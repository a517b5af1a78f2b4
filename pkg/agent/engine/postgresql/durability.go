// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// SetDurability implements engine.Replicator.
func (e *Engine) SetDurability(ctx context.Context, record engine.RoleRecord) error {
	if err := checkSource(record); err != nil {
		return err
	}
	return e.withRole(ctx, func(conn *pgx.Conn) error {
		_, err := e.tendSource(ctx, conn, record, engine.ChannelAccount{})
		return err
	})
}

// tendSource makes a primary that is recorded as the source what its record says.
func (e *Engine) tendSource(ctx context.Context, conn *pgx.Conn, record engine.RoleRecord, channel engine.ChannelAccount) (did []string, err error) {
	recovering, err := inRecovery(ctx, conn)
	if err != nil {
		return nil, err
	}
	if recovering {
		return nil, fmt.Errorf("%w: the server is a standby still", engine.ErrNotYet)
	}
	changed, err := e.applyRole(ctx, conn, record, channel)
	if changed {
		did = append(did, "put in force: synchronous_standby_names = "+synchronousNames(e.env.Name, record.Durability))
	}
	if err != nil {
		return did, err
	}
	slots, err := e.applySlots(ctx, conn, record)
	return append(did, slots...), err
}

// applySlots makes the slots of members and drops those that nobody uses, of the
// agent's own. It returns what it did.
func (e *Engine) applySlots(ctx context.Context, conn *pgx.Conn, record engine.RoleRecord) (did []string, err error) {
	major, err := MajorOf(conn)
	if err != nil {
		return nil, err
	}
	found, err := askSlots(ctx, conn, major)
	if err != nil {
		return nil, err
	}
	var keep int64
	if major < 13 {
		// There is no max_slot_wal_keep_size: an absent member must not fill the volume.
		const query = "SELECT setting::bigint * 1024 * 1024 FROM pg_catalog.pg_settings WHERE name = 'max_wal_size'"
		if err := conn.QueryRow(ctx, query).Scan(&keep); err != nil {
			return nil, err
		}
	}
	create, drop := planSlots(e.env.Name, record, found, keep)
	for _, name := range drop {
		// It may have become active, or have gone, since.
		if _, err := conn.Exec(ctx, dropSlot, name); err != nil {
			return did, err
		}
		did = append(did, "dropped the slot "+name)
	}
	for _, name := range create {
		if _, err := conn.Exec(ctx, "SELECT pg_catalog.pg_create_physical_replication_slot($1::name, true)", name); err != nil {
			return did, err
		}
		did = append(did, "created the slot "+name)
	}
	return did, nil
}

const dropSlot = "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1 AND NOT active"

// memberSlotsQuery by major version.
func memberSlotsQuery(major int) string {
	lost := "coalesce(wal_status = 'lost', false)"
	if major < 13 {
		lost = "false"
	}
	return strings.Join([]string{
		"SELECT slot_name::text, active,", lost + ",",
		"coalesce(pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, restart_lsn), 0)::bigint",
		"FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary",
	}, " ")
}

func askSlots(ctx context.Context, conn *pgx.Conn, major int) ([]slot, error) {
	rows, err := conn.Query(ctx, memberSlotsQuery(major))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s slot, err error) {
		err = row.Scan(&s.name, &s.active, &s.lost, &s.kept)
		return s, err
	})
}
