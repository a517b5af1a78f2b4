// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

const agentUser = engine.AgentUser

// dumpFile of a logical backup.
const dumpFile = "dump.sql"

// propertySkipTables of a manifest: the globs by which tables were left out.
const propertySkipTables = "skipTables"

// logicalBackup dumps databases as statements.
type logicalBackup struct{ unit }

// Run implements operations.Action.
func (a logicalBackup) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.LogicalBackup](op)
	if err != nil {
		return nil, err
	}
	if p.BackupType == operation.Incremental {
		return nil, operations.Failed("Unsupported", "an incremental backup continues a physical one: the action %s with backupType incremental takes it", operation.ActionPhysicalBackup)
	}
	d := destination{
		address: p.Destination, compression: p.Compression, encryption: p.Encryption, retention: p.Retention,
		kind: backup.Logical, backupType: operation.Full,
	}
	store, location, err := open(ctx, op, d.address)
	if err != nil {
		return nil, err
	}
	s, err := a.session(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	args, version, err := inspectDump(ctx, s)
	if err != nil {
		return nil, err
	}
	if args.databases, err = databases(ctx, s, p.Databases); err != nil {
		return nil, err
	}
	if len(args.databases) == 0 {
		return nil, operations.Failed("NothingToBackUp", "the server has no database of users")
	}
	if args.skip, err = skipped(ctx, s, args.databases, p.SkipTables); err != nil {
		return nil, err
	}
	systemID, err := s.value(ctx, "SELECT @@global.server_uuid")
	if err != nil {
		return nil, err
	}

	w, err := a.create(ctx, op, store, location, d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }()
	w.Meta.EngineVersion, w.Meta.SystemID, w.Meta.Databases = version, systemID, args.databases
	w.Meta.Tool = a.version(ctx, op, "mysqldump")
	if len(p.SkipTables) > 0 {
		w.Meta.Properties[propertySkipTables] = strings.Join(p.SkipTables, ",")
	}
	if err := file(w, dumpFile, func(to io.Writer) error {
		w.Meta.GTIDExecuted, err = a.dump(ctx, op, args, to)
		return err
	}); err != nil {
		return nil, err
	}
	if args.gtids && w.Meta.GTIDExecuted == "" {
		// An empty set is right for a server that has logged nothing.
		executed, err := s.value(ctx, "SELECT @@global.gtid_executed")
		if err != nil {
			return nil, err
		}
		if executed != "" {
			return nil, operations.Failed("ToolFailed", "mysqldump did not say at which GTIDs its dump was taken")
		}
	}
	result, err := a.commit(ctx, store, w, d)
	if err == nil && w.Meta.GTIDExecuted != "" {
		result["gtidExecuted"] = w.Meta.GTIDExecuted
	}
	return result, err
}

// dump runs mysqldump and returns the GTIDs that its dump says it was taken at.
func (a logicalBackup) dump(ctx context.Context, op operations.Op, args dumpArgs, to io.Writer) (string, error) {
	cmd, err := a.tool(ctx, op, "mysqldump", append(a.local(), args.arguments()...)...)
	if err != nil {
		return "", err
	}
	g := &gtidReader{}
	reader := newDumpReader(io.Discard, g.decide)
	progress := &reporter{op: op, text: "dumping"}
	if err := runPipe(ctx, cmd, nil, io.MultiWriter(to, reader, progress)); err != nil {
		return "", err
	}
	return g.set, reader.Close()
}

// gtidReader finds the statement of a dump that sets gtid_purged.
type gtidReader struct{ set string }

var gtidStatement = []byte("SET @@GLOBAL.GTID_PURGED=")

func (g *gtidReader) decide(statement []byte) (verdict, []byte) {
	if !bytes.HasPrefix(statement, gtidStatement) {
		return drop, nil
	}
	g.set = gtidSetOf(string(statement))
	return whole, nil
}

var gtidLiteral = regexp.MustCompile(`(?s)'([0-9a-fA-F][^']*)'`)

// gtidSetOf reads SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '<set>'; on one line.
func gtidSetOf(statement string) string {
	m := gtidLiteral.FindStringSubmatch(statement)
	if m == nil {
		return ""
	}
	return strings.Join(strings.Fields(m[1]), "")
}
