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
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

const agentUser = engine.AgentUser

// dumpFile of a logical backup.
const dumpFile = "dump.sql"

// propertySkipTables of a manifest: the globs by which tables were left out.
const propertySkipTables = "skipTables"

// logicalBackup dumps databases as statements, or stores the binary logs since.
type logicalBackup struct{ unit }

// Run implements operations.Action.
func (a logicalBackup) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.LogicalBackup](op)
	if err != nil {
		return nil, err
	}
	d := destination{
		address: p.Destination, compression: p.Compression, encryption: p.Encryption, retention: p.Retention,
		kind: backup.Logical, backupType: p.BackupType,
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
	if p.BackupType == operation.Incremental {
		if err := replayable(ctx, s); err != nil {
			return nil, err
		}
		return a.incremental(ctx, op, s, store, location, d)
	}
	return a.full(ctx, op, s, store, location, d, p)
}

func (a logicalBackup) full(ctx context.Context, op operations.Op, s *session, store backup.Store, location backup.Location, d destination, p *operation.LogicalBackup) (map[string]string, error) {
	before, err := definitions(ctx, s)
	if err != nil {
		return nil, err
	}
	args, err := planDump(ctx, s, p)
	if err != nil {
		return nil, err
	}
	why, err := obstacle(ctx, s, p, args)
	if err != nil {
		return nil, err
	}
	broken, leftOut, err := brokenViews(ctx, s, args.databases, args.skip)
	if err != nil {
		return nil, err
	}
	if args.skip = append(args.skip, broken...); why == "" && len(broken) > 0 {
		why = "there were views that no dump can hold, and binary logs may change them: " + strings.Join(broken, ", ")
	}

	w, err := a.create(ctx, op, store, location, d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }()
	if err := describe(ctx, s, &w.Meta); err != nil {
		return nil, err
	}
	if err := recordSizes(ctx, s, &w.Meta, args); err != nil {
		return nil, err
	}
	recordLeftOut(&w.Meta, leftOut)
	w.Meta.Databases, w.Meta.Tool = args.databases, a.version(ctx, op, "mysqldump")
	if len(p.SkipTables) > 0 {
		w.Meta.Properties[propertySkipTables] = strings.Join(p.SkipTables, ",")
	}
	if err := file(w, dumpFile, func(to io.Writer) error {
		w.Meta.GTIDExecuted, err = a.dump(ctx, op, args, to)
		return err
	}); err != nil {
		return nil, err
	}
	if err := saidGTIDs(ctx, s, args, w.Meta.GTIDExecuted); err != nil {
		return nil, err
	}
	if w.Meta.Properties[propertyContinuable], err = judge(ctx, s, why, before); err != nil {
		return nil, err
	}
	result, err := a.commit(ctx, store, w, d)
	if err != nil {
		return nil, err
	}
	tellLeftOut(&w.Meta, result)
	if w.Meta.GTIDExecuted != "" {
		result["gtidExecuted"] = w.Meta.GTIDExecuted
	}
	return result, nil
}

// planDump asks the server for what a dump is to be of.
func planDump(ctx context.Context, s *session, p *operation.LogicalBackup) (args dumpArgs, err error) {
	if args, err = inspectDump(ctx, s); err != nil {
		return args, err
	}
	if args.databases, err = databases(ctx, s, p.Databases); err != nil {
		return args, err
	}
	if len(args.databases) == 0 {
		return args, operations.Failed("NothingToBackUp", "the server has no database of users")
	}
	args.skip, err = skipped(ctx, s, args.databases, p.SkipTables)
	return args, err
}

// saidGTIDs fails if the dump of a server with GTIDs did not say which it has.
func saidGTIDs(ctx context.Context, s *session, args dumpArgs, said string) error {
	if !args.gtids || said != "" {
		return nil
	}
	// An empty set is right for a server that has logged nothing.
	executed, err := s.value(ctx, "SELECT @@global.gtid_executed")
	if err == nil && executed != "" {
		err = operations.Failed("ToolFailed", "mysqldump did not say at which GTIDs its dump was taken")
	}
	return err
}

// dump runs mysqldump and returns the GTIDs that its dump says it was taken at.
func (a logicalBackup) dump(ctx context.Context, op operations.Op, args dumpArgs, to io.Writer) (string, error) {
	cmd, err := a.tool(ctx, op, "mysqldump", append(a.local(), args.arguments()...)...)
	if err != nil {
		return "", err
	}
	writers := []io.Writer{to, &reporter{op: op, text: "dumping"}}
	g := newGTIDReader()
	if args.gtids {
		writers = append(writers, g)
	}
	if err := pipe.Run(ctx, cmd, nil, io.MultiWriter(writers...)); err != nil {
		return "", err
	}
	return g.set, g.dump.Close()
}

// gtidReader finds the statement of a dump that sets gtid_purged. There is one, before
// the data: what follows it need not be read.
type gtidReader struct {
	dump *dumpReader
	set  string
}

func newGTIDReader() *gtidReader {
	g := &gtidReader{}
	g.dump = newDumpReader(io.Discard, g.decide)
	return g
}

// Write implements io.Writer.
func (g *gtidReader) Write(p []byte) (int, error) {
	if g.set != "" {
		return len(p), nil
	}
	return g.dump.Write(p)
}

var gtidStatement = []byte("SET @@GLOBAL.GTID_PURGED=")

func (g *gtidReader) decide(statement []byte, _ bool) (verdict, []byte) {
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
