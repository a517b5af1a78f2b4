// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// loadDir is the side directory of a load: what of a dump is made after its tables.
const loadDir = "load"

func (u unit) programsFile() string {
	return filepath.Join(u.Env.SideDir(loadDir), "programs.sql.zst")
}

func (u unit) clearLoad() error {
	if err := os.RemoveAll(u.Env.SideDir(loadDir)); err != nil {
		return fmt.Errorf("removing what a load laid beside: %w", err)
	}
	return nil
}

// programsWriter lays statements alongside the data. When its Close returns nil they are
// durable.
type programsWriter struct {
	unit
	file *os.File
	z    *zstd.Encoder
}

func (u unit) createPrograms() (*programsWriter, error) {
	if err := u.clearLoad(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(u.Env.SideDir(loadDir), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(u.programsFile(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	// A small window and one worker: the agent has little memory.
	z, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(programsWindow),
		zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	return &programsWriter{u, f, z}, err
}

const programsWindow = 1 << 20

func (w *programsWriter) Write(p []byte) (int, error) { return w.z.Write(p) }

func (w *programsWriter) Close() error {
	err := errors.Join(w.z.Close(), w.file.Sync(), w.file.Close())
	return errors.Join(err, w.Files.SyncDir(filepath.Dir(w.programsFile())), w.Files.SyncDir(w.Env.AgentDir()))
}

// programs makes what lies alongside, statement by statement.
type programs struct {
	// names of the databases that it is made in, by those in the dump.
	names map[string]string
	// proof: only what a server can be asked to take without its being looked through
	// or run is made.
	proof bool
	// final: the tables are in their places, and nothing that is refused now, though it
	// was taken when it was proven, takes them out again.
	final bool
	// left are the objects that could not be made, and why.
	left []string

	ctx context.Context //nolint:containedctx // of one run, whose statements come by a callback
	u   unit
	s   *session
	in  string
}

// run makes all of it in a session of its own, whose settings the dump changes.
func (p *programs) run(ctx context.Context, u unit, logged bool) error {
	f, err := os.Open(u.programsFile())
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderMaxWindow(programsWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer z.Close()
	if p.s, err = u.loadSession(ctx, logged); err != nil {
		return err
	}
	defer p.s.close()
	p.ctx, p.u = ctx, u
	var failed error
	reader := newDumpReader(io.Discard, nil)
	reader.decide = func(statement []byte, ended bool) (verdict, []byte) {
		if ended && failed == nil {
			failed = p.execute(string(statement[:len(statement)-len(trailing(statement, reader.delimiter))]))
		}
		return whole, nil
	}
	_, err = io.Copy(reader, z)
	if err == nil {
		err = reader.Close()
	}
	return errors.Join(failed, err)
}

// trailing is the delimiter at a statement's end; empty if it has none.
func trailing(statement, delimiter []byte) []byte {
	if n := len(statement) - len(delimiter); n >= 0 && string(statement[n:]) == string(delimiter) {
		return statement[n:]
	}
	return nil
}

// execute one statement. Views and events that the server refuses do not keep the data
// from coming back: a view may be of tables that are not there, and it is named.
func (p *programs) execute(statement string) error {
	if err := context.Cause(p.ctx); err != nil {
		return err
	}
	o := objectOf([]byte(statement))
	switch {
	case o.verb == "USE" || o.verb == "ALTER" && o.isDatabase():
		to := p.names[o.name]
		if o.verb == "USE" {
			p.in = to
		}
		return p.s.exec(p.ctx, string(renamed([]byte(statement), to)))
	case p.proof && (o.kind == kindView || o.kind == kindEvent):
		return nil
	}
	if !o.isProgram() {
		return p.s.exec(p.ctx, statement)
	}
	// Clients may have the tables in use already.
	err := p.insist(statement)
	if number(err) == errTriggerExists && o.kind == kindTrigger {
		// Of a table that stayed, or of an earlier try.
		if err = p.insist("DROP TRIGGER " + tableName(p.in, o.name)); err == nil {
			err = p.insist(statement)
		}
	}
	if err == nil || operations.ReasonOf(err) == operation.ReasonLocked {
		return err
	}
	if number(err) == 0 {
		return withServerGone(err)
	}
	what := strings.ToLower(o.kind) + " " + p.in + "." + o.name
	if !p.final && o.kind != kindView && o.kind != kindEvent {
		return operations.Failed("Refused", "the server refuses the %s of the dump: %w", what, err)
	}
	if o.verb == "CREATE" {
		p.left = append(p.left, fmt.Sprintf("%s (%s)", what, err))
	}
	return nil
}

func (p *programs) insist(statement string) error {
	return p.u.insist(p.ctx, p.s, []string{p.in}, func() error { return p.s.exec(p.ctx, statement) }, nil)
}

const errTriggerExists = 1359

// notMade names the objects that are not there in the end: a view that was refused may
// have been made by a later try.
func (p *programs) notMade() []string {
	slices.Sort(p.left)
	return slices.Compact(p.left)
}

// programsOf a database that hold no rows.
func programsOf(ctx context.Context, s *session, database string) ([]object, error) {
	queries := []string{
		"SELECT 'VIEW' AS k, table_name AS n FROM information_schema.tables WHERE table_schema = ? AND table_type = 'VIEW'",
		"SELECT 'TRIGGER' AS k, trigger_name AS n FROM information_schema.triggers WHERE trigger_schema = ?",
		"SELECT routine_type AS k, routine_name AS n FROM information_schema.routines WHERE routine_schema = ? AND routine_type IN ('PROCEDURE', 'FUNCTION')",
		"SELECT 'EVENT' AS k, event_name AS n FROM information_schema.events WHERE event_schema = ?",
		"SELECT 'LIBRARY' AS k, library_name AS n FROM information_schema.libraries WHERE library_schema = ?",
	}
	var out []object
	for _, q := range queries {
		rows, err := s.rows(ctx, q, database)
		if number(err) == errUnknownTable {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out = append(out, object{kind: r.byName["k"], name: r.byName["n"]})
		}
	}
	return out, nil
}

// dropPrograms of a database.
func (u unit) dropPrograms(ctx context.Context, s *session, database string) error {
	all, err := programsOf(ctx, s, database)
	if err != nil {
		return err
	}
	for _, o := range all {
		statement := "DROP " + o.kind + " IF EXISTS " + tableName(database, o.name)
		if err := u.insist(ctx, s, []string{database}, func() error { return s.exec(ctx, statement) }, nil); err != nil {
			return err
		}
	}
	return nil
}
