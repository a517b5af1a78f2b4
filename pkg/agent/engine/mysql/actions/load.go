// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// load of a dump into a server.
type load struct {
	unit
	plan   logicalPlan
	logged bool
}

// mayLoad fails unless the plan may be carried out on the running server.
func (u unit) mayLoad(ctx context.Context, plan logicalPlan, overwrite bool) error {
	s, err := u.session(ctx, false)
	if err != nil {
		return err
	}
	defer s.close()
	_, err = meets(ctx, s, plan, overwrite)
	return err
}

// prepareLoad makes room for the databases of the plan. verify, if there is one, is
// asked before anything is dropped.
func (u unit) prepareLoad(ctx context.Context, op operations.Op, plan logicalPlan, overwrite bool, verify func() error) (*load, error) {
	s, err := u.session(ctx, true)
	if err != nil {
		return nil, err
	}
	defer s.close()
	existing, err := meets(ctx, s, plan, overwrite)
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

// meets are the databases that the plan would replace. It fails if it may not, or if
// the server takes no writes.
func meets(ctx context.Context, s *session, plan logicalPlan, overwrite bool) ([]string, error) {
	readOnly, err := s.value(ctx, "SELECT @@global.super_read_only")
	if err != nil {
		return nil, err
	}
	if readOnly == "1" {
		return nil, operations.Failed(reasonReadOnly, "the server takes no writes: databases are loaded on the source of a Replication, or on a unit outside one")
	}
	folded, err := foldsNames(ctx, s)
	if err != nil {
		return nil, err
	}
	if folded {
		// What is compared is to be the same.
		for from, to := range plan.names {
			plan.names[from] = strings.ToLower(to)
		}
	}
	return existingTargets(ctx, s, plan, overwrite)
}

// foldsNames says whether the names of databases and tables are lower case to the
// server, however they are written.
func foldsNames(ctx context.Context, s *session) (bool, error) {
	folded, err := s.value(ctx, "SELECT @@global.lower_case_table_names")
	return folded != "0", err
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
	return runInto(ctx, cmd, func(out io.Reader) error { return l.from(ctx, op, out, 0) }, secrets...)
}

// incomplete says what a load that failed has left.
func (l *load) incomplete(err error) error {
	return fmt.Errorf("the databases %s are incomplete: %w", strings.Join(l.plan.targets(), ", "), err)
}

// runInto runs a program whose output take reads; both must end well.
func runInto(ctx context.Context, cmd *exec.Cmd, take func(io.Reader) error, secrets ...string) error {
	in, out := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := runPipe(ctx, cmd, nil, out, secrets...)
		out.CloseWithError(err)
		written <- err
	}()
	err := take(in)
	in.CloseWithError(errClientEnded)
	if writeErr := <-written; writeErr != nil && !errors.Is(writeErr, errClientEnded) {
		return writeErr
	}
	return err
}

var errClientEnded = errors.New("the client has ended")
