// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// slotPrefix begins the names of the slots that keep WAL for incremental backups.
const slotPrefix = "unit_agent_wal_"

// maxSlots is for how many destinations a server keeps WAL: one near, one far. A
// folder for every backup must not use up the slots that standbys need.
const maxSlots = 2

// walSlot is a physical replication slot that keeps on this server what its newest
// backup at a destination does not have. Nobody is connected to it: backups read the
// WAL from the disk. A backup makes it or moves it forward, and removes what is of no
// use any more. What was restored or cloned has none: slots are not in copies.
//
// max_slot_wal_keep_size bounds it, else there is none.
type walSlot struct {
	conn *pgx.Conn
	name string
}

// slotFor is the slot of the folder at the location.
func slotFor(conn *pgx.Conn, store backup.Store, location backup.Location) walSlot {
	location.Name = ""
	sum := sha256.Sum256([]byte(store.Endpoint() + "\n" + location.String()))
	return walSlot{conn: conn, name: slotPrefix + hex.EncodeToString(sum[:8])}
}

// bounded fails where slots that nobody moves could fill the volume, and drops them.
func (s walSlot) bounded(ctx context.Context) error {
	var yes bool
	err := s.conn.QueryRow(ctx, "SELECT setting::bigint >= 0 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'").Scan(&yes)
	if err != nil || yes {
		return err
	}
	err = operations.Failed(reasonChain, "max_slot_wal_keep_size is unlimited, so that WAL kept for incremental backups could fill the volume: set a limit with set-variable, then take a full backup")
	return withCleanup(err, s.trim(ctx, 0))
}

// lacks says why the slot has not kept all WAL since the position; empty if it has.
func (s walSlot) lacks(ctx context.Context, since lsn) (string, error) {
	var status, restart *string
	const query = "SELECT wal_status, restart_lsn::text FROM pg_replication_slots WHERE slot_name = $1"
	err := s.conn.QueryRow(ctx, query, s.name).Scan(&status, &restart)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Sprintf("this server keeps no WAL for backups at the destination (it has no slot %s): the newest was taken on another server, or those at other destinations have replaced it", s.name), nil
	case err != nil:
		return "", err
	case restart == nil || status == nil || *status == "lost":
		return "the WAL since the newest backup was more than max_slot_wal_keep_size and is gone", nil
	}
	at, err := parseLSN(*restart)
	if err != nil {
		return "", err
	}
	if at > since {
		return fmt.Sprintf("the server has kept the WAL since %s and the newest backup at the destination ends at %s", at, since), nil
	}
	return "", nil
}

// take makes the slot as a copy of one that keeps enough, unless there is a good one.
func (s walSlot) take(ctx context.Context, from string, since lsn) (made bool, err error) {
	why, err := s.lacks(ctx, since)
	if err != nil || why == "" {
		return false, err
	}
	if err := s.drop(ctx); err != nil {
		return false, err
	}
	_, err = s.conn.Exec(ctx, "SELECT pg_copy_physical_replication_slot($1, $2, false)", from, s.name)
	return err == nil, err
}

// advance lets the server remove what a backup has now.
func (s walSlot) advance(ctx context.Context, to lsn) error {
	if _, err := s.conn.Exec(ctx, "SELECT pg_replication_slot_advance($1, $2::text::pg_lsn)", s.name, to.String()); err != nil {
		return err
	}
	return s.trim(ctx, maxSlots)
}

// trim drops the slots of all destinations that serve no backup, and of the others
// those behind the first few.
func (s walSlot) trim(ctx context.Context, keep int) error {
	const query = `SELECT pg_drop_replication_slot(slot_name) FROM (
  SELECT slot_name, wal_status, restart_lsn, row_number() OVER (ORDER BY restart_lsn DESC NULLS LAST) AS place
  FROM pg_replication_slots WHERE starts_with(slot_name::text, $1)) AS ours
WHERE restart_lsn IS NULL OR wal_status = 'lost' OR place > $2`
	_, err := s.conn.Exec(ctx, query, slotPrefix, keep)
	return err
}

// drop the slot if it is there.
func (s walSlot) drop(ctx context.Context) error {
	_, err := s.conn.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", s.name)
	return err
}
