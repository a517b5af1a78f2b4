// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

// lingersFor is how long after a source was closed, and again after it began to follow,
// clients may still arrive by a Service that has not moved. Their sessions would stay:
// most drivers keep one that answers error 1290 to every write.
const lingersFor = 2 * time.Second

// lingering remembers that clients of a former source have to be sent away once more. A
// restart forgets it: that of the server ends its sessions, that of the agent is rare.
type lingering struct {
	mu sync.Mutex
	// former is true from the close to the first Follow.
	former bool
	// due is when sessions are ended; zero: not.
	due time.Time
}

func (l *lingering) closed(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.former, l.due = true, now.Add(lingersFor)
}

// follows is told of every Follow: only a former source's clients are meant.
func (l *lingering) follows(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.former {
		l.former, l.due = false, now.Add(lingersFor)
	}
}

// opened: the clients are where they belong.
func (l *lingering) opened() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.former, l.due = false, time.Time{}
}

// isDue says whether sessions are to be ended.
func (l *lingering) isDue(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.due.IsZero() && !now.Before(l.due)
}

// ended is told of sessions that were ended at a time when that was due.
func (l *lingering) ended(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !now.Before(l.due) {
		l.due = time.Time{}
	}
}

// endLingering ends the sessions that clients have opened on a former source, except
// those of the channels' account.
func (e *Engine) endLingering(ctx context.Context, db *sql.DB, o observed, channelUser string) ([]string, error) {
	now := time.Now()
	if !o.SuperReadOnly || !e.lingering.isDue(now) {
		return nil, nil
	}
	n, err := killSessions(ctx, db, " AND processlist_user <> "+literal(channelUser))
	if err != nil {
		return nil, fmt.Errorf("ending sessions on the former source: %w", err)
	}
	e.lingering.ended(now)
	if n == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("ended %d sessions that clients had opened on the former source", n)}, nil
}
