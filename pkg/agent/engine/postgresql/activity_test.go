// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

func TestDefinition(t *testing.T) {
	for statement, want := range map[string]string{
		"ALTER TABLE secret ADD COLUMN c text DEFAULT 'secret'": "ALTER TABLE",
		"  create\n unique index concurrently secret on t (c)":  "CREATE UNIQUE INDEX CONCURRENTLY",
		"CREATE OR REPLACE FUNCTION secret() RETURNS int AS ''": "CREATE OR REPLACE FUNCTION",
		"ALTER ROLE secret PASSWORD 'secret'":                   "ALTER ROLE",
		"TRUNCATE secret":                                       "TRUNCATE",
		"/* secret */ -- secret\n DROP SCHEMA secret":           "DROP SCHEMA",
		"VACUUM (FULL, ANALYZE) secret":                         "VACUUM FULL",
		"VACUUM FULL":                                           "VACUUM FULL",
		"VACUUM secret":                                         "",
		"REFRESH MATERIALIZED VIEW secret":                      "REFRESH MATERIALIZED VIEW",
		"SELECT 'ALTER TABLE secret'":                           "",
		"INSERT INTO secret VALUES ('create table')":            "",
		"altering":                    "",
		"/* ALTER TABLE":              "",
		"":                            "",
		`CREATE TABLE"secret"(c int)`: "CREATE",
		"CREATE TABLE(c int)":         "CREATE TABLE",
		"DROP TABLE; DROP TABLE":      "DROP TABLE",
	} {
		if got := definition(statement); got != want {
			t.Errorf("%q: got %q, want %q", statement, got, want)
		}
	}
}

func TestActivityOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		m := newMember(t, box, "busy", 5440)
		m.source(asSource(engine.DurabilityAsync, 0))
		m.sql("CREATE ROLE app LOGIN PASSWORD 'app'", "CREATE TABLE t (i int)", "GRANT ALL ON SCHEMA public TO app", "ALTER TABLE t OWNER TO app")
		if a, err := m.e.Activity(m.ctx()); err != nil || len(a.Transactions)+len(a.Definitions) > 0 {
			t.Errorf("of nobody but the agent: %+v, %v", a, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		client := func() *pgx.Conn {
			conn, err := pgx.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=app password=app dbname=postgres sslmode=disable", m.env.SQLPort))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { disconnect(context.Background(), conn) })
			return conn
		}
		writer, reader, definer := client(), client(), client()
		for _, s := range []string{"BEGIN", "INSERT INTO t VALUES (1)"} {
			if _, err := writer.Exec(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range []string{"BEGIN", "SELECT 1"} {
			if _, err := reader.Exec(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		ended := make(chan error, 1)
		go func() {
			_, err := definer.Exec(ctx, "ALTER TABLE t ADD COLUMN secret text")
			ended <- err
		}()
		pid := func(conn *pgx.Conn) int64 { return int64(conn.PgConn().PID()) }
		var got engine.Activity
		m.eventually("they are not listed", func() bool {
			var err error
			if got, err = m.e.Activity(m.ctx()); err != nil {
				t.Fatal(err)
			}
			return len(got.Transactions) == 3 && len(got.Definitions) == 1 && got.Definitions[0].Seconds >= 1
		})
		for i := range got.Transactions {
			if s := got.Transactions[i].Seconds; s < 1 || s > 60 {
				t.Errorf("open for %d seconds", s)
			}
			got.Transactions[i].Seconds = 0
		}
		got.Definitions[0].Seconds = 0
		want := engine.Activity{
			Transactions: []engine.Transaction{
				{Session: pid(writer), User: "app", Host: "127.0.0.1", RowsModified: 1},
				{Session: pid(reader), User: "app", Host: "127.0.0.1"},
				{Session: pid(definer), User: "app", Host: "127.0.0.1", RowsModified: 1},
			},
			Definitions: []engine.Statement{{Session: pid(definer), User: "app", Host: "127.0.0.1", Kind: "ALTER TABLE"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		cancel()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Error("the statement does not end")
		}
		m.server.Stop()
	})
}
