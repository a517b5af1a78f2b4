// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/backup"
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

const reasonChain = backup.ReasonChain

// physicalBackup copies the whole server.
type physicalBackup struct{ unit }

// Run implements operations.Action.
func (a physicalBackup) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.PhysicalBackup](op)
	if err != nil {
		return nil, err
	}
	d := destination{
		address: p.Destination, compression: p.Compression, encryption: p.Encryption, retention: p.Retention,
		kind: backup.Physical, backupType: p.BackupType,
	}
	conn, err := a.session(ctx, "postgres")
	if err != nil {
		return nil, err
	}
	defer postgresql.Disconnect(ctx, conn)
	major, err := postgresql.MajorOf(conn)
	if err != nil {
		return nil, err
	}
	if err := noTablespaces(ctx, conn); err != nil {
		return nil, err
	}
	store, location, err := open(ctx, op, p.Destination)
	if err != nil {
		return nil, err
	}
	observed, err := a.Engine.Observe(ctx)
	if err != nil {
		return nil, err
	}
	origin, err := lineage(a.Env.DataDir())
	if err != nil {
		return nil, err
	}
	args := []string{"--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--label=unit-agent", "--no-password"}
	if p.BackupType == operation.Incremental {
		base, path, err := a.base(ctx, op, conn, major, store, location, observed.SystemID, origin)
		if err != nil {
			return nil, err
		}
		d.base = base.AsBase()
		args = append(args, "--incremental="+path)
	}
	// The WAL of the backup is fetched at its end and must be there still. The slot
	// ends with the session.
	if _, err := conn.Exec(ctx, "SELECT pg_create_physical_replication_slot('unit_agent_backup_' || pg_backend_pid(), true, true)"); err != nil {
		return nil, operations.Failed("NoSlot", "the server keeps no WAL for the backup: %w", err)
	}
	var size int64
	if err := conn.QueryRow(ctx, "SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database").Scan(&size); err != nil {
		return nil, err
	}
	w, err := a.create(ctx, op, store, location, d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }()
	w.Meta.EngineVersion, w.Meta.SystemID = observed.Version, observed.SystemID
	w.Meta.Tool = a.version(ctx, op, "pg_basebackup")
	if origin != "" {
		w.Meta.Properties[propertyLineage] = origin
	}
	if err := a.copy(ctx, op, w, args, size); err != nil {
		if p.BackupType == operation.Incremental && ctx.Err() == nil {
			return nil, brokenChain(err)
		}
		return nil, err
	}
	return a.commit(ctx, store, w, d)
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
func (a physicalBackup) copy(ctx context.Context, op operations.Op, w *backup.Writer, args []string, size int64) error {
	cmd, err := a.tool(ctx, op, a.local("postgres"), "pg_basebackup", args...)
	if err != nil {
		return err
	}
	scan := newTarScan(func(r io.Reader) error {
		return file(w, manifestFile, func(to io.Writer) error { _, err := io.Copy(to, r); return err })
	})
	progress := &reporter{op: op, text: "copying the server", total: size}
	err = file(w, baseFile, func(to io.Writer) error {
		err := runPipe(ctx, cmd, nil, io.MultiWriter(to, progress, scan))
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

// base is the backup that an incremental one continues, and the path of the server's
// manifest of it.
func (a physicalBackup) base(ctx context.Context, op operations.Op, conn *pgx.Conn, major int, store backup.Store, location backup.Location, systemID, origin string) (*backup.Manifest, string, error) {
	if major < 17 {
		return nil, "", operations.Failed("Unsupported", "incremental physical backups need PostgreSQL 17 or later and this server is %d: take full backups", major)
	}
	var summaries string
	if err := conn.QueryRow(ctx, "SELECT current_setting('summarize_wal')").Scan(&summaries); err != nil {
		return nil, "", err
	}
	if summaries != "on" {
		return nil, "", operations.Failed(reasonChain, "summarize_wal is off, so that the server does not know what has changed since a backup: set it on with set-variable, then take a full backup")
	}
	all, _, err := backup.List(ctx, store, location)
	if err != nil {
		return nil, "", withReason(err)
	}
	scope := a.scope(backup.Physical)
	for _, m := range all {
		if m.Scope != scope || m.SystemID != systemID {
			continue
		}
		if m.Properties[propertyLineage] != origin {
			return nil, "", operations.Failed(reasonChain, "the server was restored or cloned since the newest backup at the destination, or that is one of another copy of it: take a full backup")
		}
		if _, err := backup.Chain(ctx, store, m); err != nil {
			return nil, "", operations.Failed(reasonChain, "%w: take a full backup", err)
		}
		path, err := a.baseManifest(ctx, op, store, m)
		return m, path, err
	}
	return nil, "", operations.Failed(reasonChain, "there is no backup of this server at the destination to continue: take a full backup")
}

// baseManifest writes the server's manifest of a backup to a file for pg_basebackup.
func (a physicalBackup) baseManifest(ctx context.Context, op operations.Op, store backup.Store, m *backup.Manifest) (path string, err error) {
	k, err := backup.KeyFrom(op.Secrets())
	if err != nil {
		return "", withReason(err)
	}
	r, err := m.Open(ctx, store, manifestFile, k)
	if err != nil {
		return "", withReason(err)
	}
	defer r.Close()
	path, err = operations.SecretFile(a.Env, op, manifestFile, nil)
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, r)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return path, withReason(err)
}

// gap are the server's words for a base that it cannot continue.
var gap = regexp.MustCompile(`WAL summar|timeline \d+ .*(history|manifest)|not in this server's history|system identifier|manifest requires WAL|could not parse backup manifest`)

// brokenChain gives the failure its reason if what is missing is between the base and
// now.
func brokenChain(err error) error {
	if gap.MatchString(err.Error()) {
		return operations.Failed(reasonChain, "the server cannot continue the backup: take a full backup: %w", err)
	}
	return err
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
