// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"strings"
)

// Of the package actions: what operations need of the engine.

// Literal writes s as a string literal, right in sessions that ran Session.
func Literal(s string) string { return literal(s) }

// Identifier writes the name of a database, table or column.
func Identifier(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// Session are the statements that make Literal right and decide whether what
// follows is written to the binary log.
func Session(binlog bool) []string { return session(binlog) }

// Connect readies connections to this unit's server that log in by operating-system
// identity. The caller closes them.
func (e *Engine) Connect() (*sql.DB, error) { return e.open() }

// Socket of the server.
func (e *Engine) Socket() string { return e.socket() }

// OSUser is the name of the agent's uid, by which it logs in.
func OSUser() (string, error) { return osUser() }

// AgentStatements make the agent's own account, for a server it cannot log in to
// yet: run by --init-file.
func AgentStatements(osUser string) []string { return agentStatements(osUser) }

// SecretFile is a file in memory, without a name.
var SecretFile = secretFile

// ServerUUID reads an auto.cnf; empty if there is none.
func ServerUUID(path string) (string, error) { return serverUUID(path) }

// FormatOptions are the options of the configuration that a data directory is made
// by and keeps, as arguments of mysqld.
func (e *Engine) FormatOptions(ctx context.Context, mysqld string) ([]string, error) {
	options, err := e.options(ctx, mysqld)
	if err != nil {
		return nil, err
	}
	return formatArgs(options), nil
}

// InitializeArgs are the arguments of a mysqld that makes a data directory whose only
// account is root, without a password.
func (e *Engine) InitializeArgs(ctx context.Context, mysqld, data, scratch string) ([]string, error) {
	options, err := e.options(ctx, mysqld)
	if err != nil {
		return nil, err
	}
	return initializeArgs(options, data, scratch), nil
}
