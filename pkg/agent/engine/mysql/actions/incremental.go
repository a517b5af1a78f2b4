// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

const takeFull = "take a full backup"

// logFile is the name of the n-th binary log of a backup.
const logFile = "binlog.%06d"

// binlog is a closed binary log.
type binlog struct {
	name string
	// after are all GTIDs up to its end.
	after string
}

// incremental stores the closed binary logs that have what the last backup of the kind
// in the folder has not.
func (u unit) incremental(ctx context.Context, op operations.Op, s *session, store backup.Store, location backup.Location, d destination) (map[string]string, error) {
	base, err := u.base(ctx, store, location, d.kind)
	if err != nil {
		return nil, err
	}
	if err := u.continues(ctx, s, base); err != nil {
		return nil, err
	}
	if err := s.exec(ctx, "FLUSH BINARY LOGS"); err != nil {
		return nil, err
	}
	closed, err := closedLogs(ctx, s)
	if err != nil {
		return nil, err
	}
	// Asked again after the list was made: what was purged meanwhile is missing.
	if err := u.continues(ctx, s, base); err != nil {
		return nil, err
	}
	files, executed, err := newLogs(ctx, s, closed, base.GTIDExecuted)
	if err != nil {
		return nil, err
	}
	opened, err := openLogs(ctx, s, files)
	if err != nil {
		return nil, err
	}
	defer closeAll(opened)

	d.base = base.AsBase()
	w, err := u.create(ctx, op, store, location, d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }()
	if err := u.describeLogs(ctx, s, &w.Meta, executed); err != nil {
		return nil, err
	}
	progress := &reporter{op: op, text: "storing binary logs"}
	for i, f := range opened {
		if err := plainLog(f); err != nil {
			return nil, err
		}
		if err := file(w, fmt.Sprintf(logFile, i+1), func(to io.Writer) error {
			_, err := io.Copy(io.MultiWriter(to, progress), f)
			return err
		}); err != nil {
			return nil, err
		}
	}
	result, err := u.commit(ctx, op, s, store, w, d)
	if err == nil {
		result["gtidExecuted"], result["base"], result["files"] = executed, base.Name(), fmt.Sprint(len(files))
	}
	return result, err
}

// describeLogs in the manifest of a backup of the binary logs since base.
func (u unit) describeLogs(ctx context.Context, s *session, m *backup.Meta, executed string) (err error) {
	if err := describe(ctx, s, m); err != nil {
		return err
	}
	// Not what was executed by now: what the files hold.
	m.GTIDExecuted, m.Tool = executed, "binary logs"
	if m.Kind == backup.Logical {
		if m.Databases, err = databases(ctx, s, nil); err != nil {
			return err
		}
	}
	return recordEvents(ctx, s, m)
}

// openLogs of the server: a log that is open can be read to its end, whatever the
// server purges.
func openLogs(ctx context.Context, s *session, names []string) (opened []*os.File, err error) {
	basename, err := s.value(ctx, "SELECT @@global.log_bin_basename")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeAll(opened)
		}
	}()
	for _, name := range names {
		f, err := os.Open(filepath.Join(filepath.Dir(basename), filepath.Base(name)))
		if err != nil {
			return opened, operations.Failed(backup.ReasonChain, "the binary log %s is gone: %s", name, takeFull)
		}
		opened = append(opened, f)
	}
	return opened, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// base is the newest backup of this set and kind in the folder that can be continued,
// the last of its chain: a dump of some databases in between ends no chain.
func (u unit) base(ctx context.Context, store backup.Store, location backup.Location, kind backup.Kind) (*backup.Manifest, error) {
	all, bad, err := backup.List(ctx, store, location)
	if err != nil {
		return nil, withReason(err)
	}
	scope := u.scope(kind)
	var refused error
	i := slices.IndexFunc(all, func(m *backup.Manifest) bool {
		if m.Scope != scope || m.Engine != operation.MySQL {
			return false
		}
		err := continuable(m)
		refused = cmp.Or(refused, err)
		return err == nil
	})
	switch {
	case i < 0 && refused != nil:
		return nil, refused
	case i < 0:
		more := ""
		if len(bad) > 0 {
			more = " (" + bad[0].Error() + ")"
		}
		return nil, operations.Failed(backup.ReasonChain, "%s has no %s backup of this set to continue%s: %s", location, kind, more, takeFull)
	}
	m := tip(all, all[i])
	if _, err := backup.Chain(ctx, store, m); err != nil {
		return nil, operations.Failed(backup.ReasonChain, "%w: %s", err, takeFull)
	}
	return m, nil
}

// tip follows those that began in the same second as m and continue it.
func tip(all []*backup.Manifest, m *backup.Manifest) *backup.Manifest {
	for range all {
		i := slices.IndexFunc(all, func(next *backup.Manifest) bool {
			return next.Base != nil && next.Base.ID == m.ID && next.Created.Equal(m.Created)
		})
		if i < 0 {
			break
		}
		m = all[i]
	}
	return m
}

// continues fails unless this server has all that the base has, and still has the
// binary logs of all that came after.
func (u unit) continues(ctx context.Context, s *session, base *backup.Manifest) error {
	rows, err := s.rows(ctx, `SELECT @@global.server_uuid AS id, @@global.gtid_mode AS mode, @@global.log_bin AS log, @@global.log_replica_updates AS updates,
  GTID_SUBSET(?, @@global.gtid_executed) AS has, GTID_SUBTRACT(@@global.gtid_purged, ?) AS gap`, base.GTIDExecuted, base.GTIDExecuted)
	if number(err) == errUnknownVariable {
		rows, err = s.rows(ctx, `SELECT @@global.server_uuid AS id, @@global.gtid_mode AS mode, @@global.log_bin AS log, @@global.log_slave_updates AS updates,
  GTID_SUBSET(?, @@global.gtid_executed) AS has, GTID_SUBTRACT(@@global.gtid_purged, ?) AS gap`, base.GTIDExecuted, base.GTIDExecuted)
	}
	if err != nil {
		return err
	}
	r := rows[0].byName
	broken := func(format string, args ...any) error {
		return operations.Failed(backup.ReasonChain, "the backup %s cannot be continued, %s: %s", base.Location(), fmt.Sprintf(format, args...), takeFull)
	}
	switch {
	case r["mode"] != "ON" || r["log"] != "1" || r["updates"] != "1":
		return operations.Failed("Unsupported", "incremental backups are made of the binary log with GTIDs: log_bin, log_replica_updates and gtid_mode are to be ON")
	case base.GTIDExecuted == "" && base.SystemID != r["id"]:
		// No GTIDs are a part of any server's.
		return broken("it is of another server")
	case r["has"] != "1":
		return broken("the server does not have all that it has")
	case r["gap"] != "":
		return broken("the binary logs of %s are gone", strings.Join(strings.Fields(r["gap"]), ""))
	}
	last, err := u.lastRestored()
	if err != nil {
		return err
	}
	if last != nil && !last.Logged && !base.Created.After(last.At) {
		return broken("the data was replaced by %s since", last.Backup)
	}
	return nil
}

// closedLogs are all binary logs but the one that is written to.
func closedLogs(ctx context.Context, s *session) ([]binlog, error) {
	rows, err := s.rows(ctx, "SHOW BINARY LOGS")
	if err != nil {
		return nil, err
	}
	var out []binlog
	for i, r := range rows {
		if r.byName["Encrypted"] == "Yes" {
			return nil, operations.Failed("Unsupported", "the binary logs are encrypted, which only the keyring of this server opens")
		}
		before, err := previousGTIDs(ctx, s, r.first)
		if err != nil {
			return nil, err
		}
		// What one begins with is what the one before ended with.
		if i > 0 {
			out[i-1].after = before
		}
		out = append(out, binlog{name: r.first})
	}
	return out[:max(len(out)-1, 0)], nil
}

// previousGTIDs of a binary log: all that came before it.
func previousGTIDs(ctx context.Context, s *session, name string) (string, error) {
	// SHOW takes no parameters. Names of logs are the server's own.
	rows, err := s.rows(ctx, "SHOW BINLOG EVENTS IN "+mysql.Literal(name)+" LIMIT 3")
	if err != nil {
		return "", err
	}
	for _, r := range rows {
		if r.byName["Event_type"] == "Previous_gtids" {
			return strings.Join(strings.Fields(r.byName["Info"]), ""), nil
		}
	}
	return "", fmt.Errorf("the binary log %s does not say what came before it", name)
}

// newLogs are those with anything that is not in the base, and what the last of all
// ends with.
func newLogs(ctx context.Context, s *session, closed []binlog, base string) (files []string, executed string, err error) {
	executed = base
	for _, l := range closed {
		known, err := s.value(ctx, "SELECT GTID_SUBSET(?, ?)", l.after, base)
		if err != nil {
			return nil, "", err
		}
		if known == "1" {
			continue
		}
		files = append(files, l.name)
		executed = l.after
	}
	return files, executed, nil
}

// plainLog fails unless the file begins like a binary log.
func plainLog(f *os.File) error {
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil {
		return err
	}
	if string(magic) != "\xfebin" {
		return operations.Failed("Unsupported", "%s is no binary log that can be read without a key", filepath.Base(f.Name()))
	}
	return nil
}
