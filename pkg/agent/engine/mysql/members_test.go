// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// channelAccount of the tests' channels.
var channelAccount = engine.ChannelAccount{User: "unit_replication", Password: "0123456789'\\abcdef0123456789abcd"}

// member is a unit with a real server that replicates.
type member struct {
	t      *testing.T
	name   string
	port   int
	box    *enginetest.Box
	e      *Engine
	record engine.RoleRecord
	server *enginetest.Server
	uuid   string
}

// members initialises and starts managed servers in one box.
func members(t *testing.T, box *enginetest.Box, n int) []*member {
	t.Helper()
	box.Vars["ADM_USER"] = "root"
	box.Secret(t, "root", "secret")
	var all []*member
	for i := range n {
		m := &member{t: t, name: fmt.Sprintf("m%d", i), port: 3310 + i}
		m.box = box.Unit(t, m.name, m.port)
		m.e = New(m.box.Env(t)).(*Engine)
		m.box.Initialize(t, m.e, m.start())
		m.run()
		m.uuid = m.scalar("SELECT @@server_uuid")
		all = append(all, m)
	}
	return all
}

func (m *member) start() engine.Start {
	text := config + fmt.Sprintf("mysqlx=OFF\nrelay-log=relay\nplugin-load-add=mysql_clone.so\nserver-id=%d\ninnodb-redo-log-capacity=16M\nmax-connections=20\n", m.port)
	return engine.Start{
		Files: map[string][]byte{configFile: []byte(text)}, ConfigHash: "h",
		Managed: true, Role: m.record.Role, Record: m.record, Channel: channelAccount,
	}
}

// run starts the server by its record.
func (m *member) run() { m.server = m.box.Start(m.t, m.e, m.start()) }

// restart kills the server and starts it by its record.
func (m *member) restart() {
	m.server.KillAlone()
	m.run()
}

func (m *member) upstream() *engine.Upstream {
	return &engine.Upstream{Name: m.name, Host: "127.0.0.1", Port: m.port, ServerID: m.uuid, User: channelAccount.User}
}

// context of one role call.
func (m *member) context(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(m.t.Context(), d)
	m.t.Cleanup(cancel)
	return ctx
}

// promote makes it an open source that waits for one of the others.
func (m *member) promote(others ...*member) {
	m.t.Helper()
	m.record = engine.RoleRecord{Role: engine.RoleSource, Open: true, Durability: engine.Durability{Mode: engine.DurabilitySync, W: 1}}
	for _, o := range others {
		m.record.Durability.Members = append(m.record.Durability.Members, engine.DurabilityMember{Name: o.name, ServerID: o.uuid})
	}
	m.open()
}

// open makes a recorded source one.
func (m *member) open() {
	m.t.Helper()
	if err := m.e.Promote(m.context(20*time.Second), m.record, channelAccount); err != nil {
		m.t.Fatalf("promoting %s: %v", m.name, err)
	}
	if got := m.scalar("SELECT @@super_read_only"); got != "1" && m.observe().ReadOnly {
		m.t.Fatalf("%s is promoted and super_read_only is %s", m.name, got)
	}
	if err := m.e.Open(m.context(20*time.Second), m.record); err != nil {
		m.t.Fatalf("opening %s: %v", m.name, err)
	}
}

// follow another, with the right to acknowledge.
func (m *member) follow(source *member) {
	m.t.Helper()
	m.record = engine.RoleRecord{Role: engine.RoleReplica, Acknowledge: true, Upstream: source.upstream()}
	m.followRecorded("")
}

// followRecorded asks again on ErrNotYet, as the operator does. The receiver
// is connected then, and may not have asked for the binary log yet.
func (m *member) followRecorded(upstreamExecuted string) {
	m.t.Helper()
	waitFor(m.t, m.name+" to follow "+m.record.Upstream.Name, func() (bool, string) {
		err := m.tryFollow(20*time.Second, upstreamExecuted)
		if err != nil && !errors.Is(err, engine.ErrNotYet) {
			m.t.Fatalf("%s follows %s: %v", m.name, m.record.Upstream.Name, err)
		}
		return err == nil, fmt.Sprint(err)
	})
}

func (m *member) tryFollow(d time.Duration, upstreamExecuted string) error {
	ctx, cancel := context.WithTimeout(m.t.Context(), d)
	defer cancel()
	return m.e.Follow(ctx, m.record, channelAccount, upstreamExecuted)
}

// isolate stops its receiver.
func (m *member) isolate() {
	m.t.Helper()
	m.record = engine.RoleRecord{Role: engine.RoleIsolated}
	if err := m.e.StopReceiver(m.context(20 * time.Second)); err != nil {
		m.t.Fatalf("isolating %s: %v", m.name, err)
	}
}

func (m *member) observe() engine.Replication {
	m.t.Helper()
	r, err := m.e.ObserveReplication(m.context(10 * time.Second))
	if err != nil {
		m.t.Fatalf("observing %s: %v", m.name, err)
	}
	return r
}

// tend is one round of Tend.
func (m *member) tend() []string {
	m.t.Helper()
	did, err := m.e.Tend(m.context(5*time.Second), m.record, channelAccount)
	if err != nil {
		m.t.Fatalf("tending %s: %v", m.name, err)
	}
	return did
}

// client logs in as one in another pod does.
func (m *member) client() *sql.DB {
	m.t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = "root", "secret", "tcp", fmt.Sprintf("127.0.0.1:%d", m.port)
	c.TLSConfig, c.Logger = "skip-verify", &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		m.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	m.t.Cleanup(func() { db.Close() })
	return db
}

// exec runs statements as a client.
func (m *member) exec(statements ...string) {
	m.t.Helper()
	db := m.client()
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(m.context(20*time.Second), s); err != nil {
			m.t.Fatalf("%s on %s: %v", s, m.name, err)
		}
	}
}

// scalar is a query's value, asked by the agent.
func (m *member) scalar(query string) string {
	m.t.Helper()
	db, err := m.e.Connect()
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close()
	return scalar(m.t, db, query)
}

// until waits for a query's value, and for the table that it asks: a source acknowledges
// what one replica has received, which it may not have applied, nor another received.
func (m *member) until(query, want string) {
	m.t.Helper()
	db, err := m.e.Connect()
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close()
	waitFor(m.t, fmt.Sprintf("%s on %s to be %s", query, m.name, want), func() (bool, string) {
		var got sql.NullString
		err := db.QueryRowContext(m.t.Context(), query).Scan(&got)
		var server *mysql.MySQLError
		if errors.As(err, &server) && (server.Number == errUnknownDatabase || server.Number == errNoSuchTable) {
			return false, err.Error()
		}
		if err != nil {
			m.t.Fatalf("%s: %v", query, err)
		}
		return got.String == want, got.String
	})
}

// untilTables waits until it has applied that the database d has so many tables.
func (m *member) untilTables(n string) {
	m.t.Helper()
	m.until("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'", n)
}

const errUnknownDatabase = 1049

// waitFor something that no server announces.
func waitFor(t *testing.T, what string, look func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		ok, got := look()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: %s", what, got)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// insert begins a client's write and returns a channel with its outcome.
func (m *member) insert(i int) <-chan error {
	m.t.Helper()
	return m.write(fmt.Sprintf("INSERT INTO d.t VALUES (%d)", i))
}

func (m *member) write(statement string) <-chan error {
	m.t.Helper()
	db := m.client()
	if err := db.PingContext(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	outcome := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(m.t.Context(), statement)
		outcome <- err
	}()
	return outcome
}

// waiting begins a client's write and returns when it waits for an acknowledgement.
func (m *member) waiting(i int) <-chan error {
	m.t.Helper()
	outcome := m.insert(i)
	m.until("SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_wait_sessions'", "1")
	return outcome
}

// lost fails unless a client's write ended with an error.
func lost(t *testing.T, outcome <-chan error) {
	t.Helper()
	select {
	case err := <-outcome:
		if err == nil {
			t.Error("a commit that nobody else has was acknowledged")
		}
	case <-time.After(10 * time.Second):
		t.Error("the client waits still")
	}
}

// pending fails if a client's write has an outcome.
func pending(t *testing.T, outcome <-chan error) {
	t.Helper()
	select {
	case err := <-outcome:
		t.Fatalf("the client has an outcome: %v", err)
	default:
	}
}

// contains fails unless one of the texts has the words.
func containsWords(t *testing.T, texts []string, words string) {
	t.Helper()
	if !strings.Contains(strings.Join(texts, "\n"), words) {
		t.Errorf("%q is not in %q", words, texts)
	}
}
