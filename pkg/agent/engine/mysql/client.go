// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// pool is the connections that queries share. A kept connection lets a server
// whose connections are used up answer still.
func (e *Engine) pool() (*sql.DB, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db == nil {
		db, err := e.open()
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(3)
		db.SetMaxIdleConns(1)
		db.SetConnMaxLifetime(10 * time.Minute)
		e.db = db
	}
	return e.db, nil
}

// open readies connections that log in by operating-system identity.
func (e *Engine) open() (*sql.DB, error) { return e.openWith(nil) }

// openWith is open with variables that each session sets first.
func (e *Engine) openWith(variables map[string]string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User = engine.AgentUser
	config.Net, config.Addr = "unix", e.socket()
	config.Timeout = 5 * time.Second
	config.Params = variables
	// The driver would print each broken connection; errors say it.
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Disconnect ends the connections that are kept for queries that follow; the next one
// connects again.
func (e *Engine) Disconnect() {
	e.mu.Lock()
	kept := []*sql.DB{e.db, e.controlDB}
	e.db, e.controlDB = nil, nil
	e.mu.Unlock()
	for _, db := range kept {
		if db != nil {
			// The server ends what the connections had; there is nothing to be done about it.
			_ = db.Close()
		}
	}
}

// Check implements engine.Engine.
func (e *Engine) Check(ctx context.Context) error {
	db, err := e.pool()
	if err != nil {
		return err
	}
	var one int
	return db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}
