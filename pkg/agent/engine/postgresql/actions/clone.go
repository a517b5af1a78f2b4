// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// clone copies another server over the network: all of it, or some of its databases.
type clone struct{ unit }

var (
	_ operations.Abandoner = clone{}
	_ operations.Recoverer = clone{}
)

// Run implements operations.Action.
func (a clone) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	if phase, _ := op.Phase(); phase != "" {
		return restore(a).conclude(ctx, op)
	}
	p, err := params[*operation.Clone](op)
	if err != nil {
		return nil, err
	}
	if err := a.noStandby(ctx); err != nil {
		return nil, err
	}
	r, err := a.remote(op, p.SourceHost, p.SourcePort, p.SourceUser)
	if err != nil {
		return nil, err
	}
	if len(p.Databases) > 0 || len(p.SkipTables) > 0 {
		return a.databases(ctx, op, p, r)
	}
	return a.server(ctx, op, p, r)
}

// Recover implements operations.Recoverer.
func (a clone) Recover(phase string) operations.Recovery { return recovery(phase) }

// Abandon implements operations.Abandoner.
func (a clone) Abandon(ctx context.Context, op operations.Op) error { return a.abandon(ctx, op) }

// server copies all of it, by pg_basebackup.
func (a clone) server(ctx context.Context, op operations.Op, p *operation.Clone, r remote) (map[string]string, error) {
	conn, err := r.connect(ctx, home)
	if err != nil {
		return nil, err
	}
	defer postgresql.Disconnect(ctx, conn)
	size, err := r.copyable(ctx, conn)
	if err != nil {
		return nil, err
	}
	system, err := systemOf(ctx, conn)
	if err != nil {
		return nil, err
	}
	result := map[string]string{"sourceSystemID": system, "message": "cloned from " + r.address()}
	return a.replaceServer(ctx, op, replacement{overwrite: p.Overwrite, need: size + size/10, result: result, build: func(ctx context.Context) error {
		return r.copy(ctx, op, a.sideData(), size)
	}})
}

// databases copies some, or all without some tables, by pg_dump into pg_restore.
func (a clone) databases(ctx context.Context, op operations.Op, p *operation.Clone, r remote) (map[string]string, error) {
	conn, err := r.connect(ctx, home)
	if err != nil {
		return nil, err
	}
	described, leftOut, err := describe(ctx, conn, p.Databases)
	postgresql.Disconnect(ctx, conn)
	if err != nil {
		return nil, err
	}
	l := loading{progress: &reporter{op: op}}
	for _, d := range described {
		if d.Closed {
			// Only its own server could open it.
			leftOut = append(leftOut, d.Name+" (it takes no connections: ALTER DATABASE ... ALLOW_CONNECTIONS true)")
			continue
		}
		l.progress.total += d.SizeOnDisk
		l.databases = append(l.databases, loaded{database: d, target: d.Name, load: func(ctx context.Context, temporary string) error {
			excluded, err := r.excluded(ctx, d.Name, p.SkipTables)
			if err != nil {
				return err
			}
			return a.copyDatabase(ctx, op, r, d.Name, excluded, temporary, l.progress)
		}})
	}
	l.roles = func(ctx context.Context) error { return a.copyRoles(ctx, r) }
	result, err := a.exchangeDatabases(ctx, op, l, p.Overwrite)
	if err != nil {
		return nil, err
	}
	result["message"] = fmt.Sprintf("cloned from %s: %s%s", r.address(), result["databases"], result["message"])
	tellLeftOut(result, leftOut)
	return result, nil
}

func (r remote) excluded(ctx context.Context, database string, globs []string) ([]string, error) {
	if len(globs) == 0 {
		return nil, nil
	}
	conn, err := r.connect(ctx, database)
	if err != nil {
		return nil, err
	}
	defer postgresql.Disconnect(ctx, conn)
	return excludedTables(ctx, conn, database, globs)
}

// copyDatabase pipes one into the other. Both must end well.
func (a clone) copyDatabase(ctx context.Context, op operations.Op, r remote, name string, excluded []string, temporary string, progress io.Writer) error {
	args := []string{"--format=custom", "--compress=0", "--no-password"}
	for _, table := range excluded {
		args = append(args, "--exclude-table="+table)
	}
	dump, err := a.tool(ctx, op, r.env(name), "pg_dump", args...)
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	var dumpErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		dumpErr = pipe.Run(ctx, dump, nil, io.MultiWriter(writer, progress), r.password)
		// The end of the stream is one only if the dump is whole.
		writer.CloseWithError(dumpErr)
	})
	restoreErr := a.pgRestore(ctx, op, reader, temporary)
	reader.CloseWithError(errors.Join(restoreErr, io.ErrClosedPipe))
	wg.Wait()
	if restoreErr != nil {
		return restoreErr
	}
	return dumpErr
}

// copyRoles makes the roles of the source that this server lacks, without passwords
// where the source does not show them.
func (a clone) copyRoles(ctx context.Context, r remote) error {
	from, err := r.connect(ctx, home)
	if err != nil {
		return err
	}
	g, err := readGlobals(ctx, from)
	postgresql.Disconnect(ctx, from)
	if err != nil {
		return fmt.Errorf("reading the roles of %s: %w", r.host, err)
	}
	conn, err := a.quietSession(ctx, home)
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, conn)
	return restoreRoles(ctx, conn, g)
}
