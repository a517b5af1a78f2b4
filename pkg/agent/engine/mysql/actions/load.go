// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// Phases of loading databases into the running server.
const (
	// phaseLoad: databases that were not there are being made. They go if the load does
	// not come to its end.
	phaseLoad = "load"
	// phaseReplace: the statements lie beside, all of them, and the databases that they
	// replace are given up. From here on the way is forward.
	phaseReplace = "replace-databases"
)

// serverPatience is how long what must go on waits for the server: it may be on its way,
// as the agent was.
const serverPatience = 5 * time.Minute

// begun is what it takes to go on with a load, or to give it up.
type begun struct {
	// Replaced are databases that were there, Made those that were not.
	Replaced []string `json:"replaced"`
	Made     []string `json:"made"`
	// Whole: what the dump does not have is not to be there.
	Whole bool `json:"whole"`
	// Restored is recorded when all is loaded.
	Restored restored          `json:"restored"`
	Result   map[string]string `json:"result"`
}

// dump writes statements.
type dump func(ctx context.Context, to io.Writer) error

// load of a dump into the running server.
type load struct {
	unit
	begun
	plan logicalPlan
	dump dump
	// total bytes of the dump, as far as is known.
	total int64
}

// run the load. What it replaces is given up when the dump has proven whole, not before:
// it is laid beside then.
func (l *load) run(ctx context.Context, op operations.Op, overwrite bool) (map[string]string, error) {
	if err := l.prepare(ctx, overwrite); err != nil {
		return nil, err
	}
	if len(l.Replaced) == 0 {
		return l.make(ctx, op)
	}
	err := l.spool(ctx, op)
	if err == nil {
		err = context.Cause(ctx) // the last moment at which there is a way back
	}
	if err == nil {
		err = op.SetPhase(phaseReplace, l.begun)
	}
	if err != nil {
		if ctx.Err() == nil {
			err = errors.Join(err, l.clearSpool())
		}
		return nil, err
	}
	return l.replaceDatabases(ctx, op)
}

// mayLoad fails unless the plan may be carried out on the running server.
func (u unit) mayLoad(ctx context.Context, plan logicalPlan, overwrite bool) error {
	s, err := u.session(ctx, false)
	if err != nil {
		return err
	}
	defer s.close()
	if err := foldNames(ctx, s, plan); err != nil {
		return err
	}
	_, _, err = divideTargets(ctx, s, plan, overwrite)
	return err
}

// prepare finds what there is already, and whether it may go.
func (l *load) prepare(ctx context.Context, overwrite bool) error {
	s, err := l.session(ctx, true)
	if err != nil {
		return err
	}
	defer s.close()
	if err := foldNames(ctx, s, l.plan); err != nil {
		return err
	}
	if l.Replaced, l.Made, err = divideTargets(ctx, s, l.plan, overwrite); err != nil {
		return err
	}
	// On a server that has executed nothing the backup's GTIDs are to be purged
	// afterwards, so the load must leave none. Everywhere else it is a change like
	// any other, that replicas and readers of the binary log get.
	executed, err := s.value(ctx, "SELECT @@global.gtid_executed")
	if err != nil {
		return err
	}
	l.Restored.Logged, l.Whole = executed != "", l.plan.whole
	l.Result = map[string]string{
		"databases": strings.Join(l.plan.targets(), ","),
		"message":   l.Result["message"] + ": " + strings.Join(l.plan.targets(), ", "),
	}
	return nil
}

// make databases that are not there, as the dump comes.
func (l *load) make(ctx context.Context, op operations.Op) (map[string]string, error) {
	if err := op.SetPhase(phaseLoad, l.begun); err != nil {
		return nil, err
	}
	err := l.stream(ctx, op)
	if err == nil {
		err = l.loaded(l.begun)
	}
	if err != nil {
		if ctx.Err() == nil {
			err = errors.Join(err, l.dropMade(ctx, l.begun))
		}
		return nil, err
	}
	return l.Result, nil
}

// stream gives the dump to the client as it comes.
func (l *load) stream(ctx context.Context, op operations.Op) error {
	return runInto(
		func(out io.Writer) error { return l.filter(ctx, op, out, "loading") },
		func(in io.Reader) error { return l.client(ctx, op, in, l.Restored.Logged) },
	)
}

// runInto lets one read what the other writes; both must end well.
func runInto(write func(io.Writer) error, take func(io.Reader) error) error {
	in, out := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(out)
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

// filter writes what of the dump belongs to the plan.
func (l *load) filter(ctx context.Context, op operations.Op, to io.Writer, text string) error {
	reader := newDumpReader(to, (&loader{plan: l.plan}).decide)
	// Not every store hears of the end of ctx.
	untilEnd := writerFunc(func(p []byte) (int, error) { return len(p), context.Cause(ctx) })
	if err := l.dump(ctx, io.MultiWriter(untilEnd, reader, &reporter{op: op, text: text, total: l.total})); err != nil {
		return err
	}
	return reader.Close()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// client gives statements to the client mysql.
func (u unit) client(ctx context.Context, op operations.Op, statements io.Reader, logged bool) error {
	initial := "SET SESSION sql_log_bin = 0"
	if logged {
		initial = "SET SESSION sql_log_bin = 1"
	}
	// binary-mode: the client obeys nothing in the dump but its delimiters.
	cmd, err := u.tool(ctx, op, "mysql", append(u.local(), "--binary-mode", "--comments", "--default-character-set=utf8mb4",
		"--max-allowed-packet=1G", "--init-command="+initial)...)
	if err != nil {
		return err
	}
	return pipe.Run(ctx, cmd, statements, nil)
}

// replaceDatabases gives databases up for what lies beside. It begins anew where it was
// interrupted.
func (u unit) replaceDatabases(ctx context.Context, op operations.Op) (map[string]string, error) {
	b, err := readBegun(op)
	if err != nil {
		return nil, err
	}
	op.Progress("replacing the databases "+strings.Join(b.Replaced, ", "), 0, 0)
	if err := u.loadSpooled(ctx, op, b); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, errors.Join(fmt.Errorf("the databases %s are incomplete: %w", strings.Join(append(b.Replaced, b.Made...), ", "), err), u.clearSpool())
	}
	if err := u.loaded(b); err != nil {
		return nil, err
	}
	if err := u.clearSpool(); err != nil {
		// The next operation removes it.
		b.Result["message"] += "; the dump lies beside still: " + err.Error()
	}
	return b.Result, nil
}

func (u unit) loadSpooled(ctx context.Context, op operations.Op, b begun) error {
	if err := u.awaitServer(ctx); err != nil {
		return err
	}
	// Those that are made belong to nobody yet: an earlier try has left them.
	given := b.Made
	if b.Whole {
		given = append(given, b.Replaced...)
	}
	if err := u.dropDatabases(ctx, given, b.Restored.Logged); err != nil {
		return err
	}
	statements, err := u.spooled(op)
	if err != nil {
		return err
	}
	defer statements.Close()
	return u.client(ctx, op, statements, b.Restored.Logged)
}

// loaded is all that is left to do after a load.
func (u unit) loaded(b begun) error {
	b.Restored.At = now()
	if err := u.recordRestored(b.Restored); err != nil {
		return fmt.Errorf("the databases are loaded, but that they were could not be recorded: %w", err)
	}
	return nil
}

// abandonLoad cleans up after a load that did not come to its end.
func (u unit) abandonLoad(ctx context.Context, op operations.Op) error {
	if err := u.clearSide(); err != nil {
		return err
	}
	if phase, _ := op.Phase(); phase == phaseReplace {
		if _, err := u.replaceDatabases(ctx, op); err != nil {
			return err
		}
		return operations.Failed("TooLate", "the old databases had been given up already, and the new ones are there")
	}
	b, err := readBegun(op)
	if err != nil {
		return err
	}
	return u.dropMade(ctx, b)
}

func readBegun(op operations.Op) (begun, error) {
	var b begun
	_, raw := op.Phase()
	return b, json.Unmarshal(raw, &b)
}

// dropMade removes the databases that were not there before.
func (u unit) dropMade(ctx context.Context, b begun) error {
	err := u.awaitServer(ctx)
	if err == nil {
		err = u.dropDatabases(ctx, b.Made, b.Restored.Logged)
	}
	if err != nil {
		return fmt.Errorf("the databases %s are incomplete and could not be removed: %w", strings.Join(b.Made, ", "), err)
	}
	return nil
}

func (u unit) dropDatabases(ctx context.Context, names []string, logged bool) error {
	s, err := u.session(ctx, logged)
	if err != nil {
		return err
	}
	defer s.close()
	for _, name := range names {
		if err := s.exec(ctx, "DROP DATABASE IF EXISTS "+mysql.Identifier(name)); err != nil {
			return err
		}
	}
	return nil
}

// awaitServer returns when the server answers, or has not for long: then who asks it is
// told why.
func (u unit) awaitServer(ctx context.Context) error {
	for end := time.Now().Add(serverPatience); u.Engine.Check(ctx) != nil && time.Now().Before(end); {
		timer := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	return nil
}
