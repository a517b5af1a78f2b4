// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// replayArgs make the private server take files as relay logs that no source sent. Its
// server id is nobody's: a server skips its own transactions.
var replayArgs = []string{"--relay-log=relay", "--relay-log-recovery=OFF", "--server-id=4294967295"}

// replay applies binary logs by the server's own applier: they are put in the place of
// its relay logs. Transactions that the data has already are skipped by their GTIDs. It
// returns the server that has applied them.
func (u unit) replay(ctx context.Context, op operations.Op, b beside, from source, increments []*backup.Manifest) (*private, error) {
	p, err := u.startPrivate(ctx, op, b, replayArgs...)
	if err != nil {
		return nil, err
	}
	if err := onPrivate(ctx, p, func(s *session) error { return openChannel(ctx, s) }); err != nil {
		return nil, err
	}
	return u.applyLogs(ctx, op, b, from, increments)
}

// openChannel makes a channel without a source: it exists before its logs do. The
// server runs with replayArgs.
func openChannel(ctx context.Context, s *session) error {
	if err := forgetSource(ctx, s); err != nil {
		return err
	}
	err := s.exec(ctx, "CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'none'")
	if number(err) == errParse {
		err = s.exec(ctx, "CHANGE MASTER TO MASTER_HOST = 'none'")
	}
	return err
}

// applyLogs applies binary logs to data whose server has the channel for them, and returns
// the server that has done so.
func (u unit) applyLogs(ctx context.Context, op operations.Op, b beside, from source, increments []*backup.Manifest) (*private, error) {
	if err := u.placeRelayLogs(ctx, op, b.data, from, increments); err != nil {
		return nil, err
	}
	p, err := u.startPrivate(ctx, op, b, replayArgs...)
	if err != nil {
		return nil, err
	}
	if err := doPrivate(ctx, p, func(s *session) error {
		err := s.exec(ctx, "CHANGE REPLICATION SOURCE TO RELAY_LOG_FILE = 'relay.000001', RELAY_LOG_POS = 4", "START REPLICA SQL_THREAD")
		if number(err) == errParse {
			err = s.exec(ctx, "CHANGE MASTER TO RELAY_LOG_FILE = 'relay.000001', RELAY_LOG_POS = 4", "START SLAVE SQL_THREAD")
		}
		if err != nil {
			return operations.Failed("ReplayFailed", "the server does not take the binary logs: %w", err)
		}
		last := increments[len(increments)-1]
		if err := awaitReplay(ctx, op, s, last.GTIDExecuted); err != nil {
			return err
		}
		if err := forgetSource(ctx, s); err != nil {
			return err
		}
		return settleEvents(ctx, s, last.Properties[propertyEvents])
	}); err != nil {
		return nil, err
	}
	return p, nil
}

// onPrivate does something on a private server and stops it.
func onPrivate(ctx context.Context, p *private, do func(*session) error) error {
	if err := doPrivate(ctx, p, do); err != nil {
		return err
	}
	return p.stop()
}

// doPrivate does something on a private server, which keeps running unless that fails.
func doPrivate(ctx context.Context, p *private, do func(*session) error) error {
	s, err := openSession(ctx, p.engine, false)
	if err == nil {
		err = do(s)
		s.close()
	}
	if err != nil {
		p.kill()
	}
	return err
}

// placeRelayLogs writes the files of the backups as relay.000001 and so on.
func (u unit) placeRelayLogs(ctx context.Context, op operations.Op, data string, from source, increments []*backup.Manifest) error {
	old, err := filepath.Glob(filepath.Join(data, "relay.*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	var index strings.Builder
	n := 0
	for _, m := range increments {
		for _, f := range m.Files {
			if f.Name == backup.SumsFile {
				continue
			}
			n++
			name := fmt.Sprintf("relay.%06d", n)
			progress := &reporter{op: op, text: "reading binary logs", total: f.Size}
			if err := from.copyTo(ctx, m, f.Name, filepath.Join(data, name), progress); err != nil {
				return err
			}
			index.WriteString("./" + name + "\n")
		}
	}
	if n == 0 {
		// The backups have nothing new; the applier wants a file nevertheless.
		if err := os.WriteFile(filepath.Join(data, "relay.000001"), []byte("\xfebin"), 0o640); err != nil {
			return err
		}
		index.WriteString("./relay.000001\n")
	}
	return os.WriteFile(filepath.Join(data, "relay.index"), []byte(index.String()), 0o640)
}

func (s source) copyTo(ctx context.Context, m *backup.Manifest, name, path string, progress *reporter) error {
	r, err := s.open(ctx, m, name)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, progress.reading(r)); err != nil {
		_ = f.Close()
		return withReason(err)
	}
	return f.Close()
}

// awaitReplay waits until the server has executed the set, or its applier stops or has
// nothing more to do.
func awaitReplay(ctx context.Context, op operations.Op, s *session, set string) error {
	stalled := ""
	for {
		idle, err := applierIdle(ctx, s)
		if err != nil {
			return err
		}
		missing, err := s.value(ctx, "SELECT GTID_SUBTRACT(?, @@global.gtid_executed)", set)
		if err != nil || missing == "" {
			return err
		}
		missing = strings.Join(strings.Fields(missing), "")
		if idle && missing == stalled {
			return operations.Failed("ReplayFailed", "the binary logs were replayed to their end and lack %s", missing)
		}
		// A worker that is handed something looks idle for a moment yet: twice is
		// enough.
		stalled = ""
		if idle {
			stalled = missing
		}
		op.Progress("replaying the binary logs, to come: "+missing, 0, 0)
		timer := time.NewTimer(300 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// applierIdle says whether all relay logs have been applied. It fails if the applier
// has stopped.
func applierIdle(ctx context.Context, s *session) (bool, error) {
	channels, err := replicaStatus(ctx, s)
	if err != nil {
		return false, err
	}
	const allRead = "has read all relay log"
	for _, c := range channels {
		if c.sql != "Yes" && c.errno != "0" {
			return false, operations.Failed("ReplayFailed", "the binary logs cannot be replayed, error %s: %s", c.errno, c.lastErrors)
		}
		if !strings.Contains(c.state, allRead) {
			return false, nil
		}
	}
	// The coordinator has read all; its workers may have some of it to apply.
	busy, err := s.value(ctx, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'system user' AND state NOT LIKE 'Waiting for an event from Coordinator%' AND state NOT LIKE ?", "%"+allRead+"%")
	return busy == "0", err
}
