// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// SaveErrant implements engine.Member. The file is a binary log of its own, which
// mysqlbinlog reads. A description next to it says that it is complete.
func (e *Engine) SaveErrant(ctx context.Context, dir, gtidSet string, maxBytes int64) (engine.Evidence, error) {
	wanted, err := parseGTIDs(gtidSet)
	if err != nil {
		return engine.Evidence{}, err
	}
	sum := sha256.Sum256([]byte(strings.Join(strings.Fields(gtidSet), "")))
	name := "errant-" + hex.EncodeToString(sum[:8])
	path := filepath.Join(dir, name)
	if saved, err := readEvidence(path + ".json"); saved != nil || err != nil {
		return *saved, err
	}
	db, err := e.open()
	if err != nil {
		return engine.Evidence{}, err
	}
	defer db.Close()
	files, evidence, err := logsWith(ctx, db, gtidSet)
	if err != nil {
		return engine.Evidence{}, malformed(gtidSet, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return engine.Evidence{}, err
	}
	evidence.Name = name + ".binlog"
	if err := copyTransactions(ctx, files, filepath.Join(dir, evidence.Name), wanted, maxBytes, &evidence); err != nil {
		return engine.Evidence{}, err
	}
	content, err := json.MarshalIndent(evidence, "", "  ")
	if err != nil {
		return engine.Evidence{}, err
	}
	return evidence, place.File(path+".json", append(content, '\n'), 0o600)
}

func readEvidence(path string) (*engine.Evidence, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return &engine.Evidence{}, err
	}
	saved := &engine.Evidence{}
	return saved, json.Unmarshal(content, saved)
}

// logsWith finds the binary logs that have transactions of a set, the newest first
// looked at, and returns them in the order in which they were written.
func logsWith(ctx context.Context, db *sql.DB, gtidSet string) (paths []string, e engine.Evidence, err error) {
	var base sql.NullString
	var later, left string
	err = db.QueryRowContext(ctx, "SELECT @@global.log_bin_basename, e.e, GTID_SUBTRACT(GTID_SUBTRACT("+literal(gtidSet)+
		", ''), GTID_SUBTRACT("+literal(gtidSet)+", e.e)) FROM (SELECT @@global.gtid_executed AS e) e").Scan(&base, &later, &left)
	if err != nil {
		return nil, e, err
	}
	names, err := binaryLogs(ctx, db)
	if err != nil {
		return nil, e, fmt.Errorf("listing the binary logs: %w", err)
	}
	asked := left
	for i := len(names) - 1; i >= 0 && left != ""; i-- {
		before, err := previousGTIDs(ctx, db, names[i])
		if err != nil {
			return nil, e, fmt.Errorf("reading the binary log %s: %w", names[i], err)
		}
		var rest string
		err = db.QueryRowContext(ctx, "SELECT GTID_SUBTRACT("+literal(left)+", GTID_SUBTRACT("+literal(later)+", "+literal(before)+"))").Scan(&rest)
		if err != nil {
			return nil, e, err
		}
		if gtids(rest) != gtids(left) {
			paths = append([]string{filepath.Join(filepath.Dir(base.String), names[i])}, paths...)
		}
		left, later = gtids(rest), before
	}
	err = db.QueryRowContext(ctx, "SELECT s.s, GTID_SUBTRACT("+literal(gtidSet)+", s.s) FROM (SELECT GTID_SUBTRACT("+
		literal(asked)+", "+literal(left)+") AS s) s").Scan(&e.Saved, &e.Lost)
	e.Saved, e.Lost = gtids(e.Saved), gtids(e.Lost)
	return paths, e, err
}

func binaryLogs(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SHOW BINARY LOGS")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var names []string
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(sql.RawBytes)
		}
		if err := rows.Scan(row...); err != nil {
			return nil, err
		}
		names = append(names, string(*row[0].(*sql.RawBytes)))
	}
	return names, rows.Err()
}

// previousGTIDs are those that the server had executed when it began the log.
func previousGTIDs(ctx context.Context, db *sql.DB, name string) (set string, err error) {
	found := false
	err = eachRow(ctx, db, "SHOW BINLOG EVENTS IN "+literal(name)+" LIMIT 3", func(scan func(...any) error) error {
		var log, kind, info string
		var position, server, end int64
		if err := scan(&log, &position, &kind, &server, &end, &info); err != nil {
			return err
		}
		if kind == "Previous_gtids" {
			set, found = gtids(info), true
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("it does not say which GTIDs were executed before it")
	}
	return set, err
}

// copyTransactions writes the transactions of the logs that are wanted to a file.
func copyTransactions(ctx context.Context, logs []string, to string, wanted gtidSet, maxBytes int64, e *engine.Evidence) (err error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, out.Close())
	}()
	sum := sha256.New()
	w := &limited{to: io.MultiWriter(out, sum), left: maxBytes}
	if _, err := w.Write(binlogMagic); err != nil {
		return err
	}
	for _, log := range logs {
		err := copyLog(ctx, log, w, wanted)
		if errors.Is(err, errLimit) {
			e.Truncated = true
			break
		}
		if err != nil {
			return fmt.Errorf("copying from %s: %w", filepath.Base(log), err)
		}
	}
	e.Bytes, e.SHA256 = maxBytes-w.left, hex.EncodeToString(sum.Sum(nil))
	return out.Sync()
}

// errLimit ends a copy that is as large as it may be.
var errLimit = errors.New("it is as large as it may be")

// limited writes whole pieces as long as they fit.
type limited struct {
	to   io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errLimit
	}
	l.left -= int64(len(p))
	return l.to.Write(p)
}
