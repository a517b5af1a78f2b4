// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	driver "github.com/go-sql-driver/mysql"
	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/space"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// dataSize is what a copy of the data directory takes: all but the logs that no copy
// has.
func dataSize(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			// The server removes files meanwhile.
			return nil
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if isLog(entry.Name()) {
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		n += info.Size()
		return nil
	})
	return n, err
}

// isLog is true of a binary or relay log: <base>.<six digits or more>.
func isLog(name string) bool {
	i := strings.LastIndexByte(name, '.')
	return i > 0 && len(name)-i > 6 && strings.Trim(name[i+1:], "0123456789") == ""
}

// room is the space that a copy needs.
type room = space.Room

func roomFor(size int64, dir, instead string) room {
	return room{Size: size, Margin: size / 10, Dir: dir, Instead: instead}
}

// errCloneSpace: CLONE has estimated that there is no room.
const errCloneSpace = 3873

// runClone runs a CLONE statement and ends it when the operation ends or the space
// does.
func (u unit) runClone(ctx context.Context, op operations.Op, s *session, statement, into string, r room) error {
	k, err := newKiller(ctx, s, func(ctx context.Context) (*session, error) { return u.session(ctx, false) })
	if err != nil {
		return err
	}
	defer k.close()
	op.Progress("copying the data", 0, r.Size)
	return cloneEnded(k.run(ctx, statement, func() error {
		size, err := dataSize(into)
		if err == nil {
			op.Progress("copying the data", size, r.Size)
		}
		have, err := space.Free(filepath.Dir(into))
		if err == nil && have < r.Reserve() {
			return operations.Failed(operation.ReasonNotEnoughSpace, "only %d bytes were left on the file system of %s while %d bytes of data were copied to it, and the copy was given up: %s",
				have, r.Dir, r.Size, r.Instead)
		}
		return nil
	}))
}

// cloneEnded says what the server does by a number of its own.
func cloneEnded(err error) error {
	if number(err) == errCloneSpace {
		return fmt.Errorf("%w: %w", unix.ENOSPC, err)
	}
	return withServerGone(err)
}

// withServerGone says what the driver does not: that there is nobody any more to answer.
func withServerGone(err error) error {
	if errors.Is(err, driver.ErrInvalidConn) || errors.Is(err, sqldriver.ErrBadConn) {
		return operations.Failed(operation.ReasonServerNotRunning, "the connection to the server was lost, it has ended or was killed: %w", err)
	}
	return err
}

// clonePlugin fails unless the server can CLONE.
func clonePlugin(ctx context.Context, s *session) error {
	active, err := s.value(ctx, "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'clone' AND plugin_status = 'ACTIVE'")
	if err != nil {
		return err
	}
	if active == "0" {
		return operations.Failed("Unsupported", "the server has no clone plugin: it comes with MySQL 8.0.17, and the packages load it; an older server has logical-backup")
	}
	return nil
}

// cloneable names what a CLONE leaves out, so that nobody takes its result for all of
// the data.
func cloneable(ctx context.Context, s *session) error {
	found, err := lookFor(ctx, s, []look{
		{`SELECT CONCAT(table_schema, '.', table_name, ' (', engine, ')') FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND engine NOT IN ('InnoDB', 'MEMORY', 'BLACKHOLE')
  AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') LIMIT 10`,
			"tables of other engines than InnoDB, which a physical backup cannot hold; logical-backup can"},
		{`SELECT name FROM information_schema.innodb_tablespaces WHERE encryption = 'Y' LIMIT 10`,
			"encrypted tablespaces, which only the keyring of this server opens; logical-backup can take them"},
		{`SELECT path FROM information_schema.innodb_datafiles WHERE path LIKE '/%' LIMIT 10`,
			"tablespaces at paths of their own, which cannot lie in two places; logical-backup can take them"},
	})
	if err == nil && found != "" {
		err = operations.Failed("Unsupported", "there are %s", found)
	}
	return err
}

// look for things of a server: a query of their names, and what they are.
type look struct{ query, what string }

// errUnknownTable is a table of information_schema that the server does not have.
const errUnknownTable = 1109

// lookFor says what the first of the queries with a result has found; empty if none
// has one.
func lookFor(ctx context.Context, s *session, looks []look) (string, error) {
	for _, l := range looks {
		found, err := s.column(ctx, l.query)
		if number(err) == errUnknownTable {
			// As they are called before 8.0.
			found, err = s.column(ctx, strings.ReplaceAll(l.query, "information_schema.innodb_", "information_schema.innodb_sys_"))
		}
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return l.what + ": " + strings.Join(found, ", "), nil
		}
	}
	return "", nil
}

// cloneLocal copies the data of the running server into a new directory.
func (u unit) cloneLocal(ctx context.Context, op operations.Op, s *session, into string, r room, parallel int) error {
	if err := os.MkdirAll(filepath.Dir(into), 0o700); err != nil {
		return err
	}
	if parallel > 0 {
		before, err := s.value(ctx, "SELECT @@global.clone_max_concurrency")
		if err != nil {
			return err
		}
		if err := s.exec(ctx, fmt.Sprintf("SET GLOBAL clone_max_concurrency = %d", min(parallel, 128))); err != nil {
			return err
		}
		defer func() {
			_ = s.exec(context.WithoutCancel(ctx), "SET GLOBAL clone_max_concurrency = "+before)
		}()
	}
	return u.runClone(ctx, op, s, "CLONE LOCAL DATA DIRECTORY = "+mysql.Literal(into), into, r)
}

// serverLost is true of the error of a call that a server did not answer: it has ended, or was killed.
func serverLost(err error) bool {
	return operations.ReasonOf(err) == operation.ReasonServerNotRunning ||
		errors.Is(err, driver.ErrInvalidConn) || errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}
