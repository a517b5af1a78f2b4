// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
)

func TestMain(m *testing.M) { enginetest.Main(m, nil) }

// patience is for what a server does in a moment.
const patience = 30 * time.Second

// pgMember is a server of a primary and its standby.
type pgMember struct {
	t    *testing.T
	box  *enginetest.Box
	name string
	port int
}

var pgAdmin = Account{User: "postgres", Password: "not asked for"}

// in a part of the test.
func (m pgMember) in(t *testing.T) pgMember {
	m.t = t
	return m
}

func (m pgMember) dir() string     { return filepath.Join(m.box.Vars["DATA_DIR_MOUNT"], m.name) }
func (m pgMember) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(m.port)) }

func (m pgMember) run(program string, args ...string) {
	m.t.Helper()
	path, err := postgresql.New(m.box.Env(m.t)).(*postgresql.Engine).Program(program)
	if err != nil {
		m.t.Fatal(err)
	}
	if out, err := m.box.Run(m.t, path, args...); err != nil {
		m.t.Fatalf("%s %v: %v: %s", program, args, err, out)
	}
}

func (m pgMember) start() {
	m.t.Helper()
	config := fmt.Sprintf("listen_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = ''\nfsync = off\nshared_buffers = 8MB\nsynchronous_standby_names = ''\n", m.port)
	if err := os.WriteFile(filepath.Join(m.dir(), "postgresql.conf"), []byte(config), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.run("pg_ctl", "-D", m.dir(), "-l", m.dir()+".log", "-w", "-s", "start")
}

func (m pgMember) exec(statement string) {
	m.t.Helper()
	s, err := PostgreSQL.connect(m.t.Context(), pgAdmin, m.address())
	if err != nil {
		m.t.Fatal(err)
	}
	defer s.close()
	if err := s.exec(m.t.Context(), statement); err != nil {
		m.t.Fatalf("%s: %s: %v", m.name, statement, err)
	}
}

func (m pgMember) says(query string, args ...any) string {
	m.t.Helper()
	value, err := PostgreSQL.ask(m.t.Context(), pgAdmin, m.address(), query, args...)
	if err != nil {
		m.t.Fatalf("%s: %s: %v", m.name, query, err)
	}
	return value
}

// pgPair starts a primary and a standby that replicates from it.
func pgPair(t *testing.T, box *enginetest.Box) (primary, standby pgMember) {
	t.Helper()
	primary, standby = pgMember{t, box, "a", 5441}, pgMember{t, box, "b", 5442}
	primary.run("initdb", "-D", primary.dir(), "-U", pgAdmin.User, "-A", "trust", "-N")
	primary.start()
	standby.run("pg_basebackup", "-D", standby.dir(), "-R", "-c", "fast", "-h", "127.0.0.1", "-p", strconv.Itoa(primary.port), "-U", pgAdmin.User)
	standby.start()
	return primary, standby
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not so after %v: %s", patience, what)
		}
	}
}

func TestClientsOfPostgreSQLOnRealServers(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		primary, standby := pgPair(t, box)
		addresses := map[string]string{"a": primary.address(), "b": standby.address()}
		ctx, cancel := context.WithCancel(t.Context())
		var over sync.WaitGroup
		defer over.Wait()
		defer cancel()

		// Nobody listens at the first of them.
		clients := Clients{Engine: PostgreSQL, Account: pgAdmin, Addresses: []string{"127.0.0.1:1", primary.address()}, N: 2, Interval: 10 * time.Millisecond, History: NewHistory()}
		for range 2 {
			if err := clients.Prepare(ctx); err != nil {
				t.Fatal(err)
			}
		}
		watcher := &Watcher{Engine: PostgreSQL, Account: pgAdmin, Address: func(_ context.Context, member string) (string, error) { return addresses[member], nil }}
		for member := range addresses {
			over.Go(func() { watcher.Watch(ctx, member) })
		}

		t.Run("rows that are acknowledged are on both", func(t *testing.T) {
			primary := primary.in(t)
			ctx, cancel := context.WithCancel(ctx)
			var over sync.WaitGroup
			for c := range clients.N {
				over.Go(func() { clients.Run(ctx, c) })
			}
			eventually(t, "each client has rows", func() bool {
				_, _, waiting := clients.History.Waiting(time.Now().Add(-50*time.Millisecond), clients.N)
				return !waiting && len(clients.History.Writes()) > 50
			})
			cancel()
			over.Wait()
			members, err := PostgreSQL.ReadAll(t.Context(), pgAdmin, "a", addresses)
			if err != nil {
				t.Fatal(err)
			}
			v := Judge(clients.History.Writes(), "a", members)
			if d := cmp.Diff([]string(nil), v.Problems()); d != "" || v.Acknowledged < 50 || len(members["b"]) < 50 {
				t.Errorf("%d rows are acknowledged, the standby has %d; problems:\n%s", v.Acknowledged, len(members["b"]), d)
			}
			primary.exec("INSERT INTO " + table + " (id) VALUES (1)")
			if members, err = PostgreSQL.ReadAll(t.Context(), pgAdmin, "a", addresses); err != nil || members["b"][1] != 2 {
				t.Errorf("a row that is there twice is on the standby %d times, %v", members["b"][1], err)
			}
		})
		t.Run("the standby refuses markers, in one session", func(t *testing.T) {
			eventually(t, "both were tried", func() bool { return len(markersOf(watcher, "a")) > 3 && len(markersOf(watcher, "b")) > 3 })
			refused, sessions := 0, map[string]bool{}
			for _, m := range markersOf(watcher, "b") {
				if m.Acknowledged {
					t.Errorf("the standby has acknowledged %+v", m)
				}
				if m.Session != "" {
					refused++
					sessions[m.Session] = true
				}
			}
			if len(sessions) == 0 || len(sessions) == refused {
				t.Errorf("%d refusals in %d sessions: a refusal ends none", refused, len(sessions))
			}
			if !slices.ContainsFunc(markersOf(watcher, "a"), func(m Marker) bool { return m.Acknowledged && !sessions[m.Session] }) {
				t.Error("the primary has acknowledged nothing in a session of its own")
			}
		})
		t.Run("what only the primary has is not acknowledged", func(t *testing.T) {
			primary := primary.in(t)
			// Its own watcher's markers wait as well.
			primary.exec("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
			primary.exec("SELECT pg_reload_conf()")
			defer func() {
				primary.exec("ALTER SYSTEM RESET synchronous_standby_names")
				primary.exec("SELECT pg_reload_conf()")
			}()
			for signal, broken := range map[string]bool{"pg_cancel_backend": false, "pg_terminate_backend": true} {
				s, err := PostgreSQL.connect(t.Context(), pgAdmin, primary.address())
				if err != nil {
					t.Fatal(err)
				}
				pid, err := s.value(t.Context(), "SELECT pg_backend_pid()::text")
				if err != nil {
					t.Fatal(err)
				}
				id := clients.History.ID()
				done := make(chan error, 1)
				// Not by its patience: the server is to end the wait.
				go func() { done <- s.conn.exec(t.Context(), PostgreSQL.insert, id) }()
				waits := "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = " + pid
				eventually(t, "the commit waits", func() bool { return primary.says(waits) == "1" })
				primary.says("SELECT " + signal + "(" + pid + ")::text")
				err = <-done
				if err == nil || errors.As(err, new(unreplicatedError)) == broken || PostgreSQL.broken(err) != broken {
					t.Errorf("after %s: %v, the session is broken: %v, want %v", signal, err, PostgreSQL.broken(err), broken)
				}
				if n := primary.says("SELECT count(*)::text FROM " + table + " WHERE id = " + strconv.FormatInt(id, 10)); n != "1" {
					t.Errorf("after %s the row is on the primary %s times", signal, n)
				}
				s.close()
			}
		})
		t.Run("two primaries are found, and a position on another timeline is none", func(t *testing.T) {
			primary, standby := primary.in(t), standby.in(t)
			before := markersOf(watcher, "b")
			if found := Overlaps(watcher.Markers()); len(found) > 0 {
				t.Fatalf("before there are two: %v", found)
			}
			standby.exec("SELECT pg_promote()")
			eventually(t, "two that acknowledge are found", func() bool { return len(Overlaps(watcher.Markers())) > 0 })
			after := markersOf(watcher, "b")
			if last := after[len(after)-1]; last.Session != before[len(before)-1].Session {
				t.Errorf("the standby's session ended with its promotion: it was %s, and is %s", before[len(before)-1].Session, last.Session)
			}
			position := primary.says(PostgreSQL.position)
			standby.exec("SELECT pg_switch_wal()")
			eventually(t, "the other primary is further", func() bool {
				return standby.says("SELECT (pg_current_wal_flush_lsn() > split_part($1, ' ', 2)::pg_lsn)::text", position) == "true"
			})
			if got := standby.says(PostgreSQL.applied, position); got != "false" {
				t.Errorf("the other primary has applied %s: %s", position, got)
			}
			if got := primary.says(PostgreSQL.applied, position); got != "true" {
				t.Errorf("the primary has applied %s: %s", position, got)
			}
		})
	})
}

func markersOf(w *Watcher, member string) (list []Marker) {
	for _, m := range w.Markers() {
		if m.Member == member {
			list = append(list, m)
		}
	}
	return list
}
