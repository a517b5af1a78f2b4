// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"context"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

const (
	// configFile is the main configuration file.
	configFile = "proxysql.cnf"
	// databaseFile in the data directory is made by the server.
	databaseFile = "proxysql.db"
	// identityFile in the data directory holds its system id.
	identityFile = "unit-agent.id"
	// appliedFile in the data directory holds the hash of the configuration file
	// that was merged into the database last.
	appliedFile = "unit-agent.applied"
	// defaultAdminPort is ProxySQL's own.
	defaultAdminPort = "6032"
)

// Engine is a ProxySQL.
type Engine struct {
	env engine.Env

	// mu guards pending.
	mu sync.Mutex
	// pending is what is left to do for a server that was started, once it
	// answers; nil where another process started it.
	pending *pendingStart
}

// pendingStart is a start that is not complete yet.
type pendingStart struct {
	// applied is the hash of the configuration file.
	applied string
}

var _ engine.Engine = (*Engine)(nil)

// New returns the engine. It does no I/O.
func New(env engine.Env) engine.Engine { return &Engine{env: env} }

// Type implements engine.Engine.
func (e *Engine) Type() string { return "proxysql" }

// StopPlan implements engine.Engine. A ProxySQL drops its clients and ends.
func (e *Engine) StopPlan(context.Context, engine.StopReason, engine.Start) []engine.StopStep {
	return []engine.StopStep{{Signal: syscall.SIGTERM, Wait: 30 * time.Second}}
}

// NeedsRole implements engine.Engine.
func (e *Engine) NeedsRole() bool { return false }

// RestartExitStatus implements engine.Engine: a ProxySQL never asks.
func (e *Engine) RestartExitStatus() (int, bool) { return 0, false }

func (e *Engine) configPath() string   { return filepath.Join(e.env.ConfigDir, configFile) }
func (e *Engine) identityPath() string { return filepath.Join(e.env.DataDir(), identityFile) }
func (e *Engine) appliedPath() string  { return filepath.Join(e.env.DataDir(), appliedFile) }

// adminPort is that of the port named admin, else ProxySQL's own.
func (e *Engine) adminPort() string {
	if port := e.env.Lookup("ADMIN_PORT"); port != "" {
		return port
	}
	return defaultAdminPort
}
