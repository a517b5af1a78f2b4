// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// ranOn counts the rows that an event has written on a member since it is the source.
func ranOn(event string, m *member) string {
	return "SELECT LEAST(COUNT(*), 1) FROM d.ran WHERE event = " + literal(event) + " AND server = " + literal(m.uuid)
}

// status of an event, by the words of all versions.
func (m *member) status(event string) string {
	m.t.Helper()
	return strings.Replace(m.scalar("SELECT status FROM information_schema.events WHERE event_name = "+literal(event)), "SLAVESIDE", "REPLICA_SIDE", 1)
}

// hasStatus fails unless the event has the status.
func (m *member) hasStatus(t *testing.T, event, want string) {
	t.Helper()
	if got := m.status(event); got != want {
		t.Errorf("%s is %s on %s, want %s", event, got, m.name, want)
	}
}

// definition is what else an event has, which nobody is to change.
func (m *member) definition(event string) string {
	m.t.Helper()
	return m.scalar(`SELECT CONCAT_WS('|', definer, sql_mode, time_zone, character_set_client, collation_connection, database_collation,
  event_definition, interval_value, interval_field, starts, ends, execute_at, on_completion, event_comment) FROM information_schema.events WHERE event_name = ` + literal(event))
}

// settles tends an open source until it has recorded its events as they are.
func (m *member) settles() (did []string) {
	m.t.Helper()
	waitFor(m.t, m.name+" to record its events", func() (bool, string) {
		did = append(did, m.tend()...)
		db, err := m.e.control()
		if err != nil {
			m.t.Fatal(err)
		}
		recorded, err := readRecordedEvents(m.t.Context(), db)
		if err != nil {
			m.t.Fatal(err)
		}
		events, err := listEvents(m.t.Context(), db)
		if err != nil {
			m.t.Fatal(err)
		}
		return recorded.source == m.uuid && maps.Equal(recorded.idle, idleEvents(events)), fmt.Sprintf("%+v", recorded)
	})
	return did
}

// quiet switches the scheduler of a source off by hand, and waits until the others have
// the same transactions, neither more nor fewer.
func (m *member) quiet(t *testing.T, others ...*member) {
	t.Helper()
	m.exec("SET GLOBAL event_scheduler = OFF")
	m.until("SELECT COUNT(*) FROM performance_schema.threads WHERE name = 'thread/sql/event_worker'", "0")
	want := m.observe().MySQL.Executed
	for _, o := range others {
		waitFor(t, o.name+" to have executed what "+m.name+" has", func() (bool, string) {
			got := o.observe().MySQL.Executed
			return got == want, got + ", want " + want
		})
	}
}

func TestEventsRunOnTheSource(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 3)
		a, b, c := all[0], all[1], all[2]
		a.promote(b, c)
		b.follow(a)
		c.follow(a)
		if did := a.tend(); len(did) > 0 || a.scalar("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'unit_agent_events'") != "0" {
			t.Errorf("a source without events: %q", did)
		}
		const body = " DO INSERT INTO d.ran (event, server) VALUES "
		every := func(name string) string {
			return "CREATE EVENT d." + name + " ON SCHEDULE EVERY 1 SECOND" + body + "('" + name + "', @@server_uuid)"
		}
		a.exec("CREATE DATABASE d", "CREATE DATABASE r", "CREATE TABLE d.ran (i BIGINT AUTO_INCREMENT PRIMARY KEY, event VARCHAR(20), server VARCHAR(40))",
			"CREATE USER 'o''ner'@'10.%'", "GRANT ALL ON *.* TO 'o''ner'@'10.%'", every("runs"),
			"CREATE EVENT d.never ON SCHEDULE EVERY 1 SECOND DISABLE"+body+"('never', @@server_uuid)",
			"CREATE EVENT d.elsewhere ON SCHEDULE EVERY 1 SECOND DISABLE ON REPLICA"+body+"('elsewhere', @@server_uuid)",
			"CREATE EVENT d.once ON SCHEDULE AT NOW() ON COMPLETION PRESERVE"+body+"('once', @@server_uuid)",
			"CREATE EVENT d.later ON SCHEDULE AT NOW() + INTERVAL 1 DAY ON COMPLETION PRESERVE"+body+"('later', @@server_uuid)",
			"CREATE EVENT r.stuck ON SCHEDULE EVERY 1 SECOND"+body+"('stuck', @@server_uuid)")
		a.execOnce("SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+05:30', NAMES latin1",
			"CREATE DEFINER = 'o''ner'@'10.%' EVENT d.\"\xe9t\xe9 `\\\" ON SCHEDULE EVERY 1 SECOND"+strings.ReplaceAll(body, "event", `"event"`)+"('summer', @@server_uuid)")
		const summer = "été `\\"
		before := map[string]string{summer: a.definition(summer), "later": a.definition("later")}
		for _, event := range []string{"runs", "once", "stuck", "summer"} {
			a.until(ranOn(event, a), "1")
		}
		a.until("SELECT status FROM information_schema.events WHERE event_name = 'once'", "DISABLED")
		a.settles()

		t.Run("at rest the source writes nothing", func(t *testing.T) {
			a.quiet(t, b, c)
			executed := a.observe().MySQL.Executed
			for range 3 {
				if did := a.tend(); len(did) > 0 {
					t.Errorf("tending did %q", did)
				}
			}
			if got := a.observe().MySQL; got.Executed != executed || got.EventScheduler {
				t.Errorf("executed %s, was %s; the scheduler that was switched off by hand runs: %v", got.Executed, executed, got.EventScheduler)
			}
			a.exec("SET GLOBAL event_scheduler = ON")
		})

		switchover := func(t *testing.T, from, to, other *member) []string {
			t.Helper()
			if err := from.e.Close(from.context(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			from.record = engine.RoleRecord{Role: engine.RoleIsolated}
			executed := from.observe().MySQL.Executed
			to.until("SELECT GTID_SUBSET("+literal(executed)+", @@global.gtid_executed)", "1")
			to.promote(from, other)
			other.follow(to)
			from.follow(to)
			return to.settles()
		}
		asBefore := func(t *testing.T, m *member) {
			t.Helper()
			for event, want := range map[string]string{"never": "DISABLED", "once": "DISABLED", "elsewhere": "REPLICA_SIDE_DISABLED", "later": "ENABLED", summer: "ENABLED"} {
				m.hasStatus(t, event, want)
			}
			for event, want := range before {
				if got := m.definition(event); got != want {
					t.Errorf("got\n%s, want\n%s", got, want)
				}
			}
			for _, event := range []string{"runs", "summer"} {
				m.until(ranOn(event, m), "1")
			}
			if got := m.scalar("SELECT GROUP_CONCAT(DISTINCT event) FROM d.ran WHERE event IN ('never', 'elsewhere')"); got != "" {
				t.Errorf("these ran: %s", got)
			}
			if got := m.scalar("SELECT COUNT(*) FROM d.ran WHERE event = 'once'"); got != "1" {
				t.Errorf("the once-only event ran %s times", got)
			}
		}

		t.Run("after a switchover those run that ran before", func(t *testing.T) {
			b.spoil("ALTER SCHEMA r READ ONLY = 1")
			did := switchover(t, a, b, c)
			asBefore(t, b)
			t.Run("and one that cannot be altered is reported, and keeps no other from it", func(t *testing.T) {
				containsWords(t, did, "cannot ENABLE the event `r`.`stuck`")
				b.hasStatus(t, "stuck", "REPLICA_SIDE_DISABLED")
				b.until(ranOn("stuck", b), "0")
				if did := b.tend(); len(did) > 0 {
					t.Errorf("it is tried for ever: %q", did)
				}
			})
			a.hasStatus(t, "runs", "ENABLED")
			if a.observe().MySQL.EventScheduler {
				t.Error("the former source runs events")
			}
		})
		t.Run("and after one back, with what was changed meanwhile", func(t *testing.T) {
			b.exec("SET GLOBAL event_scheduler = OFF", every("younger"), "ALTER EVENT d.runs DISABLE", "ALTER EVENT d.never COMMENT 'x'",
				"SET GLOBAL event_scheduler = ON")
			// As one that has run for the last time: the former source has it enabled still.
			b.execOnce("SET SESSION sql_log_bin = 0", "ALTER EVENT d.later DISABLE")
			b.settles()
			a.hasStatus(t, "later", "ENABLED")
			switchover(t, b, a, c)
			for _, event := range []string{"runs", "later"} {
				a.hasStatus(t, event, "DISABLED")
			}
			a.until(ranOn("younger", a), "1")
			a.exec("ALTER EVENT d.runs ENABLE", "ALTER EVENT d.later ENABLE")
			asBefore(t, a)
		})
		t.Run("and after a failover", func(t *testing.T) {
			// What a killed source alone had would be errant.
			a.settles()
			a.quiet(t, b, c)
			a.server.KillAlone()
			b.isolate()
			c.isolate()
			c.promote(a, b)
			b.follow(c)
			c.settles()
			asBefore(t, c)
			c.until(ranOn("younger", c), "1")
			t.Run("which leaves no transaction that others lack", func(t *testing.T) {
				a.record = engine.RoleRecord{Role: engine.RoleReplica, Acknowledge: true, Upstream: c.upstream()}
				a.run()
				a.follow(c)
				c.quiet(t, a, b)
				for _, m := range []*member{a, b} {
					if did := m.tend(); len(did) > 0 {
						t.Errorf("%s: %q", m.name, did)
					}
				}
			})
		})
	})
}
