// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// The dump of a server with a binary log begins under FLUSH TABLES WITH READ LOCK, so that
// its snapshot and the position in the log are of the same moment. The server grants it
// in two steps: it waits for the statements that write, and lets no other begin; then it
// has every table closed, which waits for the statements that read. What it asked to
// close nobody can open before the last reader is done, even if nobody wants the lock any
// more. So the agent takes the lock itself: mysqldump asks for the second step first, and
// could not give way to a statement that writes.
const (
	// longStatement runs for longer than what is worth waiting for with clients in line.
	longStatement = 2 * time.Second
	// flushWait bounds the wait for the lock, and lockHeld how long it is held: clients
	// wait for both.
	flushWait = 3 * time.Second
	lockHeld  = 1500 * time.Millisecond
	// quietPatience bounds the wait for a moment without long statements.
	quietPatience = 15 * time.Minute
	// lookForLocks is how often is looked for what keeps a dump waiting, lookForSnapshot
	// for the dump's snapshot.
	lookForLocks, lookForSnapshot = 250 * time.Millisecond, 20 * time.Millisecond
)

// errFlushWaited: the lock was not had in time, or not for long enough, and is asked for
// again.
var errFlushWaited = errors.New("the lock that a dump begins with was not had in time")

// dumpQuietly dumps, with as many tries for the lock as patience allows.
func dumpQuietly(ctx context.Context, op operations.Op, s *session, patience time.Duration, try func() error) error {
	end := time.Now().Add(patience)
	for {
		if err := awaitQuiet(ctx, op, s, end); err != nil {
			return err
		}
		err := try()
		if !errors.Is(err, errFlushWaited) {
			return err
		}
		if time.Now().After(end) {
			return operations.Failed(operation.ReasonLocked, "the dump begins with a lock on all tables for a moment, which could not be had within %s, or not held until the dump had begun, each time it was asked for", flushWait)
		}
		// Those who waited in line go first.
		if err := pause(ctx, lockPause); err != nil {
			return err
		}
	}
}

// awaitQuiet waits until nothing is known to keep the lock from being had at once.
func awaitQuiet(ctx context.Context, op operations.Op, s *session, end time.Time) error {
	for {
		inTheWay, err := longStatements(ctx, s)
		if err != nil || len(inTheWay) == 0 {
			return err
		}
		if time.Now().After(end) {
			return operations.Failed(operation.ReasonLocked, "the dump begins with a lock on all tables for a moment, and all clients would wait with it for %s", sayStatements(inTheWay))
		}
		op.Progress("waiting for a moment without long statements: "+sayStatements(inTheWay), 0, 0)
		if err := pause(ctx, lookForLocks); err != nil {
			return err
		}
	}
}

// statement on tables, or LOCK TABLES.
type statement struct {
	what string
	// end it by this, empty if it is not to be ended for a backup: it may write, or has
	// written.
	end string
}

// longStatements, and locks on tables that somebody holds from one statement to another.
// Those that only wait are in nobody's way. What they say may be a secret, who says it is
// none.
func longStatements(ctx context.Context, s *session) ([]statement, error) {
	rows, err := s.rows(ctx, mysql.LongStatements, int(longStatement.Seconds()))
	if err != nil {
		return nil, err
	}
	var out []statement
	for _, r := range rows {
		doing, end := "a statement", ""
		switch {
		case r.byName["locks_reading"] == "1":
			// It can write nothing while it has these locks.
			end = "KILL " + r.first
		case r.byName["selects"] == "1":
			end = "KILL QUERY " + r.first
		}
		if r.byName["locks"] == "1" {
			doing = "LOCK TABLES"
		}
		out = append(out, statement{fmt.Sprintf("%s of %s@%s (id %s, for %s s)", doing, r.byName["user"], r.byName["host"], r.first, r.byName["seconds"]), end})
	}
	return out, nil
}

func sayStatements(all []statement) string {
	var out []string
	for _, s := range all {
		out = append(out, s.what)
	}
	return strings.Join(out, ", ")
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// holdBack keeps the beginning of a dump until its snapshot is open: what a try has
// written that failed before is no part of the backup.
type holdBack struct {
	ctx    context.Context //nolint:containedctx // of one run, whose bytes come by Write
	to     io.Writer
	kept   bytes.Buffer
	opened chan struct{}
}

// heldBack is more than mysqldump writes before it has its snapshot.
const heldBack = 64 << 10

func (h *holdBack) Write(p []byte) (int, error) {
	select {
	case <-h.opened:
	default:
		if h.kept.Len()+len(p) <= heldBack {
			return h.kept.Write(p)
		}
		select {
		case <-h.opened:
		case <-h.ctx.Done():
			return 0, context.Cause(h.ctx)
		}
	}
	if err := h.pass(); err != nil {
		return 0, err
	}
	return h.to.Write(p)
}

// pass on what was kept.
func (h *holdBack) pass() error {
	_, err := h.kept.WriteTo(h.to)
	return err
}

// lockTables in the session lock. If that takes too long it fails with errFlushWaited, and
// no client waits any longer: those who would are let through by the end of what they
// wait behind.
func lockTables(ctx context.Context, s, lock *session) (ended []statement, err error) {
	id, err := lock.value(ctx, "SELECT CONNECTION_ID()")
	if err != nil {
		return nil, err
	}
	// Should the agent end, the server ends the wait, later than the agent does.
	if err := lock.exec(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout = %d", int(flushWait.Seconds())+1)); err != nil {
		return nil, err
	}
	got := make(chan error, 1)
	go func() { got <- lock.exec(ctx, "FLUSH TABLES WITH READ LOCK") }()
	timer := time.NewTimer(flushWait)
	defer timer.Stop()
	// closing tables is what the lock itself or a client is seen to wait for. Nobody may
	// wait for it now and the next client all the same.
	closing := func() (bool, error) {
		waiting, err := s.value(ctx, "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'Waiting for table flush'")
		return err == nil && waiting != "0", err
	}
	var closed bool
	select {
	case err = <-got:
	case <-timer.C:
		var seen error
		closed, seen = closing()
		// It may have been had meanwhile.
		_ = s.exec(ctx, "KILL QUERY "+id)
		if err = <-got; seen != nil {
			err = seen
		}
	}
	if n := number(err); n != errLockWait && n != errInterrupted {
		return nil, err
	}
	// The server may have kept its first step.
	if err := lock.exec(ctx, "UNLOCK TABLES"); err != nil {
		return nil, err
	}
	if !closed {
		// It came to its second step when it was told to end, or not at all.
		if closed, err = closing(); err != nil {
			return nil, err
		}
	}
	if !closed {
		return nil, errFlushWaited
	}
	inTheWay, err := longStatements(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, in := range inTheWay {
		// It may have ended meanwhile.
		if in.end != "" && s.exec(ctx, in.end) == nil {
			ended = append(ended, in)
		}
	}
	return ended, errFlushWaited
}

// errInterrupted: a statement was ended by KILL QUERY.
const errInterrupted = 1317

// snapshotOpened waits until mysqldump has begun its transaction. over is closed when it
// has ended: then it had.
func snapshotOpened(ctx context.Context, s *session, after string, over <-chan struct{}) (bool, error) {
	for end := time.Now().Add(lockHeld); time.Now().Before(end); {
		// Its connection is younger than the lock's. Who is connected by which program
		// is not known where performance_schema is off.
		open, err := s.value(ctx, `SELECT COUNT(*) FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
WHERE p.user = ? AND p.id > ? AND p.id <> CONNECTION_ID() AND x.trx_autocommit_non_locking = 0 AND COALESCE(x.trx_query, '') NOT LIKE 'START%'
  AND COALESCE((SELECT a.attr_value FROM performance_schema.session_connect_attrs a WHERE a.processlist_id = p.id AND a.attr_name = 'program_name'), 'mysqldump') = 'mysqldump'`, agentUser, after)
		if err != nil || open != "0" {
			return err == nil, err
		}
		timer := time.NewTimer(lookForSnapshot)
		select {
		case <-over:
			timer.Stop()
			return true, nil
		case <-timer.C:
		}
	}
	return false, nil
}

// runDump runs mysqldump once. If its lock is not had in time, or not for long enough, it
// fails with errFlushWaited, and nothing was written. ended are statements that were ended
// for it.
func (u unit) runDump(ctx context.Context, op operations.Op, s *session, args dumpArgs, to io.Writer) (at position, ended []statement, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd, err := u.tool(ctx, op, "mysqldump", append(u.local(), args.arguments()...)...)
	if err != nil {
		return at, nil, err
	}
	if !args.logs && !args.gtids {
		return at, nil, pipe.Run(ctx, cmd, nil, to)
	}
	lock, err := u.session(ctx, false)
	if err != nil {
		return at, nil, err
	}
	defer lock.close()
	if ended, err = lockTables(ctx, s, lock); err != nil {
		return at, ended, err
	}
	if at, err = positionOf(ctx, lock); err != nil {
		return at, ended, err
	}
	if args.snapshot != nil {
		if err := args.snapshot.exec(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
			return at, ended, err
		}
	}
	h := &holdBack{ctx: ctx, to: to, opened: make(chan struct{})}
	h.kept.WriteString(at.statements(args))
	var dumpErr error
	over := make(chan struct{})
	go func() {
		defer close(over)
		dumpErr = pipe.Run(ctx, cmd, nil, h)
	}()
	opened, err := snapshotOpened(ctx, s, at.connection, over)
	switch err = errors.Join(err, lock.exec(ctx, "UNLOCK TABLES")); {
	case err != nil:
		cancel(err)
	case !opened:
		cancel(errFlushWaited)
	default:
		close(h.opened)
	}
	<-over
	if dumpErr != nil {
		return at, ended, dumpErr
	}
	return at, ended, h.pass()
}
