// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	_ "embed"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/operation"
)

// zooObjects are objects of every kind that pg_dump names.
//
//go:embed testdata/zoo.sql
var zooObjects string

// zooDatabases are those that the zoo is in.
var zooDatabases = []string{"zoo", `odd "db" 'é' $1`, "postgres"}

// makeZoo makes what the restores are compared with.
func (p *pod) makeZoo() {
	p.t.Helper()
	p.sql("postgres", "CREATE ROLE keeper LOGIN PASSWORD 'keepers' CREATEDB CONNECTION LIMIT 5 VALID UNTIL '2099-01-01 00:00:00+00'", "CREATE ROLE visitor NOINHERIT BYPASSRLS",
		`CREATE ROLE "Odd ""role"" 'ü'" IN ROLE keeper ADMIN visitor`, "COMMENT ON ROLE keeper IS 'of a role'", "ALTER ROLE keeper SET search_path = zoo, \"$user\"", "ALTER ROLE visitor SET DateStyle = 'SQL, DMY'",
		"GRANT pg_read_all_data TO visitor", "GRANT SET, ALTER SYSTEM ON PARAMETER log_statement TO keeper WITH GRANT OPTION",
		"CREATE DATABASE zoo OWNER keeper TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' CONNECTION LIMIT 50", "COMMENT ON DATABASE zoo IS 'it''s\n\\of a database'",
		"ALTER DATABASE zoo SET timezone = 'Asia/Kathmandu'", "ALTER DATABASE zoo SET \"custom.setting\" = 'x ''y'' \"z\"'", "ALTER ROLE visitor IN DATABASE zoo SET statement_timeout = '1h'",
		"GRANT CREATE, CONNECT ON DATABASE zoo TO visitor WITH GRANT OPTION", "REVOKE TEMPORARY ON DATABASE zoo FROM PUBLIC",
		"CREATE DATABASE "+postgresql.Identifier(zooDatabases[1])+" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' IS_TEMPLATE true")
	conn := p.conn("zoo")
	defer conn.Close(context.Background())
	if _, err := conn.PgConn().Exec(p.t.Context(), zooObjects).ReadAll(); err != nil {
		p.t.Fatal(err)
	}
	p.sql(zooDatabases[1], `CREATE TABLE "ä" ("ö" text)`, `INSERT INTO "ä" VALUES (E'\u00ff\u00e9')`)
	p.sql("postgres", "CREATE TABLE public.of_the_home (i integer)", "INSERT INTO public.of_the_home VALUES (1)", "COMMENT ON SCHEMA public IS 'another one'")
}

// portraits of a server: what it has for itself, and of each database of the zoo.
func (p *pod) portraits() map[string][]string {
	p.t.Helper()
	out := map[string][]string{"the server": p.portrait("postgres", true)}
	for _, name := range zooDatabases {
		out[name] = p.portrait(name, false)
	}
	return out
}

// TestZooOfObjectsComesBackOnARealServer compares by the server's own catalog.
func TestZooOfObjectsComesBackOnARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, "")
		p.makeZoo()
		want := p.portraits()
		if n := len(want["zoo"]); n < 500 {
			t.Errorf("the portrait of the zoo has %d lines: it shows less than is there", n)
		}
		same := func(t *testing.T, q *pod) {
			t.Helper()
			got := q.portraits()
			for name := range want {
				if diff := cmp.Diff(want[name], got[name]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		}
		logicalDir, physicalDir := t.TempDir(), t.TempDir()
		taken := p.must(op("b", logical(logicalDir), nil))
		if taken["leftOut"] != "" {
			t.Errorf("left out: %s", taken["leftOut"])
		}
		copied := p.must(op("f", physical(physicalDir, operation.Full), nil))
		if copied["leftOut"] != "the rows of zoo.zoo.unlogged (it is unlogged)" {
			t.Errorf("of the physical backup is left out: %q", copied["leftOut"])
		}
		if diff := cmp.Diff(want, p.portraits()); diff != "" {
			t.Errorf("the backups have changed the server (-want +got):\n%s", diff)
		}
		empty := newPod(t, box, "b", 5433, "")
		t.Run("restored from a logical backup into an empty unit", func(t *testing.T) {
			empty.must(op("r", &operation.Restore{Source: location(logicalDir)}, nil))
			same(t, empty)
		})
		t.Run("restored over itself", func(t *testing.T) {
			empty.must(op("r", &operation.Restore{Source: location(logicalDir), Overwrite: true}, nil))
			same(t, empty)
		})
		t.Run("restored from a physical backup", func(t *testing.T) {
			empty.must(op("r", &operation.Restore{Source: location(physicalDir), Overwrite: true}, nil))
			p.sql("zoo", "TRUNCATE zoo.unlogged")
			want["zoo"] = p.portrait("zoo", false)
			same(t, empty)
		})
	})
}
