// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wal_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
)

func TestMain(m *testing.M) { enginetest.Main(m, postgresql.New) }

// server is a directory with a database, and whatever runs on it.
type server struct {
	t   *testing.T
	box *enginetest.Box
	dir string
}

func (s server) run(program string, args ...string) string {
	s.t.Helper()
	path, err := postgresql.New(s.box.Env(s.t)).(*postgresql.Engine).Program(program)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := s.box.Run(s.t, path, args...)
	if err != nil {
		s.t.Fatalf("%s %v: %v: %s", program, args, err, out)
	}
	return out
}

func newServer(t *testing.T, box *enginetest.Box) server {
	t.Helper()
	s := server{t, box, filepath.Join(box.Vars["DATA_DIR_MOUNT"], "one")}
	s.run("initdb", "-D", s.dir, "-U", "postgres", "-A", "trust", "-k", "-N")
	const config = "listen_addresses = ''\nfsync = off\nshared_buffers = 8MB\nwal_keep_size = 1GB\nrecovery_target_timeline = latest\n"
	if err := os.WriteFile(filepath.Join(s.dir, "postgresql.conf"), []byte(config+"unix_socket_directories = '"+box.Vars["DATA_DIR_MOUNT"]+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// copied while it is stopped.
func (s server) copied(name string) server {
	s.t.Helper()
	c := s
	c.dir = filepath.Join(filepath.Dir(s.dir), name)
	if err := os.CopyFS(c.dir, os.DirFS(s.dir)); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(c.dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// do something with a connection, as a primary or as a standby, and stop it cleanly.
func (s server) do(standby bool, f func(conn *pgx.Conn)) {
	s.t.Helper()
	if standby {
		if err := os.WriteFile(filepath.Join(s.dir, "standby.signal"), nil, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.run("pg_ctl", "-D", s.dir, "-l", s.dir+".log", "-w", "-s", "start")
	defer s.run("pg_ctl", "-D", s.dir, "-m", "fast", "-w", "-s", "stop")
	c, err := pgx.ParseConfig("user=postgres dbname=postgres host=" + s.box.Vars["DATA_DIR_MOUNT"])
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.t.Context()))
	f(conn)
}

func value(t *testing.T, conn *pgx.Conn, query string, args ...any) string {
	t.Helper()
	var out string
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&out); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// write something.
func (s server) write(conn *pgx.Conn) {
	s.t.Helper()
	if _, err := conn.Exec(s.t.Context(), "CREATE TABLE IF NOT EXISTS t (i int); INSERT INTO t SELECT generate_series(1, 1000)"); err != nil {
		s.t.Fatal(err)
	}
}

// promote it, write, and read the history that it has now, up to where it was stopped.
func (s server) promote() wal.Branch {
	s.t.Helper()
	var b wal.Branch
	s.do(true, func(conn *pgx.Conn) {
		if value(s.t, conn, "SELECT pg_promote()::text") != "true" {
			s.t.Fatal("it is not promoted")
		}
		s.write(conn)
		timeline, _, err := wal.Segments{}.ParseName(value(s.t, conn, "SELECT pg_walfile_name(pg_current_wal_lsn())"))
		if err != nil {
			s.t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(s.dir, "pg_wal", timeline.FileName()))
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Logf("%s wrote %s: %q", filepath.Base(s.dir), timeline.FileName(), content)
		if b.History, err = wal.ParseHistory(timeline, string(content)); err != nil {
			s.t.Fatal(err)
		}
	})
	b.End = s.end()
	return b
}

// end of the WAL of a server that was stopped cleanly: within its last checkpoint.
func (s server) end() wal.LSN {
	s.t.Helper()
	found := regexp.MustCompile(`Latest checkpoint location: *(\S+)`).FindStringSubmatch(s.run("pg_controldata", s.dir))
	if found == nil {
		s.t.Fatal("pg_controldata prints no checkpoint")
	}
	at, err := wal.ParseLSN(found[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return at + 1
}

func TestPositionsOfAServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		newServer(t, box).do(false, func(conn *pgx.Conn) {
			digits := value(t, conn, "SELECT ('0/A'::pg_lsn)::text")
			for range 500 {
				a, b := wal.LSN(rng.Uint64()>>rng.IntN(64)), wal.LSN(rng.Uint64()>>rng.IntN(64))
				var text, name string
				var less bool
				// Where a position begins a segment, versions name different files.
				if err := conn.QueryRow(t.Context(), "SELECT $1::pg_lsn::text, $1::pg_lsn < $2::pg_lsn, pg_walfile_name(($1::pg_lsn))", a.String(), b.String()).Scan(&text, &less, &name); err != nil {
					t.Fatalf("seed %d: %s: %v", seed, a, err)
				}
				if got, err := wal.ParseLSN(text); err != nil || got != a || len(digits) == len("0/A") && text != a.String() || less != (a < b) {
					t.Errorf("seed %d: %s, %s: the server says %s, %v", seed, a, b, text, less)
				}
				if at := a - 1; a != wal.None && a != (wal.Segments{}).Start(a) && name != (wal.Segments{}).Name(1, at) {
					t.Errorf("seed %d: the byte before %s is in %s, the server says %s", seed, a, (wal.Segments{}).Name(1, at), name)
				}
			}
			for _, in := range []string{"0/0", "16/B374D848", "16/b374d848", "00000016/00000001", "", "16", "/1", "1/", "1/2/3", "x/y", "-1/0", "0/+1", "0x1/0", "0/1_0", " 0/1", "0/1 ", "0/000000001", "000000001/0", "100000000/0", "0/1G"} {
				_, err := conn.Exec(t.Context(), "SELECT $1::text::pg_lsn", in)
				if got, ours := wal.ParseLSN(in); (err == nil) != (ours == nil) {
					t.Errorf("%q: the server says %v, we say %s, %v", in, err, got, ours)
				}
			}
		})
	})
}

// TestHistoriesOfServers compares with pg_rewind, which looks at the servers themselves.
func TestHistoriesOfServers(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		one := newServer(t, box)
		one.do(false, one.write)
		// apart is promoted on its own, early does not come as far as its parent.
		apart, early := one.copied("apart"), one.copied("early")
		one.do(false, one.write)
		first := wal.Branch{History: wal.MustHistory(1), End: one.end()}
		former := one.copied("former")
		branches := map[string]wal.Branch{"apart": apart.promote(), "two": one.promote()}
		servers := map[string]server{"apart": apart, "former": former}

		// It knows of timeline 2, and is promoted before it comes to where that begins.
		content, err := os.ReadFile(filepath.Join(one.dir, "pg_wal", wal.Timeline(2).FileName()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(early.dir, "pg_wal", wal.Timeline(2).FileName()), content, 0o600); err != nil {
			t.Fatal(err)
		}
		branches["early"], servers["early"] = early.promote(), early
		if past := branches["early"].History.Past(); len(past) != 2 || past[0] != branches["two"].History.Past()[0] || past[1].At >= past[0].At {
			t.Errorf("it was promoted before timeline 2 begins, and its history is %v", past)
		}

		// The former primary writes on, on timeline 1.
		former.do(false, former.write)
		branches["former"] = wal.Branch{History: first.History, End: former.end()}
		servers["two"] = one.copied("two")
		branches["three"], servers["three"] = one.promote(), one

		for x, target := range servers {
			for y, source := range servers {
				if x == y {
					continue
				}
				at, diverged := branches[x].Diverged(branches[y].History)
				says := rewindSays(target, source)
				t.Logf("%s has diverged from %s: %v, at %s; pg_rewind says %q", x, y, diverged, at, says)
				finds, ok := wal.RewindFinds(branches[x].History, branches[y].History)
				want := ""
				if ok && branches[x].End > finds.LSN {
					want = finds.LSN.String()
				}
				if says != want {
					t.Errorf("%s and %s: pg_rewind says %q, want %q", x, y, says, want)
				}
				// It is wrong about equal numbers, and about who was promoted early. Otherwise it is
				// the measure.
				switch known := x == "early" || y == "early" || branches[x].History.Timeline() == branches[y].History.Timeline(); {
				case !known && diverged != (says != ""), diverged && !known && at.LSN.String() != says:
					t.Errorf("%s has diverged from %s: %v, at %s; pg_rewind says %q", x, y, diverged, at, says)
				case known && !diverged:
					t.Errorf("%s has not diverged from %s", x, y)
				}
			}
		}
		if relation, common := wal.Compare(first, branches["two"]); relation != wal.Behind || common.LSN != first.End {
			t.Errorf("who was stopped before the promotion is %s from %s on", relation, common)
		}
		if at, diverged := first.Diverged(branches["three"].History); diverged {
			t.Errorf("who was stopped before two promotions has diverged at %s", at)
		}
	})
}

// rewindSays where the target has diverged from the source; empty: nowhere.
func rewindSays(target, source server) string {
	target.t.Helper()
	out := target.run("pg_rewind", "--dry-run", "--target-pgdata="+target.dir, "--source-pgdata="+source.dir)
	if strings.Contains(out, "no rewind required") {
		return ""
	}
	found := regexp.MustCompile(`servers diverged at WAL location (\S+) on timeline`).FindStringSubmatch(out)
	if found == nil {
		target.t.Fatalf("pg_rewind says neither: %s", out)
	}
	return found[1]
}
