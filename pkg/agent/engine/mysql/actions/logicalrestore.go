// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// logicalPlan is what of a dump goes where.
type logicalPlan struct {
	// names of the databases to restore, by their names in the backup.
	names map[string]string
	// whole: the backup left no table out, so that what it does not have is not to
	// be there.
	whole bool
}

// planLogical decides by the manifest and the parameters alone.
func planLogical(m *backup.Manifest, p *operation.Restore) (logicalPlan, error) {
	plan := logicalPlan{names: map[string]string{}, whole: m.Properties[propertySkipTables] == ""}
	chosen := m.Databases
	if len(p.Databases) > 0 {
		chosen = p.Databases
	}
	for _, name := range chosen {
		if !slices.Contains(m.Databases, name) {
			return plan, operations.Failed("UnknownDatabase", "the backup has no database %q; it has %s", name, strings.Join(m.Databases, ", "))
		}
		plan.names[name] = name
	}
	if p.TargetDatabase == "" {
		return plan, nil
	}
	if len(chosen) != 1 {
		return plan, operations.Failed("InvalidParameters", "targetDatabase takes one database, and the backup holds %d: databases says which", len(chosen))
	}
	if slices.Contains(systemSchemas, strings.ToLower(p.TargetDatabase)) {
		return plan, operations.Failed("InvalidParameters", "targetDatabase: %s belongs to the server", p.TargetDatabase)
	}
	plan.names[chosen[0]] = p.TargetDatabase
	return plan, nil
}

// targets of the plan, sorted.
func (p logicalPlan) targets() []string {
	var out []string
	for _, to := range p.names {
		out = append(out, to)
	}
	slices.Sort(out)
	return out
}

// loader decides what of a dump reaches the server.
type loader struct {
	plan logicalPlan
	// in is the database that the dump is in, empty before the first.
	in string
}

// notLoaded are statements of the server that the dump is of.
var notLoaded = [][]byte{
	gtidStatement,
	[]byte("SET @@SESSION.SQL_LOG_BIN"),
	[]byte("SET @MYSQLDUMP_TEMP_LOG_BIN"),
}

func (l *loader) decide(statement []byte) (verdict, []byte) {
	for _, prefix := range notLoaded {
		if bytes.HasPrefix(statement, prefix) {
			return drop, nil
		}
	}
	for _, prefix := range []string{"USE `", "CREATE DATABASE ", "ALTER DATABASE `"} {
		if !bytes.HasPrefix(statement, []byte(prefix)) {
			continue
		}
		name, from, to := identifier(statement)
		if prefix != "ALTER DATABASE `" {
			l.in = name
		}
		target, wanted := l.plan.names[name]
		if !wanted {
			return drop, nil
		}
		var instead []byte
		instead = append(instead, statement[:from]...)
		instead = append(instead, mysql.Identifier(target)...)
		rest := bytes.TrimRight(statement[to:], "; \n")
		return keep, append(instead, rest...)
	}
	if l.in == "" {
		return keep, nil
	}
	if _, wanted := l.plan.names[l.in]; !wanted {
		return drop, nil
	}
	return keep, nil
}

// identifier is the first name in backticks of a statement, and where it lies.
func identifier(statement []byte) (name string, from, to int) {
	from = bytes.IndexByte(statement, '`')
	if from < 0 {
		return "", 0, 0
	}
	var b strings.Builder
	for i := from + 1; i < len(statement); i++ {
		if statement[i] != '`' {
			b.WriteByte(statement[i])
			continue
		}
		if i+1 < len(statement) && statement[i+1] == '`' {
			b.WriteByte('`')
			i++
			continue
		}
		return b.String(), from, i + 1
	}
	return b.String(), from, len(statement)
}

// restoreLogical loads a dump into the running server.
func (a restore) restoreLogical(ctx context.Context, op operations.Op, p *operation.Restore, m *backup.Manifest, from source) (map[string]string, error) {
	plan, err := planLogical(m, p)
	if err != nil {
		return nil, err
	}
	l, err := a.prepareLoad(ctx, op, plan, p.Overwrite, func() error { return from.verify(ctx, op, m, dumpFile) })
	if err != nil {
		return nil, err
	}
	content, err := from.open(ctx, m, dumpFile)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	if err := l.from(ctx, op, content, fileSize(m, dumpFile)); err != nil {
		return nil, fmt.Errorf("the databases %s are incomplete: %w", strings.Join(plan.targets(), ", "), err)
	}
	if err := a.recordRestored(restored{
		Backup: m.Location().String(), BackupID: m.ID, GTIDExecuted: m.GTIDExecuted, At: now(), Logged: l.logged,
	}); err != nil {
		return nil, err
	}
	return map[string]string{
		"databases": strings.Join(plan.targets(), ","),
		"message":   "restored from " + m.Location().String() + ": " + strings.Join(plan.targets(), ", "),
	}, nil
}

// load of a dump into the running server.
type load struct {
	unit
	plan   logicalPlan
	logged bool
}

// prepareLoad makes room for the databases of the plan. verify, if there is one, is
// asked before anything is dropped.
func (u unit) prepareLoad(ctx context.Context, op operations.Op, plan logicalPlan, overwrite bool, verify func() error) (*load, error) {
	s, err := u.session(ctx, true)
	if err != nil {
		return nil, err
	}
	defer s.close()
	readOnly, err := s.value(ctx, "SELECT @@global.super_read_only")
	if err != nil {
		return nil, err
	}
	if readOnly == "1" {
		return nil, operations.Failed(reasonReadOnly, "the server takes no writes: databases are loaded on the source of a Replication, or on a unit outside one")
	}
	folded, err := s.value(ctx, "SELECT @@global.lower_case_table_names")
	if err != nil {
		return nil, err
	}
	if folded != "0" {
		// The server does so with names; what is compared is to be the same.
		for from, to := range plan.names {
			plan.names[from] = strings.ToLower(to)
		}
	}
	existing, err := existingTargets(ctx, s, plan, overwrite)
	if err != nil {
		return nil, err
	}
	// On a server that has executed nothing the backup's GTIDs are to be purged
	// afterwards, so the load must leave none. Everywhere else it is a change like
	// any other, that replicas and readers of the binary log get.
	executed, err := s.value(ctx, "SELECT @@global.gtid_executed")
	if err != nil {
		return nil, err
	}
	l := &load{u, plan, executed != ""}
	if err := s.exec(ctx, mysql.Session(l.logged)...); err != nil {
		return nil, err
	}
	if len(existing) > 0 && verify != nil {
		if err := verify(); err != nil {
			return nil, err
		}
	}
	if err := op.SetPhase(phaseLoad, nil); err != nil {
		return nil, err
	}
	if plan.whole {
		for _, name := range existing {
			if err := s.exec(ctx, "DROP DATABASE IF EXISTS "+mysql.Identifier(name)); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

// existingTargets are databases that the restore would replace. It fails if it may
// not.
func existingTargets(ctx context.Context, s *session, plan logicalPlan, overwrite bool) ([]string, error) {
	rows, err := s.rows(ctx, `SELECT schema_name AS d, EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = schema_name)
  OR EXISTS (SELECT 1 FROM information_schema.routines WHERE routine_schema = schema_name) AS used
FROM information_schema.schemata`)
	if err != nil {
		return nil, err
	}
	var out, used []string
	for _, r := range rows {
		if !slices.Contains(plan.targets(), r.byName["d"]) {
			continue
		}
		out = append(out, r.byName["d"])
		if r.byName["used"] == "1" {
			used = append(used, r.byName["d"])
		}
	}
	if len(used) > 0 && !overwrite {
		return nil, operations.Failed("WouldOverwrite", "there is data in %s: overwrite: \"true\" replaces it, targetDatabase goes beside it", strings.Join(used, ", "))
	}
	return out, nil
}

// from gives a dump to the client mysql.
func (l *load) from(ctx context.Context, op operations.Op, dump io.Reader, total int64) error {
	initial := "SET SESSION sql_log_bin = 0"
	if l.logged {
		initial = "SET SESSION sql_log_bin = 1"
	}
	// binary-mode: the client obeys nothing in the dump but its delimiters.
	cmd, err := l.tool(ctx, op, "mysql", append(l.local(), "--binary-mode", "--comments", "--default-character-set=utf8mb4",
		"--max-allowed-packet=1G", "--init-command="+initial)...)
	if err != nil {
		return err
	}
	in, out := io.Pipe()
	filtered := make(chan error, 1)
	go func() {
		reader := newDumpReader(out, (&loader{plan: l.plan}).decide)
		_, err := io.Copy(io.MultiWriter(reader, &reporter{op: op, text: "loading", total: total}), dump)
		if err == nil {
			err = reader.Close()
		}
		out.CloseWithError(err)
		filtered <- err
	}()
	err = runPipe(ctx, cmd, in, nil)
	in.CloseWithError(errClientEnded)
	if readErr := <-filtered; readErr != nil && !errors.Is(readErr, errClientEnded) {
		return withReason(readErr)
	}
	return err
}

// fromProcess gives what a program writes to the client mysql; both must end well.
func (l *load) fromProcess(ctx context.Context, op operations.Op, cmd *exec.Cmd, secrets ...string) error {
	in, out := io.Pipe()
	dumped := make(chan error, 1)
	go func() {
		err := runPipe(ctx, cmd, nil, out, secrets...)
		out.CloseWithError(err)
		dumped <- err
	}()
	err := l.from(ctx, op, in, 0)
	in.CloseWithError(errClientEnded)
	if dumpErr := <-dumped; dumpErr != nil && !errors.Is(dumpErr, errClientEnded) {
		return dumpErr
	}
	return err
}

var errClientEnded = errors.New("the client has ended")

func fileSize(m *backup.Manifest, name string) int64 {
	if f := m.File(name); f != nil {
		return f.Size
	}
	return 0
}
