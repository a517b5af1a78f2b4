// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"io"
	"regexp"
	"slices"
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
		if err := d.begin(ctx, op, s, p.Verify, summing{kind: d.kind}); err != nil {
			return nil, err
		}
		return a.incremental(ctx, op, s, store, location, d)
	}
	return a.full(ctx, op, s, store, location, d, p)
}

// Abandon implements operations.Abandoner. What lies in the store the next backup removes.
func (a logicalBackup) Abandon(_ context.Context, op operations.Op) error { return a.clearVerify(op) }

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

	summed := summing{kind: d.kind, databases: args.databases, skip: args.skip}
	if p.Verify && (args.logs || args.gtids) {
		if args.snapshot, err = a.session(ctx, false); err != nil {
			return nil, err
		}
		defer args.snapshot.close()
		summed.engines = " AND t.engine <> 'InnoDB'"
	}
	if err := d.begin(ctx, op, s, p.Verify, summed); err != nil {
		return nil, err
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
	inexact, err := inexactColumns(ctx, s, args.databases, args.skip)
	if err != nil {
		return nil, err
	}
	shared, err := sharedFiles(ctx, s, args.databases)
	if err != nil {
		return nil, err
	}
	recordLeftOut(&w.Meta, slices.Concat(leftOut, inexact, shared))
	w.Meta.Databases, w.Meta.Tool = args.databases, a.version(ctx, op, "mysqldump")
	if len(p.SkipTables) > 0 {
		w.Meta.Properties[propertySkipTables] = strings.Join(p.SkipTables, ",")
	}
	var ended []statement
	if err := file(w, dumpFile, func(to io.Writer) error {
		w.Meta.GTIDExecuted, ended, err = a.dump(ctx, op, s, args, to)
		return err
	}); err != nil {
		return nil, err
	}
	if args.snapshot != nil {
		summed.engines, summed.transaction = " AND t.engine = 'InnoDB'", true
		if d.verify.snapshot, err = summed.of(ctx, op, args.snapshot); err != nil {
			return nil, err
		}
		// Verifying takes long, and old versions of rows are kept for it.
		args.snapshot.close()
	}
	if w.Meta.Properties[propertyContinuable], err = judge(ctx, s, why, before); err != nil {
		return nil, err
	}
	result, err := a.commit(ctx, op, s, store, w, d)
	if err != nil {
		return nil, err
	}
	if len(ended) > 0 {
		result["message"] += "; clients would have waited behind what was ended for them: " + sayStatements(ended)
	}
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

// dump runs mysqldump and returns the GTIDs that its dump was taken at, and whose
// statements were ended for its lock.
func (a logicalBackup) dump(ctx context.Context, op operations.Op, s *session, args dumpArgs, to io.Writer) (set string, ended []statement, err error) {
	to = io.MultiWriter(to, &reporter{op: op, text: "dumping"})
	err = dumpQuietly(ctx, op, s, quietPatience, func() error {
		at, more, err := a.runDump(ctx, op, s, args, to)
		set, ended = at.gtids, append(ended, more...)
		return err
	})
	return set, ended, whileDumping(err)
}

// lostByTool are mysqldump's words for a server that has ended.
var lostByTool = regexp.MustCompile(`(?i)(error:? |\()(1053|2002|2006|2013)\b`)

// whileDumping gives the failure its reason if the server has ended.
func whileDumping(err error) error {
	if err != nil && operations.ReasonOf(err) == pipe.ReasonToolFailed && lostByTool.MatchString(err.Error()) {
		return operations.Failed(operation.ReasonServerNotRunning, "the server has ended while it was dumped: %w", err)
	}
	return withServerGone(err)
}

var gtidStatement = []byte("SET @@GLOBAL.GTID_PURGED=")
