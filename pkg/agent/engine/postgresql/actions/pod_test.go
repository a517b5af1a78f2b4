// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestMain(m *testing.M) { enginetest.Main(m, postgresql.New) }

const config = "listen_addresses = '*'\nshared_buffers = 16MB\npassword_encryption = 'scram-sha-256'\nlog_statement = 'all'\nwal_level = replica\n"

// pod is a unit with its server, in the box.
type pod struct {
	*enginetest.Operated
	t      *testing.T
	box    *enginetest.Box
	env    engine.Env
	engine engine.Engine
}

// newPod makes a unit of the box and starts its server. One box has several: each has
// a port and directories of its own.
func newPod(t *testing.T, box *enginetest.Box, name string, port int, settings string) *pod {
	t.Helper()
	vars := box.Vars
	box.Vars = map[string]string{}
	for k, v := range vars {
		box.Vars[k] = v
	}
	defer func() { box.Vars = vars }()
	base := filepath.Join(filepath.Dir(vars["DATA_DIR_MOUNT"]), name)
	for key, dir := range map[string]string{
		"DATA_DIR_MOUNT": "data", "UNIT_AGENT_STATE_DIR": "state", "UNIT_AGENT_CONFIG_DIR": "etc", "UNIT_AGENT_SOCKET_DIR": "run", "HOME": "home", "TMPDIR": "tmp",
	} {
		box.Vars[key] = filepath.Join(base, dir)
		if err := os.MkdirAll(box.Vars[key], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	box.Vars["UNIT_NAME"], box.Vars["UNIT_SET"], box.Vars["UNIT_SQL_PORT"] = name+"-0", name, fmt.Sprint(port)
	p := &pod{t: t, box: box, env: box.Env(t)}
	p.engine = postgresql.New(p.env)
	p.Operated = box.Operate(t, p.engine, engine.Start{Files: map[string][]byte{"postgresql.conf": []byte(config + settings)}, ConfigHash: "h"})
	return p
}

func (p *pod) deps() operations.Deps {
	return operations.Deps{Env: p.env, Engine: p.engine, Server: p}
}

// op is an operation on the unit.
func op(id string, params operation.Params, secrets map[string][]byte) *optest.Op {
	return &optest.Op{IDValue: id, ActionValue: operation.ActionOf(params), ParamsValue: params, SecretsValue: secrets}
}

// run an operation.
func (p *pod) run(o *optest.Op) (map[string]string, error) {
	p.t.Helper()
	return New(p.deps())[o.Action()].Run(p.t.Context(), o)
}

// must run it.
func (p *pod) must(o *optest.Op) map[string]string {
	p.t.Helper()
	result, err := p.run(o)
	if err != nil {
		p.t.Fatalf("%s: %v", o.ID(), err)
	}
	return result
}

// sql runs statements in a database as the agent.
func (p *pod) sql(database string, statements ...string) {
	p.t.Helper()
	conn := p.conn(database)
	defer conn.Close(context.Background())
	for _, s := range statements {
		if _, err := conn.Exec(p.t.Context(), s); err != nil {
			p.t.Fatalf("%s: %v", s, err)
		}
	}
}

func (p *pod) conn(database string) *pgx.Conn {
	p.t.Helper()
	conn, err := p.engine.(*postgresql.Engine).Connect(p.t.Context(), database)
	if err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// value of a query, as text.
func (p *pod) value(database, query string) string {
	p.t.Helper()
	conn := p.conn(database)
	defer conn.Close(context.Background())
	var s *string
	if err := conn.QueryRow(p.t.Context(), "SELECT ("+query+")::text").Scan(&s); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	if s == nil {
		return ""
	}
	return *s
}

// major version of the server.
func (p *pod) major() int {
	p.t.Helper()
	n, err := strconv.Atoi(p.value("postgres", "SELECT current_setting('server_version_num')::int / 10000"))
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// checksum of a table's rows, with their number.
func (p *pod) checksum(database, table string) string {
	p.t.Helper()
	return p.value(database, checksumOf(table))
}

func checksumOf(table string) string {
	return "SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(r::text), '' ORDER BY r::text)), '') FROM " + table + " r"
}

// databases of the server, sorted.
func (p *pod) databases() string {
	p.t.Helper()
	return p.value("postgres", "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datallowconn AND NOT datistemplate")
}

// clean fails if an operation has left anything beside the data.
func (p *pod) clean() {
	p.t.Helper()
	entries, err := os.ReadDir(p.env.AgentDir())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "replace" {
			p.t.Errorf("%s was left", e.Name())
		}
	}
}

func str(s string) operation.Value { return operation.Value{Text: s, Kind: operation.String} }

// login as a client in another pod would.
func (p *pod) login(user, password string) error {
	p.t.Helper()
	c, err := pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres sslmode=disable user=x password=x", p.env.SQLPort))
	if err != nil {
		p.t.Fatal(err)
	}
	c.User, c.Password = user, password
	conn, err := pgx.ConnectConfig(p.t.Context(), c)
	if err != nil {
		return err
	}
	return conn.Close(context.Background())
}
