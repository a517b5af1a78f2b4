// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	// eventsTable is where an open source records which events it does not run. It is in
	// the binary log, so that whoever becomes the source has it: a replica stores each
	// event as REPLICA_SIDE_DISABLED, whether its source runs it or not, and one that has
	// run for the last time is disabled without a transaction.
	eventsTable = "mysql.unit_agent_events"
	// settleTries is how often a new source tries to alter an event that it cannot, before
	// the scheduler starts without.
	settleTries = 3
	// recordTimeout is how long a round waits for a record's acknowledgement.
	recordTimeout = time.Second
	// errNoSuchTable answers a query of a table that does not exist.
	errNoSuchTable = 1146
	// errLockWait answers who has waited too long for a lock.
	errLockWait = 1205
)

// States of events. Servers before 8.2 call the last SLAVESIDE_DISABLED.
const (
	eventEnabled     = "ENABLED"
	eventDisabled    = "DISABLED"
	eventReplicaSide = "REPLICA_SIDE_DISABLED"
)

// scheduling is where a source is on the way from its opening to running events. Until
// then the scheduler is off: it would run once-only events again that the former source
// has run, and write the states of those that it runs itself.
type scheduling struct {
	started atomic.Bool
	tries   atomic.Int32
	// recording is true while a record is being committed.
	recording atomic.Bool
}

func (s *scheduling) opened() {
	s.tries.Store(0)
	s.started.Store(false)
}

// scheduledEvent with all that ALTER EVENT takes from the session that runs it.
type scheduledEvent struct{ name, status, definer, charset, collation string }

// recordedEvents is what a source has recorded: its server_uuid, which is empty if none
// ever did, and the states of the events that it does not run, by name.
type recordedEvents struct {
	source string
	idle   map[string]string
}

// tendEvents has an open source run the events that the former source ran, and records
// which it does not run. It returns what it did and what it could not do, which is not
// reason enough to call the role not in force.
func (e *Engine) tendEvents(ctx context.Context, db *sql.DB, o observed) (did []string) {
	recorded, err := readRecordedEvents(ctx, db)
	if err != nil {
		return []string{"cannot read which events the source does not run: " + err.Error()}
	}
	events, err := listEvents(ctx, db)
	if err != nil {
		return []string{"cannot list the events: " + err.Error()}
	}
	if recorded.source != "" && recorded.source != o.serverID && e.scheduling.tries.Load() < settleTries {
		var left []string
		if did, left, events, err = e.settleEvents(ctx, db, events, recorded.idle); err != nil {
			return append(did, "cannot set the states of the events yet: "+err.Error())
		}
		did = append(did, left...)
		if len(left) == 0 {
			e.scheduling.tries.Store(settleTries)
		} else if e.scheduling.tries.Add(1) < settleTries {
			return did
		}
	}
	if !e.scheduling.started.Load() {
		if err := e.startScheduler(ctx, db, o); err != nil {
			return append(did, "cannot start the event scheduler: "+err.Error())
		}
		e.scheduling.started.Store(true)
	}
	if err := e.recordEvents(ctx, o, events, recorded); err != nil {
		did = append(did, "cannot record which events do not run: "+err.Error())
	}
	return did
}

// startScheduler unless the configuration says otherwise.
func (e *Engine) startScheduler(ctx context.Context, db *sql.DB, o observed) error {
	if o.EventScheduler {
		return nil
	}
	wanted, err := e.wantsEvents(ctx, o.version)
	if err != nil || !wanted {
		return err
	}
	return execControl(ctx, db, "SET GLOBAL event_scheduler = ON")
}

// settlement is what to alter an event to, so that it runs as on the source that recorded
// those that it does not run; empty if it does. What was disabled here stays so: that
// source had it enabled by no statement that came here.
func settlement(e scheduledEvent, idle map[string]string) string {
	switch recorded := idle[e.name]; {
	case recorded == "" && e.status == eventReplicaSide:
		return "ENABLE"
	case recorded == eventDisabled && e.status != eventDisabled:
		return "DISABLE"
	}
	return ""
}

// settleEvents alters the events that differ. left says of which it did not succeed; an
// error, that it has to be done again.
func (e *Engine) settleEvents(ctx context.Context, db *sql.DB, events []scheduledEvent, idle map[string]string) (did, left []string, after []scheduledEvent, err error) {
	failures := map[string]error{}
	altered := 0
	err = e.onConnection(ctx, false, func(conn *sql.Conn) error {
		for _, v := range events {
			to := settlement(v, idle)
			if to == "" {
				continue
			}
			altered++
			failures[v.name] = alterEvent(ctx, db, conn, v, to)
		}
		for _, err := range failures {
			var server *mysql.MySQLError
			if err != nil && (!errors.As(err, &server) || server.Number == errLockWait) {
				return err
			}
		}
		return nil
	})
	if err != nil || altered == 0 {
		return nil, nil, events, err
	}
	if after, err = listEvents(ctx, db); err != nil {
		return nil, nil, events, err
	}
	for _, v := range after {
		switch to, err := settlement(v, idle), failures[v.name]; {
		case to == "":
		case err != nil:
			left = append(left, fmt.Sprintf("cannot %s the event %s: %v", to, v.name, err))
		default:
			left = append(left, fmt.Sprintf("the event %s is %s after %s", v.name, v.status, to))
		}
	}
	if n := altered - len(left); n > 0 {
		did = []string{fmt.Sprintf("altered %d events to run, or not, as on the former source", n)}
	}
	return did, left, after, nil
}

// alterEvent without the binary log, where each server has its own state of an event,
// and so that nothing else changes. Its name is read in the event's character set.
func alterEvent(ctx context.Context, db *sql.DB, conn *sql.Conn, v scheduledEvent, to string) error {
	user, host := v.definer, ""
	if i := strings.LastIndexByte(user, '@'); i >= 0 {
		user, host = user[:i], user[i+1:]
	}
	statement := "ALTER DEFINER = " + Identifier(user) + "@" + Identifier(host) + " EVENT " + v.name + " " + to
	var encoded []byte
	if err := db.QueryRowContext(ctx, "SELECT CAST(CONVERT("+literal(statement)+" USING "+v.charset+") AS BINARY)").Scan(&encoded); err != nil {
		return err
	}
	return execAll(ctx, conn, []string{
		"SET SESSION character_set_client = " + v.charset + ", SESSION collation_connection = " + v.collation,
		string(encoded),
	})
}

// recordEvents if what is recorded differs. A server that never had an event has no table.
// What waits for its acknowledgement is not waited for: it ends with that or the server,
// and the next round finds whether it was the right record.
func (e *Engine) recordEvents(ctx context.Context, o observed, events []scheduledEvent, recorded recordedEvents) error {
	idle := idleEvents(events)
	if recorded.source == "" && len(events) == 0 || recorded.source == o.serverID && maps.Equal(idle, recorded.idle) {
		return nil
	}
	content, err := json.Marshal(idle)
	if err != nil {
		return err
	}
	var statements []string
	if recorded.source == "" {
		statements = append(statements, "CREATE TABLE IF NOT EXISTS "+eventsTable+" (id TINYINT NOT NULL PRIMARY KEY, "+
			"source CHAR(36) NOT NULL, idle LONGTEXT NOT NULL) ENGINE = InnoDB CHARACTER SET utf8mb4 COMMENT = 'events that the source does not run'")
	}
	statements = append(statements, "REPLACE INTO "+eventsTable+" VALUES (1, "+literal(o.serverID)+", "+literal(string(content))+")")
	s := o.SemiSync
	if s.SourceEnabled && s.Clients < max(1, s.WaitFor) || !e.scheduling.recording.CompareAndSwap(false, true) {
		return nil
	}
	outcome := make(chan error, 1)
	go func() {
		defer e.scheduling.recording.Store(false)
		outcome <- e.onConnection(context.WithoutCancel(ctx), true, func(conn *sql.Conn) error {
			return execAll(context.WithoutCancel(ctx), conn, statements)
		})
	}()
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return nil
	}
}

// idleEvents are the states of those that do not run, by name.
func idleEvents(events []scheduledEvent) map[string]string {
	idle := map[string]string{}
	for _, v := range events {
		if v.status != eventEnabled {
			idle[v.name] = v.status
		}
	}
	return idle
}

func readRecordedEvents(ctx context.Context, db *sql.DB) (recordedEvents, error) {
	var r recordedEvents
	var content []byte
	err := db.QueryRowContext(ctx, "SELECT source, idle FROM "+eventsTable+" WHERE id = 1").Scan(&r.source, &content)
	var server *mysql.MySQLError
	if errors.Is(err, sql.ErrNoRows) || errors.As(err, &server) && server.Number == errNoSuchTable {
		return recordedEvents{}, nil
	}
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(content, &r.idle)
}

func listEvents(ctx context.Context, db *sql.DB) (events []scheduledEvent, err error) {
	err = eachRow(ctx, db, `SELECT event_schema, event_name, status, definer, character_set_client, collation_connection
FROM information_schema.events`, func(scan func(...any) error) error {
		var v scheduledEvent
		var schema, name string
		err := scan(&schema, &name, &v.status, &v.definer, &v.charset, &v.collation)
		if strings.HasSuffix(v.status, "SIDE_DISABLED") {
			v.status = eventReplicaSide
		}
		v.name = Identifier(schema) + "." + Identifier(name)
		events = append(events, v)
		return err
	})
	return events, err
}

// onConnection calls do with a connection of its own, which its settings end with, and
// which writes to the binary log or not.
func (e *Engine) onConnection(ctx context.Context, binlog bool, do func(conn *sql.Conn) error) error {
	db, err := e.open()
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := execAll(ctx, conn, append(session(binlog), ReadLimits, "SET SESSION lock_wait_timeout = 1")); err != nil {
		return err
	}
	return do(conn)
}
