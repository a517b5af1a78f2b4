// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Files of a physical backup.
const (
	// baseFile is pg_basebackup's, with the WAL that it takes to recover it.
	baseFile = "base.tar"
	// manifestFile is what the server says of baseFile; an incremental backup
	// continues that.
	manifestFile = "backup_manifest"
)

// propertyLineage in a manifest: see lineageFile.
const propertyLineage = "lineage"

// physicalBackup copies the whole server, or what has changed since.
type physicalBackup struct{ unit }

// Abandon implements operations.Abandoner.
func (a physicalBackup) Abandon(context.Context, operations.Op) error { return a.clearVerify() }

// Run implements operations.Action.
func (a physicalBackup) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.PhysicalBackup](op)
	if err != nil {
		return nil, err
	}
	conn, err := a.session(ctx, home)
	if err != nil {
		return nil, err
	}
	defer postgresql.Disconnect(ctx, conn)
	t, err := a.prepare(ctx, op, conn, p)
	switch {
	case err != nil:
		return nil, err
	case p.BackupType != operation.Incremental:
		return t.full(ctx)
	case t.major >= firstSummaries:
		return t.changes(ctx)
	}
	return t.wal(ctx)
}

// Majors from which there are incremental backups: by slots that do not fill the
// volume, and by the server itself.
const (
	firstBoundedSlots = 13
	firstSummaries    = 17
)

// taking is a physical backup on its way.
type taking struct {
	unit
	op       operations.Op
	conn     *pgx.Conn
	major    int
	observed engine.Observation
	lineage  string
	leftOut  []string
	// slot that keeps the WAL of a copy.
	slot     string
	store    backup.Store
	location backup.Location
	d        destination
}

// prepare learns of the server and the destination what every kind of backup needs.
func (a physicalBackup) prepare(ctx context.Context, op operations.Op, conn *pgx.Conn, p *operation.PhysicalBackup) (*taking, error) {
	t := &taking{unit: a.unit, op: op, conn: conn, d: destination{
		address: p.Destination, compression: p.Compression, encryption: p.Encryption, retention: p.Retention,
		kind: backup.Physical, backupType: p.BackupType, parallel: p.Parallel,
	}}
	var err error
	if t.major, err = postgresql.MajorOf(conn); err != nil {
		return nil, err
	}
	if p.BackupType == operation.Incremental && t.major < firstBoundedSlots {
		return nil, operations.Failed("Unsupported", "incremental physical backups need PostgreSQL %d or later and this server is %d: take full backups", firstBoundedSlots, t.major)
	}
	if err := noTablespaces(ctx, conn); err != nil {
		return nil, err
	}
	if t.store, t.location, err = open(ctx, op, p.Destination); err != nil {
		return nil, err
	}
	if t.observed, err = a.Engine.Observe(ctx); err != nil {
		return nil, err
	}
	if t.leftOut, err = a.unlogged(ctx, conn); err != nil {
		return nil, err
	}
	if t.lineage, err = lineage(a.Env.DataDir()); err != nil || !p.Verify {
		return t, err
	}
	t.d.verify = &summing{kind: backup.Physical}
	t.d.verify.sums, err = t.d.verify.of(ctx, op, a.unit)
	return t, err
}

// begin the backup in the store.
func (t *taking) begin(ctx context.Context) (*backup.Writer, error) {
	w, err := t.create(ctx, t.op, t.store, t.location, t.d)
	if err != nil {
		return nil, err
	}
	w.Meta.EngineVersion, w.Meta.SystemID = t.observed.Version, t.observed.SystemID
	if t.lineage != "" {
		w.Meta.Properties[propertyLineage] = t.lineage
	}
	recordLeftOut(&w.Meta, t.leftOut)
	return w, nil
}

// unlogged tables are in no physical copy but for their definitions, since no recovery
// could bring their rows back.
func (u unit) unlogged(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	databases, err := list(ctx, conn, "SELECT datname::text FROM pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY 1")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, database := range databases {
		inside, err := u.session(ctx, database)
		if err != nil {
			return nil, err
		}
		tables, err := list(ctx, inside, "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'u' ORDER BY 1")
		postgresql.Disconnect(ctx, inside)
		if err != nil {
			return nil, err
		}
		for _, table := range tables {
			out = append(out, "the rows of "+database+"."+table+" (it is unlogged)")
		}
	}
	return out, nil
}

// full takes all of the server.
func (t *taking) full(ctx context.Context) (map[string]string, error) {
	temporary, err := t.hold(ctx)
	if err != nil {
		return nil, err
	}
	w, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }()
	if err := t.copy(ctx, w); err != nil {
		return nil, err
	}
	if t.major < firstBoundedSlots || t.major >= firstSummaries {
		return t.complete(ctx, w)
	}
	return t.commitWithSlot(ctx, w, temporary)
}

func (t *taking) complete(ctx context.Context, w *backup.Writer) (map[string]string, error) {
	m, result, err := t.commit(ctx, w)
	if err != nil {
		return nil, err
	}
	return t.finish(ctx, t.op, t.store, m, t.d, result)
}

// commit makes the backup exist. The server need not keep the WAL of the copy meanwhile: what
// cannot be dropped goes with the session.
func (t *taking) commit(ctx context.Context, w *backup.Writer) (*backup.Manifest, map[string]string, error) {
	_ = walSlot{conn: t.conn, name: t.slot}.drop(ctx)
	return t.unit.commit(ctx, t.op, w, t.d)
}

// hold makes the server keep the WAL that is fetched at the end of a copy. The slot
// ends with the session.
func (t *taking) hold(ctx context.Context) (slot string, err error) {
	const query = "SELECT slot_name::text FROM pg_create_physical_replication_slot('unit_agent_backup_' || pg_backend_pid(), true, true)"
	if err := t.conn.QueryRow(ctx, query).Scan(&slot); err != nil {
		return "", operations.Failed("NoSlot", "the server keeps no WAL for the backup: %w", err)
	}
	t.slot = slot
	return slot, nil
}

// whileHeld copies for as long as the server keeps the WAL. It ends the session of a slot that
// would keep too much, and pg_basebackup would find out when all else is copied.
func (t *taking) whileHeld(ctx context.Context, copy func(context.Context) error) error {
	watched, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(lookForLocks)
		defer ticker.Stop()
		for {
			select {
			case <-watched.Done():
				return
			case <-ticker.C:
				if err := t.held(watched); err != nil {
					cancel(err)
				}
			}
		}
	})
	err := copy(watched)
	cancel(nil)
	watching.Wait()
	if err != nil && ctx.Err() == nil {
		err = cmp.Or(t.held(ctx), err)
	}
	return err
}

// held fails if the slot is gone. What else is wrong pg_basebackup finds out.
func (t *taking) held(ctx context.Context) error {
	conn, err := t.session(ctx, home)
	if err != nil {
		return nil
	}
	defer postgresql.Disconnect(ctx, conn)
	slots, err := list(ctx, conn, "SELECT slot_name::text FROM pg_replication_slots WHERE slot_name = $1", t.slot)
	if err != nil || len(slots) > 0 {
		return nil
	}
	return operations.Failed("NoSlot", "the server has removed WAL that the backup needs: while it was copied more was written than max_slot_wal_keep_size lets a slot keep; a larger one, or a time with fewer writes, lets it come to its end")
}

// noTablespaces fails where one stream does not hold the server.
func noTablespaces(ctx context.Context, conn *pgx.Conn) error {
	names, err := list(ctx, conn, "SELECT spcname::text FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1")
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return operations.Failed("Tablespaces", "the server has tablespaces of its own (%s), which physical copies cannot hold: logical-backup can", strings.Join(names, ", "))
	}
	return nil
}

// copy streams the server into the backup.
func (t *taking) copy(ctx context.Context, w *backup.Writer, more ...string) error {
	var size int64
	if err := t.conn.QueryRow(ctx, "SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database").Scan(&size); err != nil {
		return err
	}
	args := append([]string{"--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--label=unit-agent", "--no-password"}, more...)
	w.Meta.Tool = t.version(ctx, t.op, "pg_basebackup")
	scan := newTarScan(func(r io.Reader) error {
		return file(w, manifestFile, func(to io.Writer) error { _, err := io.Copy(to, r); return err })
	})
	progress := &reporter{op: t.op, text: "copying the server", total: size}
	err := file(w, baseFile, func(to io.Writer) error {
		err := t.whileHeld(ctx, func(ctx context.Context) error {
			cmd, err := t.localTool(ctx, t.op, "postgres", "pg_basebackup", args...)
			if err != nil {
				return err
			}
			return pipe.Run(ctx, cmd, nil, io.MultiWriter(to, progress, scan))
		})
		if scanErr := scan.end(err); err == nil {
			err = scanErr
		}
		return err
	})
	if err != nil {
		return err
	}
	w.Meta.StartLSN, w.Meta.StopLSN, w.Meta.Timeline = scan.startLSN, scan.stopLSN, scan.timeline
	if w.Meta.StartLSN == "" {
		return operations.Failed("BackupIncomplete", "pg_basebackup has written no backup_label")
	}
	return nil
}

var (
	labelPattern = regexp.MustCompile(`(?m)^START WAL LOCATION: ([0-9A-F]+/[0-9A-F]+) `)
	linePattern  = regexp.MustCompile(`(?m)^START TIMELINE: (\d+)`)
	rangePattern = regexp.MustCompile(`"Timeline": (\d+), "Start-LSN": "([0-9A-F/]+)", "End-LSN": "([0-9A-F/]+)"`)
)

// readLabel takes what is to be known from backup_label.
func (s *tarScan) readLabel(content []byte) error {
	start, line := labelPattern.FindSubmatch(content), linePattern.FindSubmatch(content)
	if start == nil {
		return fmt.Errorf("backup_label says no start")
	}
	s.startLSN = string(start[1])
	if line != nil {
		s.timeline, _ = strconv.Atoi(string(line[1]))
	}
	return nil
}
