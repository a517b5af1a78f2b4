// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestOnlyMissingRolesAreMade(t *testing.T) {
	g := globals{
		Roles: []role{
			{Name: "b", Inherit: true, Limit: -1}, {Name: "new one", Login: true, Inherit: true, Limit: 3, Verifier: "SCRAM-SHA-256$4096:x", ValidUntil: "2030-01-01 00:00:00+00", Comment: "it's"},
			{Name: "postgres", Superuser: true, Verifier: "md5x"},
		},
		Memberships: []membership{
			{Role: "new one", Member: "postgres", Admin: true, Inherit: false, Set: true, Options: true}, {Role: "pg_monitor", Member: "b", Admin: true, Inherit: true, Set: true, Options: true},
			{Role: "pg_of_a_newer_server", Member: "b"}, {Role: "pg_monitor", Member: "postgres"},
		},
		Settings:   []roleSetting{{"new one", "search_path", "a, b"}, {"postgres", "work_mem", "1MB"}},
		Parameters: []parameterGrant{{"log_min_duration_statement", "b", "SET", true}, {"work_mem", "postgres", "SET", false}},
	}
	exists := map[string]bool{"postgres": true, "pg_monitor": true}
	made := []string{
		`CREATE ROLE "b" WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1`,
		`CREATE ROLE "new one" WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 3 PASSWORD 'SCRAM-SHA-256$4096:x' VALID UNTIL '2030-01-01 00:00:00+00'`,
		`COMMENT ON ROLE "new one" IS 'it''s'`,
		`ALTER ROLE "new one" SET "search_path" = 'a', 'b'`,
	}
	for _, tc := range []struct {
		major int
		want  []string
	}{
		{17, []string{
			`GRANT "new one" TO "postgres" WITH ADMIN TRUE, INHERIT FALSE, SET TRUE`, `GRANT "pg_monitor" TO "b" WITH ADMIN TRUE, INHERIT TRUE, SET TRUE`,
			`GRANT SET ON PARAMETER "log_min_duration_statement" TO "b" WITH GRANT OPTION`,
		}},
		{14, []string{`GRANT "new one" TO "postgres" WITH ADMIN OPTION`, `GRANT "pg_monitor" TO "b" WITH ADMIN OPTION`}},
	} {
		if diff := cmp.Diff(append(slices.Clone(made), tc.want...), g.missing(exists, tc.major)); diff != "" {
			t.Errorf("%d: %s", tc.major, diff)
		}
	}
}

func TestSkipTables(t *testing.T) {
	for _, tc := range []struct {
		glob, database, schema, table string
		want                          bool
	}{
		{"app.log", "app", "public", "log", true},
		{"app.log_*", "app", "audit", "log_1", true},
		{"app.audit.*", "app", "audit", "x", true},
		{"app.audit.*", "app", "public", "x", false},
		{"app.log", "other", "public", "log", false},
		{"*.log", "other", "public", "log", true},
		{"app.log", "app", "public", "log2", false},
	} {
		if got := skipped([]string{tc.glob}, tc.database, tc.schema, tc.table); got != tc.want {
			t.Errorf("%s for %s.%s.%s: %t", tc.glob, tc.database, tc.schema, tc.table, got)
		}
	}
}

const odd = `odd "n/ä'me`

// fill a unit with what a backup must bring back.
func (p *pod) fill() {
	p.t.Helper()
	p.sql("postgres", "CREATE ROLE owner LOGIN PASSWORD 'owners-secret'", `CREATE ROLE "rea;der"`, `GRANT "rea;der" TO owner`, "CREATE DATABASE app OWNER owner", `CREATE DATABASE "odd ""n/ä'me"`,
		"ALTER DATABASE app SET search_path = deep, public", "ALTER ROLE owner IN DATABASE app SET work_mem = '5MB'", "REVOKE CONNECT ON DATABASE app FROM PUBLIC", `GRANT CONNECT ON DATABASE app TO "rea;der"`)
	p.sql("app", "CREATE SCHEMA deep AUTHORIZATION owner", "CREATE TABLE deep.t (id bigserial PRIMARY KEY, v text, b bytea)", "ALTER TABLE deep.t OWNER TO owner",
		"INSERT INTO deep.t (v, b) SELECT repeat(chr(i % 5000 + 200), 20) || E'\\n\\\\', decode(md5(i::text), 'hex') FROM generate_series(1, 20000) i",
		"CREATE TABLE public.log_old (i int)", "INSERT INTO public.log_old VALUES (1)", `GRANT SELECT ON deep.t TO "rea;der"`)
	p.sql(odd, "CREATE TABLE t AS SELECT i, i * 2 AS j FROM generate_series(1, 100) i")
}

func location(dir string) string { return "file://" + dir + "/" }

func logical(dir string) *operation.LogicalBackup {
	return &operation.LogicalBackup{BackupType: operation.Full, Compression: operation.Zstd, Destination: location(dir)}
}

func TestLogicalBackupOfARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, "")
		p.fill()
		dir := t.TempDir()
		key := map[string][]byte{"encryption.key": []byte(strings.Repeat("k", 32))}
		before, oddBefore := p.checksum("app", "deep.t"), p.checksum(odd, "t")
		params := logical(dir)
		params.Encryption, params.SkipTables = operation.AES256, []string{"app.log_*"}
		backupResult := p.must(op("b", params, key))
		if !strings.HasPrefix(backupResult["location"], location(dir)) {
			t.Errorf("result %v", backupResult)
		}
		source := backupResult["location"]

		t.Run("an incremental one is refused, with the way out", func(t *testing.T) {
			_, err := p.run(op("i", &operation.LogicalBackup{BackupType: operation.Incremental, Destination: location(dir)}, nil))
			if operations.ReasonOf(err) != "Unsupported" || !strings.Contains(err.Error(), "physical-backup") {
				t.Error(err)
			}
		})
		t.Run("a database that is not there is named", func(t *testing.T) {
			params := logical(t.TempDir())
			params.Databases = []string{"app", "nowhere"}
			if _, err := p.run(op("n", params, nil)); operations.ReasonOf(err) != "UnknownDatabase" || !strings.Contains(err.Error(), "nowhere") {
				t.Error(err)
			}
		})
		t.Run("content is not replaced unless it is meant", func(t *testing.T) {
			_, err := p.run(op("r", &operation.Restore{Source: source}, key))
			if operations.ReasonOf(err) != "WouldOverwrite" || !strings.Contains(err.Error(), "app") {
				t.Error(err)
			}
		})
		t.Run("the wrong key is said before anything is done", func(t *testing.T) {
			_, err := p.run(op("r", &operation.Restore{Source: source, Overwrite: true}, map[string][]byte{"encryption.key": []byte(strings.Repeat("x", 32))}))
			if operations.ReasonOf(err) != "EncryptionKeyWrong" {
				t.Error(err)
			}
		})
		t.Run("one database comes back under another name", func(t *testing.T) {
			p.must(op("r", &operation.Restore{Source: source, Databases: []string{"app"}, TargetDatabase: "copy"}, key))
			if got := p.checksum("copy", "deep.t"); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			if got := p.value("copy", "SELECT to_regclass('public.log_old')"); got != "" {
				t.Errorf("the skipped table is there: %s", got)
			}
			p.sql("postgres", "DROP DATABASE copy")
		})
		t.Run("all come back where they were, with clients connected", func(t *testing.T) {
			p.sql("app", "DELETE FROM deep.t WHERE id % 2 = 0", "CREATE TABLE public.later (i int)")
			client := p.conn("app")
			defer client.Close(context.Background())
			p.must(op("r", &operation.Restore{Source: source, Overwrite: true}, key))
			if got := p.checksum("app", "deep.t"); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			if got := p.checksum(odd, "t"); got != oddBefore {
				t.Errorf("got %s, want %s", got, oddBefore)
			}
			if got := p.value("app", "SELECT to_regclass('public.later')"); got != "" {
				t.Errorf("what was made later is there: %s", got)
			}
			if got, want := p.databases(), "app "+odd+" postgres"; got != want {
				t.Errorf("databases %s, want %s", got, want)
			}
			p.sql("app", "INSERT INTO deep.t (v) VALUES ('the sequence goes on')")
		})
		t.Run("properties and grants come back", func(t *testing.T) {
			for query, want := range map[string]string{
				"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'app'":                                                                                                                                    "owner",
				"SELECT string_agg(c, ' ' ORDER BY c) FROM pg_db_role_setting, unnest(setconfig) c WHERE setdatabase <> 0":                                                                                                 `search_path=deep, public work_mem=5MB`,
				`SELECT has_database_privilege('rea;der', 'app', 'CONNECT') AND NOT EXISTS (SELECT FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = 'app' AND a.grantee = 0 AND a.privilege_type = 'CONNECT')`: "true",
			} {
				if got := p.value("postgres", query); got != want {
					t.Errorf("%s: got %s, want %s", query, got, want)
				}
			}
			if got := p.value("app", "SELECT has_table_privilege('rea;der', 'deep.t', 'SELECT')"); got != "true" {
				t.Errorf("got %s", got)
			}
		})
		t.Run("on another unit the roles are made, with their passwords", func(t *testing.T) {
			q := newPod(t, box, "b", 5433, "")
			q.must(op("r", &operation.Restore{Source: source}, key))
			if got := q.checksum("app", "deep.t"); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			if a, b := p.value("postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'owner'"), q.value("postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'owner'"); a != b {
				t.Error("another password")
			}
			if got := q.value("postgres", "SELECT pg_has_role('owner', 'rea;der', 'MEMBER')"); got != "true" {
				t.Errorf("got %s", got)
			}
			if strings.Contains(q.Server.Log(), "SCRAM-SHA-256$4096") {
				t.Error("a verifier is in the log")
			}
		})
		t.Run("damage leaves everything as it is", func(t *testing.T) {
			p.sql("app", "DELETE FROM deep.t WHERE v = 'the sequence goes on'", "CREATE TABLE public.kept (i int)")
			paths, err := filepath.Glob(filepath.Join(dir, "*", "databases", "app.dump*"))
			if err != nil || len(paths) != 1 {
				t.Fatal(paths, err)
			}
			content, err := os.ReadFile(paths[0])
			if err != nil {
				t.Fatal(err)
			}
			content[len(content)-100] ^= 1
			if err := os.WriteFile(paths[0], content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = p.run(op("r", &operation.Restore{Source: source, Overwrite: true}, key))
			if operations.ReasonOf(err) != "BackupCorrupt" {
				t.Error(err)
			}
			if got := p.value("app", "SELECT to_regclass('public.kept')"); got != "kept" {
				t.Errorf("got %q", got)
			}
			if got, want := p.databases(), "app "+odd+" postgres"; got != want {
				t.Errorf("databases %s, want %s", got, want)
			}
		})
	})
}

func TestALogicalRestoreThatIsInterruptedGoesBack(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, "")
		p.fill()
		dir := t.TempDir()
		p.must(op("b", logical(dir), nil))
		p.sql("app", "CREATE TABLE public.kept (i int)")
		before := p.checksum("app", "deep.t")
		for _, phase := range []string{phaseExchange, phaseDrop} {
			t.Run(phase, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				o := op("r", &operation.Restore{Source: location(dir), Overwrite: true}, nil)
				o.Fault = func(entered string) error {
					if entered == phase {
						cancel()
						return errors.New("the agent ends")
					}
					return nil
				}
				action := New(p.deps())[operation.ActionRestore]
				if _, err := action.Run(ctx, o); err == nil {
					t.Fatal("it succeeded")
				}
				if err := action.(operations.Abandoner).Abandon(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				if got, want := p.databases(), "app "+odd+" postgres"; got != want {
					t.Errorf("databases %s, want %s", got, want)
				}
				if got := p.value("app", "SELECT to_regclass('public.kept')"); got != "kept" {
					t.Errorf("got %q", got)
				}
				if got := p.checksum("app", "deep.t"); got != before {
					t.Errorf("got %s, want %s", got, before)
				}
			})
		}
	})
}
