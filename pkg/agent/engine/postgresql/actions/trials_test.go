// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// TestWhatUsersReportedComesBackOnARealServer backs up and restores what users of other
// tools have reported to be lost.
func TestWhatUsersReportedComesBackOnARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, "")
		major := p.major()
		take := func(t *testing.T, databases ...string) map[string]string {
			t.Helper()
			params := logical(t.TempDir())
			params.Databases = databases
			return p.must(op("b", params, nil))
		}
		restore := func(t *testing.T, from map[string]string, databases ...string) map[string]string {
			t.Helper()
			return p.must(op("r", &operation.Restore{Source: from["location"], Databases: databases, Overwrite: true}, nil))
		}
		same := func(t *testing.T, query, want string) {
			t.Helper()
			if got := p.value("postgres", query); got != want {
				t.Errorf("%s: got %q, want %q", query, got, want)
			}
		}

		t.Run("roles that an account other than the first superuser granted", func(t *testing.T) {
			p.sql("postgres", "CREATE ROLE prov LOGIN PASSWORD 'x' CREATEDB CREATEROLE")
			// Who creates a role becomes a member of it as it wishes since 16; before, it
			// may grant itself any.
			before, after := "SET createrole_self_grant = 'set, inherit'", "SELECT 1"
			if major < 16 {
				before, after = after, "GRANT app_owner TO prov"
			}
			p.as("prov", before, "CREATE ROLE app_owner", after, "CREATE ROLE app LOGIN PASSWORD 'x'", "GRANT app_owner TO app", "CREATE DATABASE ledger OWNER app_owner")
			taken := take(t)
			p.sql("postgres", "DROP DATABASE ledger", "DROP ROLE app", "DROP ROLE app_owner")
			restore(t, taken, "ledger")
			same(t, "SELECT pg_has_role('app', 'app_owner', 'member') AND pg_has_role('prov', 'app_owner', 'member')", "true")
			same(t, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'ledger'", "app_owner")
			p.sql("postgres", "DROP DATABASE ledger", "DROP ROLE app", "DROP ROLE app_owner")
		})
		t.Run("attributes of databases, and grants of parameters", func(t *testing.T) {
			rules := ""
			if major >= 16 {
				rules = " LOCALE_PROVIDER icu ICU_LOCALE 'en' ICU_RULES '&a < g' TEMPLATE template0"
			}
			p.sql("postgres", "CREATE DATABASE lim CONNECTION LIMIT 7", "CREATE DATABASE tpl IS_TEMPLATE true", "CREATE DATABASE ruled"+rules,
				"CREATE DATABASE shut CONNECTION LIMIT 9", "CREATE ROLE dba2")
			p.sql("shut", "CREATE TABLE public.t AS SELECT 1 AS i")
			p.sql("postgres", "ALTER DATABASE shut ALLOW_CONNECTIONS false")
			attributes := "SELECT string_agg(concat_ws(' ', datname, datconnlimit, datistemplate, datallowconn), ', ' ORDER BY datname) FROM pg_database WHERE datname IN ('lim', 'tpl', 'ruled', 'shut')"
			if major >= 15 {
				p.sql("postgres", "GRANT SET ON PARAMETER log_min_duration_statement TO dba2")
			}
			want := "lim 7 f t, ruled -1 f t, shut 9 f f, tpl -1 t t"
			same(t, attributes, want)
			taken := take(t)
			same(t, attributes, want)
			if taken["leftOut"] != "" {
				t.Errorf("left out: %s", taken["leftOut"])
			}
			for _, there := range []bool{false, true} {
				if !there {
					p.sql("postgres", "DROP DATABASE lim", "DROP DATABASE ruled", "ALTER DATABASE tpl IS_TEMPLATE false", "DROP DATABASE tpl", "DROP DATABASE shut", "DROP OWNED BY dba2", "DROP ROLE dba2")
				}
				restore(t, taken, "lim", "ruled", "tpl", "shut")
				same(t, attributes, want)
				same(t, "SELECT count(*) FROM pg_database WHERE datname LIKE 'unit_agent%'", "0")
				if major >= 16 {
					same(t, "SELECT daticurules FROM pg_database WHERE datname = 'ruled'", "&a < g")
				}
				if major >= 15 {
					same(t, "SELECT has_parameter_privilege('dba2', 'log_min_duration_statement', 'SET')", "true")
				}
			}
			p.sql("postgres", "ALTER DATABASE shut ALLOW_CONNECTIONS true")
			if got := p.value("shut", "SELECT i FROM public.t"); got != "1" {
				t.Errorf("in the closed database: %q", got)
			}
			p.sql("postgres", "DROP DATABASE lim", "DROP DATABASE ruled", "ALTER DATABASE tpl IS_TEMPLATE false", "DROP DATABASE tpl", "DROP DATABASE shut")
		})
		t.Run("a target that takes no connections", func(t *testing.T) {
			p.sql("postgres", "CREATE DATABASE shut")
			taken := take(t, "shut")
			p.sql("postgres", "ALTER DATABASE shut ALLOW_CONNECTIONS false")
			if _, err := p.run(op("r", &operation.Restore{Source: taken["location"]}, nil)); operations.ReasonOf(err) != "WouldOverwrite" || !strings.Contains(err.Error(), "shut") {
				t.Errorf("got %v", err)
			}
			restore(t, taken)
			same(t, "SELECT datallowconn FROM pg_database WHERE datname = 'shut'", "true")
			p.sql("postgres", "DROP DATABASE shut")
		})
		t.Run("limits for clients", func(t *testing.T) {
			p.sql("postgres", "CREATE DATABASE slow")
			p.sql("slow", "CREATE TABLE public.t AS SELECT i, repeat('x', 1000) AS v FROM generate_series(1, 50000) i", "CREATE INDEX ON public.t (v, i)")
			var limits []string
			for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "idle_session_timeout"} {
				if p.value("postgres", "SELECT count(*) FROM pg_settings WHERE name = '"+name+"'") == "1" {
					limits = append(limits, name)
				}
			}
			for _, name := range limits {
				p.sql("postgres", "ALTER ROLE ALL SET "+name+" = '5ms'", "ALTER DATABASE slow SET "+name+" = '5ms'")
			}
			p.sql("postgres", "ALTER ROLE ALL SET default_transaction_read_only = on")
			taken := take(t, "slow")
			restore(t, taken)
			for _, name := range limits {
				p.sql("postgres", "SET default_transaction_read_only = off", "ALTER ROLE ALL RESET "+name)
			}
			p.sql("postgres", "SET default_transaction_read_only = off", "ALTER ROLE ALL RESET default_transaction_read_only")
			if got := p.value("slow", "SELECT count(*) FROM public.t"); got != "50000" {
				t.Errorf("got %s", got)
			}
			p.sql("postgres", "DROP DATABASE slow")
		})
		t.Run("a database that is half dropped", func(t *testing.T) {
			p.sql("postgres", "CREATE DATABASE half", "CREATE DATABASE fine")
			halves := take(t, "half")
			p.sql("postgres", "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'")
			taken := take(t)
			if !strings.Contains(taken["leftOut"], "half") {
				t.Errorf("left out: %q", taken["leftOut"])
			}
			if _, err := p.run(op("b", &operation.LogicalBackup{BackupType: operation.Full, Destination: location(t.TempDir()), Databases: []string{"half"}}, nil)); err == nil || !strings.Contains(err.Error(), "half dropped") {
				t.Errorf("got %v", err)
			}
			restore(t, halves)
			same(t, "SELECT datconnlimit FROM pg_database WHERE datname = 'half'", "-1")
			p.sql("postgres", "DROP DATABASE half", "DROP DATABASE fine")
		})
		t.Run("a server without the database postgres", func(t *testing.T) {
			p.sql("postgres", "CREATE DATABASE kept")
			p.sql("kept", "DROP DATABASE postgres WITH (FORCE)")
			check := func() {
				t.Helper()
				if err := p.engine.Check(t.Context()); err != nil {
					t.Errorf("the server is not Ready: %v", err)
				}
				if _, err := p.engine.Observe(t.Context()); err != nil {
					t.Error(err)
				}
			}
			check()
			check()
			// Nobody but for a moment is connected to what databases are made from.
			p.sql("kept", "CREATE DATABASE made")
			taken := take(t)
			restore(t, taken)
			p.sql("kept", "CREATE DATABASE postgres")
			check()
			if got := p.value("kept", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND usename = 'unit_agent'"); got != "1" {
				t.Errorf("%s connections to the new database postgres", got)
			}
			p.sql("postgres", "DROP DATABASE kept", "DROP DATABASE made")
		})
	})
}

// as runs statements as another role.
func (p *pod) as(role string, statements ...string) {
	p.t.Helper()
	conn := p.conn("postgres")
	defer conn.Close(context.Background())
	for _, s := range append([]string{"SET SESSION AUTHORIZATION " + pgx.Identifier{role}.Sanitize()}, statements...) {
		if _, err := conn.Exec(p.t.Context(), s); err != nil {
			p.t.Fatalf("%s: %v", s, err)
		}
	}
}
