// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

func TestMain(m *testing.M) { enginetest.Main(m, postgresql.New) }

// connected to a new server as its superuser.
func connected(t *testing.T, box *enginetest.Box) (*postgresql.Engine, *pgx.Conn) {
	t.Helper()
	e := postgresql.New(box.Env(t)).(*postgresql.Engine)
	const config = "shared_buffers = 16MB\nwal_level = replica\nmax_wal_senders = 50\nmax_replication_slots = 100\nlog_min_messages = warning\n"
	start := engine.Start{Files: map[string][]byte{"postgresql.conf": []byte(config)}, ConfigHash: "h"}
	box.Initialize(t, e, start)
	box.Start(t, e, start)
	conn, err := pgx.ConnectConfig(t.Context(), connection(t, box))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return e, conn
}

func connection(t *testing.T, box *enginetest.Box) *pgx.ConnConfig {
	t.Helper()
	c, err := pgx.ParseConfig("dbname=postgres sslmode=disable user=" + engine.AgentUser)
	if err != nil {
		t.Fatal(err)
	}
	c.Host = box.Env(t).SocketDir
	return c
}

// set the setting, and wait until it is in force. The server parses it before it accepts it.
func set(t *testing.T, conn *pgx.Conn, setting string) error {
	t.Helper()
	if _, err := conn.Exec(t.Context(), "ALTER SYSTEM SET synchronous_standby_names = '"+strings.ReplaceAll(setting, "'", "''")+"'"); err != nil {
		return err
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	eventually(t, conn, "SELECT current_setting('synchronous_standby_names')", setting)
	return nil
}

func eventually(t *testing.T, conn *pgx.Conn, query, want string) {
	t.Helper()
	var got string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := conn.QueryRow(t.Context(), query).Scan(&got); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if got == want {
			return
		}
	}
	t.Fatalf("%s: got %q, want %q", query, got, want)
}

func TestSynchronousStandbyNamesOfAServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		_, conn := connected(t, box)
		t.Run("what the server refuses is refused", func(t *testing.T) {
			for name, in := range settings.Refused {
				if err := set(t, conn, in); err == nil {
					t.Errorf("%s: the server takes %q", name, in)
				}
			}
			for _, in := range []string{"", "*", "a, b", "2(a,b,c)", "FIRST 2 (a, b)", "aNy 1\t(\"a\"\"b\",\"\")", "1, 2", "7", "anybody, first_one", "ANY 1 (größe)", "ANY 007 (a)", "ANY 9 (a)", `"any", "FIRST"`, "a$b"} {
				s, err := settings.ParseSync(in)
				if err != nil {
					t.Errorf("%q: %v", in, err)
					continue
				}
				for _, text := range []string{in, s.String()} {
					if err := set(t, conn, text); err != nil {
						t.Errorf("%q: %v", text, err)
					}
				}
			}
		})
		t.Run("random texts", func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			pieces := []string{"ANY", "first", "1", "20", "0", "(", ")", ",", ",", " ", "a", "b_1", "*", `"`, `""`, `"x"`, "-", ".", "$", "ä", "'"}
			for range 1000 {
				var b strings.Builder
				for range 1 + rng.IntN(8) {
					b.WriteString(pieces[rng.IntN(len(pieces))])
				}
				_, ours := settings.ParseSync(b.String())
				_, err := conn.Exec(t.Context(), "ALTER SYSTEM SET synchronous_standby_names = '"+strings.ReplaceAll(b.String(), "'", "''")+"'")
				if (err == nil) != (ours == nil) {
					t.Errorf("seed %d: %q: the server says %v, we say %v", seed, b.String(), err, ours)
				}
			}
		})
		t.Run("units of awkward names are waited for, and nobody else", func(t *testing.T) {
			units := []string{"any-0", "first-0", "a-b-0", "0-1", "any", "a.b", strings.Repeat("n", 59)}
			if err := set(t, conn, settings.Quorum("self", 2, units).String()); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"orders-0": "async", settings.ProvisionName("any-0"): "async", settings.ApplicationName("self"): "async"}
			for _, unit := range units {
				want[settings.ApplicationName(unit)] = "quorum"
			}
			for application := range want {
				receive(t, box, conn, application)
			}
			for application, state := range want {
				eventually(t, conn, "SELECT coalesce((SELECT sync_state FROM pg_stat_replication WHERE application_name = '"+application+"' AND state = 'streaming' AND flush_lsn IS NOT NULL), '')", state)
			}
		})
		if err := set(t, conn, ""); err != nil {
			t.Fatal(err)
		}
	})
}

// receive WAL as a standby of that name does, and say that it is stored.
func receive(t *testing.T, box *enginetest.Box, sql *pgx.Conn, application string) {
	t.Helper()
	c := connection(t, box).Config
	c.RuntimeParams = map[string]string{"application_name": application, "replication": "true"}
	conn, err := pgconn.ConnectConfig(t.Context(), &c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Second)
		defer cancel()
		conn.Close(ctx)
	})
	var at string
	var number int64
	if err := sql.QueryRow(t.Context(), "SELECT at::text, (at - '0/0')::bigint FROM pg_current_wal_flush_lsn() AS at").Scan(&at, &number); err != nil {
		t.Fatal(err)
	}
	conn.Frontend().Send(&pgproto3.Query{String: "START_REPLICATION PHYSICAL " + at})
	if err := conn.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := conn.ReceiveMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.(*pgproto3.CopyBothResponse); ok {
			break
		}
	}
	// Written, flushed and replayed up to there, no time, no answer wanted.
	status := []byte{'r'}
	for range 3 {
		status = binary.BigEndian.AppendUint64(status, uint64(number))
	}
	conn.Frontend().Send(&pgproto3.CopyData{Data: append(status, make([]byte, 9)...)})
	if err := conn.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestSlotNamesOfAServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		_, conn := connected(t, box)
		create := func(slot string) error {
			_, err := conn.Exec(t.Context(), "SELECT pg_create_physical_replication_slot($1)", slot)
			return err
		}
		for _, unit := range settings.Awkward {
			if err := create(settings.SlotName(unit)); err != nil {
				t.Errorf("%q: %v", unit, err)
			}
		}
		for _, slot := range []string{"a", "0", "_", strings.Repeat("a", 63), "", "A", "a-b", "a.b", "ä", "a b", strings.Repeat("a", 64)} {
			if err := create(slot); (err == nil) != settings.ValidSlotName(slot) {
				t.Errorf("%q is valid: %v, and the server says %v", slot, settings.ValidSlotName(slot), err)
			}
		}
	})
}

// TestConninfoOfAServer compares with what libpq reads: pg_isready prints host and port.
func TestConninfoOfAServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		e := postgresql.New(box.Env(t)).(*postgresql.Engine)
		program, err := e.Program("pg_isready")
		if err != nil {
			t.Fatal(err)
		}
		ask := func(conninfo string) string {
			// Nobody is ready, which is no success.
			out, _ := box.Run(t, program, "-d", conninfo)
			return out
		}
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 100 {
			// A directory, so that no name is looked up; a comma would be two hosts.
			host := "/" + settings.RandomText(rng, "a'\\ =\n\t\"#$", 12) + "/x"
			c := settings.Conninfo{{"host", host}, {"port", "1"}, {"application_name", settings.RandomText(rng, "a'\\ =", 8)}}
			if got, want := ask(c.String()), fmt.Sprintf("%s:1 - no response", host); got != want {
				t.Errorf("seed %d: %s: libpq reads %q, want %q", seed, c, got, want)
			}
			text := "port=1 host=/" + settings.RandomText(rng, "a'\\ =", 6)
			read, err := settings.ParseConninfo(text)
			out := ask(text)
			host, _ = read.Get("host")
			switch refused := !strings.HasSuffix(out, ":1 - no response"); {
			case err != nil && !refused:
				t.Errorf("seed %d: %q: libpq reads %q, we say %v", seed, text, out, err)
			case err == nil && !refused && out != host+":1 - no response":
				t.Errorf("seed %d: %q: libpq reads %q, we %q", seed, text, out, read)
			}
		}
	})
}
