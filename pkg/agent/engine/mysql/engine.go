// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"database/sql"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

const (
	// configFile is the main configuration file.
	configFile = "my.cnf"
	// restartStatus is the exit status of a mysqld that wants to be started again
	// (RESTART, CLONE).
	restartStatus = 16
)

// Engine is a MySQL server.
type Engine struct {
	env engine.Env

	// mu guards db and controlDB, each made at its first query.
	mu            sync.Mutex
	db, controlDB *sql.DB

	// readingID is held while the data volume is read for the identity of a stopped
	// server.
	readingID sync.Mutex

	acknowledgements acknowledgements
	lingering        lingering
	scheduling       scheduling
}

var _ engine.Engine = (*Engine)(nil)

// New returns the engine. It does no I/O.
func New(env engine.Env) engine.Engine { return &Engine{env: env} }

// Type implements engine.Engine.
func (e *Engine) Type() string { return "mysql" }

// NeedsRole implements engine.Engine: started super_read_only and with its threads
// stopped, a MySQL can be read.
func (e *Engine) NeedsRole() bool { return false }

// RestartExitStatus implements engine.Engine.
func (e *Engine) RestartExitStatus() (int, bool) { return restartStatus, true }

func (e *Engine) socket() string     { return filepath.Join(e.env.SocketDir, "mysqld.sock") }
func (e *Engine) pidFile() string    { return filepath.Join(e.env.SocketDir, "mysqld.pid") }
func (e *Engine) xSocket() string    { return filepath.Join(e.env.SocketDir, "mysqlx.sock") }
func (e *Engine) configPath() string { return filepath.Join(e.env.ConfigDir, configFile) }
func (e *Engine) tmpDir() string     { return e.env.SideDir("tmp") }

// osUser is the name that the image gives to the uid of server and agent.
// auth_socket compares names.
func osUser() (string, error) {
	uid := os.Getuid()
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return "", fmt.Errorf("the image's /etc/passwd has no name for uid %d, by which the agent logs in: %w", uid, err)
	}
	return u.Username, nil
}
