// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Files in env.ConfigDir.
const (
	// configFile is what the template renders.
	configFile = "postgresql.conf"
	// agentFile is the server's config_file: it includes configFile and adds what
	// must be changeable while the server runs.
	agentFile = "unit-agent.conf"
	hbaFile   = "pg_hba.conf"
	identFile = "pg_ident.conf"
)

// Engine is a PostgreSQL server.
type Engine struct {
	env engine.Env
	// conn is the connection that queries share, in a channel of one: who has
	// taken it may use it.
	conn chan *session
	// roleConn is the same for what changes roles, which may take longer.
	roleConn chan *session
	// control is full while what a stopped server has is read of the data volume, histories
	// while history files are written there.
	control, histories chan struct{}
	// reload is what was found out of walsenders. Who has taken conn may use it.
	reload reload
	// promoting is the promotion that the server was last asked for. Who has taken roleConn
	// may use it.
	promoting promotion
	// major version of the programs, 0 until it was asked for.
	major atomic.Int32
}

var (
	_ engine.Engine         = (*Engine)(nil)
	_ engine.Replicator     = (*Engine)(nil)
	_ engine.MemberAccounts = (*Engine)(nil)
	_ engine.MemberActivity = (*Engine)(nil)
)

// New returns the engine. It does no I/O.
func New(env engine.Env) engine.Engine {
	e := &Engine{env: env, conn: make(chan *session, 1), roleConn: make(chan *session, 1), control: make(chan struct{}, 1), histories: make(chan struct{}, 1)}
	e.conn <- &session{}
	e.roleConn <- &session{}
	return e
}

// Type implements engine.Engine.
func (e *Engine) Type() string { return "postgresql" }

// RestartExitStatus implements engine.Engine: a PostgreSQL never asks.
func (e *Engine) RestartExitStatus() (int, bool) { return 0, false }

func (e *Engine) configPath(name string) string { return filepath.Join(e.env.ConfigDir, name) }

// socketPath is the server's unix socket.
func (e *Engine) socketPath() string {
	return filepath.Join(e.env.SocketDir, ".s.PGSQL."+strconv.Itoa(e.env.SQLPort))
}

// program finds one of the server's programs: where the environment says, else on
// PATH, else where Debian's packages put the one version that an image has.
func (e *Engine) program(name string) (string, error) {
	path, err := e.env.Program(name)
	if err == nil {
		return path, nil
	}
	found, globErr := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if globErr != nil || len(found) != 1 {
		return "", fmt.Errorf("%w, and %d in /usr/lib/postgresql", err, len(found))
	}
	return found[0], nil
}

// osUser is the name that the image gives to the uid of server and agent, which
// the server asks for at a peer login.
func osUser() (string, error) {
	uid := os.Getuid()
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return "", fmt.Errorf("the image's /etc/passwd has no name for uid %d, by which the agent logs in: %w", uid, err)
	}
	return u.Username, nil
}
