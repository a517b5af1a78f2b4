// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// member is a unit with its server, of several in one box.
type member struct {
	t      *testing.T
	box    *enginetest.Box
	name   string
	env    engine.Env
	e      *Engine
	record engine.RoleRecord
	server *enginetest.Server
}

const memberConfig = config + "wal_level = replica\nmax_wal_senders = 8\nwal_log_hints = on\nwal_sender_timeout = 30s\nwal_keep_size = 128MB\narchive_mode = on\narchive_command = 'true'\n"

var channelAccount = engine.ChannelAccount{User: "unit_replication", Password: "p:w'\\0123456789abcdef01234567"}

func newMember(t *testing.T, box *enginetest.Box, name string, port int) *member {
	t.Helper()
	vars := box.Vars
	defer func() { box.Vars = vars }()
	box.Vars = map[string]string{"UNIT_NAME": name, "UNIT_SQL_PORT": strconv.Itoa(port)}
	for k, v := range vars {
		if box.Vars[k] == "" {
			box.Vars[k] = v
		}
	}
	for key, dir := range map[string]string{
		"DATA_DIR_MOUNT": "data", "UNIT_AGENT_STATE_DIR": "state", "UNIT_AGENT_CONFIG_DIR": "etc", "UNIT_AGENT_SOCKET_DIR": "run", "HOME": "home", "TMPDIR": "tmp",
	} {
		box.Vars[key] = filepath.Join(filepath.Dir(vars["DATA_DIR_MOUNT"]), name, dir)
		if err := os.MkdirAll(box.Vars[key], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m := &member{t: t, box: box, name: name, env: box.Env(t)}
	m.e = New(m.env).(*Engine)
	return m
}

// asSource is the record of an open source with the members.
func asSource(mode engine.DurabilityMode, w int, names ...string) engine.RoleRecord {
	return engine.RoleRecord{Role: engine.RoleSource, Open: true, Durability: engine.Durability{Mode: mode, W: w, Members: members(names...)}}
}

// following is the record of a replica of m.
func (m *member) following() engine.RoleRecord {
	return engine.RoleRecord{Role: engine.RoleReplica, Upstream: &engine.Upstream{Name: m.name, Host: "127.0.0.1", Port: m.env.SQLPort, User: channelAccount.User}}
}

var asIsolated = engine.RoleRecord{Role: engine.RoleIsolated}

func (m *member) startArgument() engine.Start {
	config := memberConfig
	if major, err := m.e.Major(m.ctx()); err == nil && major >= 17 {
		config += "summarize_wal = on\n"
	}
	return engine.Start{Files: map[string][]byte{configFile: []byte(config)}, ConfigHash: "h", Managed: true, Record: m.record, Channel: channelAccount}
}

// start with the record, as supervise does.
func (m *member) start(record engine.RoleRecord) {
	m.t.Helper()
	m.record = record
	m.server = m.box.Start(m.t, m.e, m.startArgument())
}

// source initialises the member and makes it the source.
func (m *member) source(record engine.RoleRecord) {
	m.t.Helper()
	m.record = record
	m.box.Initialize(m.t, m.e, m.startArgument())
	m.start(record)
	m.promote(record)
}

// clone makes the member of what source has, as a base backup brings it.
func (m *member) clone(source *member) {
	m.t.Helper()
	program, err := m.e.Program("pg_basebackup")
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := m.box.Run(m.t, program, "-D", m.env.DataDir(), "-R", "-c", "fast", "-h", source.env.SocketDir, "-p", strconv.Itoa(source.env.SQLPort), "-U", engine.AgentUser)
	if err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
}

func (m *member) ctx() context.Context {
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	m.t.Cleanup(cancel)
	return ctx
}

// promote as roles does.
func (m *member) promote(record engine.RoleRecord) {
	m.t.Helper()
	m.record = record
	if err := m.e.Promote(m.ctx(), record, channelAccount); err != nil {
		m.t.Fatalf("%s: Promote: %v", m.name, err)
	}
	if err := m.e.Open(m.ctx(), record); err != nil {
		m.t.Fatalf("%s: Open: %v", m.name, err)
	}
}

// follow asks again on ErrNotYet, as the operator does: a server that has
// just started replays its own WAL first.
func (m *member) follow(source *member) {
	m.t.Helper()
	m.record = source.following()
	if err := m.tryFollow(source); err != nil {
		m.t.Fatalf("%s: Follow: %v", m.name, err)
	}
}

// tryFollow returns the first answer that is not ErrNotYet.
func (m *member) tryFollow(source *member) (err error) {
	m.t.Helper()
	m.eventually("it replays its own WAL", func() bool {
		err = m.e.Follow(m.ctx(), source.following(), channelAccount, "")
		return !errors.Is(err, engine.ErrNotYet)
	})
	return err
}

// stop by the plan; killed members fail the test.
func (m *member) stop(reason engine.StopReason) {
	m.t.Helper()
	plan := m.e.StopPlan(m.ctx(), reason, m.startArgument())
	if err := syscall.Kill(m.server.Pid(), plan[0].Signal); err != nil {
		m.t.Fatal(err)
	}
	m.server.Exit()
	m.gone()
}

// kill the server, not its agent.
func (m *member) kill() {
	m.t.Helper()
	if err := syscall.Kill(m.server.Pid(), syscall.SIGKILL); err != nil {
		m.t.Fatal(err)
	}
	m.server.Exit()
	m.gone()
}

// gone waits until the server's other processes have seen that it is gone.
func (m *member) gone() {
	m.t.Helper()
	m.eventually("processes are left", func() bool {
		pid, err := processIn(m.env.DataDir())
		return err == nil && pid == 0
	})
}

func (m *member) eventually(what string, done func() bool) {
	m.t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("%s: %s\n%s", m.name, what, m.server.Log())
		}
	}
}

func (m *member) observe() engine.Replication {
	m.t.Helper()
	r, err := m.e.ObserveReplication(m.ctx())
	if err != nil {
		m.t.Fatalf("%s: ObserveReplication: %v", m.name, err)
	}
	return r
}

// streaming waits until the member receives from source and source says so too: a receiver
// is streaming by its own word as soon as it is connected.
func (m *member) streaming(source *member) {
	m.t.Helper()
	m.eventually("it does not receive", func() bool {
		r := m.observe().PostgreSQL.Receiver
		return r != nil && r.Status == "streaming" && r.Port == source.env.SQLPort
	})
	m.eventually("its source does not send", func() bool {
		return slices.ContainsFunc(source.observe().PostgreSQL.Standbys, func(s engine.PostgreSQLStandby) bool {
			return s.ApplicationName == m.name && s.State == "streaming"
		})
	})
}

// client logs in as a client of the member would, without what the agent's sessions
// set for themselves.
func (m *member) client() *pgx.Conn {
	m.t.Helper()
	conn, err := m.e.Connect(m.t.Context(), "postgres")
	if err != nil {
		m.t.Fatalf("%s: %v", m.name, err)
	}
	m.t.Cleanup(func() { disconnect(context.Background(), conn) })
	return conn
}

func (m *member) sql(statements ...string) {
	m.t.Helper()
	conn := m.client()
	defer disconnect(context.Background(), conn)
	for _, s := range statements {
		if _, err := conn.Exec(m.ctx(), s); err != nil {
			m.t.Fatalf("%s: %s: %v", m.name, s, err)
		}
	}
}

func (m *member) value(query string) string {
	m.t.Helper()
	conn := m.client()
	defer disconnect(context.Background(), conn)
	return scalar(m.t, conn, query)
}

// rows waits until the member shows the rows of t.
func (m *member) rows(want string) {
	m.t.Helper()
	var got string
	m.eventually("it lacks rows", func() bool {
		got = m.value("SELECT string_agg(i::text, ' ' ORDER BY i) FROM t")
		return got == want || len(got) > len(want)
	})
	if got != want {
		m.t.Fatalf("%s has the rows %s, want %s", m.name, got, want)
	}
}

// isolated fails if the member is no standby without an upstream.
func (m *member) isolated() {
	m.t.Helper()
	r := m.observe()
	if !r.Answered || !r.ReadOnly || !r.PostgreSQL.InRecovery || r.PostgreSQL.Receiver != nil {
		m.t.Fatalf("%s: got %+v, %+v", m.name, r, r.PostgreSQL)
	}
	if got := m.value("SELECT current_setting('primary_conninfo') || current_setting('synchronous_standby_names')"); got != "" {
		m.t.Errorf("%s: got %s", m.name, got)
	}
}

// noPassword fails if the channel's password is in the server's log or data.
func (m *member) noPassword() {
	m.t.Helper()
	if strings.Contains(m.server.Log(), channelAccount.Password) || strings.Contains(fmt.Sprint(m.server.Args()), channelAccount.Password) {
		m.t.Errorf("%s: the channel's password is in the log or the command line", m.name)
	}
}
