// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// Initialize implements engine.Engine.
func (e *Engine) Initialize(ctx context.Context, _ engine.Start, accounts engine.Accounts) error {
	if err := checkAccounts(accounts); err != nil {
		return err
	}
	initdb, err := e.program("initdb")
	if err != nil {
		return err
	}
	postgres, err := e.program("postgres")
	if err != nil {
		return err
	}
	major, err := e.serverMajor(ctx, postgres)
	if err != nil {
		return err
	}
	// Beside these there are only roles that begin with pg_.
	statements, err := allStatements(major, accounts, map[string]bool{superuser: true})
	if err != nil {
		return err
	}
	return place.Build(ctx, e.env, func(ctx context.Context, data, scratch string) error {
		_, err := child.Run(ctx, child.Command{
			Path: initdb,
			Args: initdbArgs(data),
			Env:  e.env.Environ,
			Dir:  scratch,
		})
		if err != nil {
			return err
		}
		if err := os.Chmod(data, 0o700); err != nil {
			return err
		}
		if err := e.single(ctx, postgres, data, statements, secrets(accounts)); err != nil {
			return fmt.Errorf("making the accounts: %w", err)
		}
		return nil
	})
}

// initdbArgs is initdb's command line. The methods go into the pg_hba.conf of the
// data directory, which only a server started by hand reads. The place is synced
// as a whole when all is there.
func initdbArgs(data string) []string {
	return []string{
		"--pgdata=" + data,
		"--username=" + superuser,
		"--encoding=UTF8",
		"--locale=C.UTF-8",
		"--data-checksums",
		"--auth-local=peer",
		"--auth-host=scram-sha-256",
		"--no-sync",
	}
}

// single runs statements in the database postgres of a data directory that no
// server runs on, without a socket, as the superuser. The first error ends it.
func (e *Engine) single(ctx context.Context, postgres, data string, statements, secrets []string) error {
	_, err := child.Run(ctx, child.Command{
		Path: postgres,
		Args: []string{
			"--single", "-j", "-D", data,
			"-c", "exit_on_error=on",
			"-c", "log_statement=none",
			"-c", "log_min_error_statement=panic",
			"-c", "log_min_duration_statement=-1",
			"-c", "logging_collector=off",
			"-c", "log_destination=stderr",
			"-c", "default_transaction_read_only=off",
			superuser,
		},
		Env: e.env.Environ,
		// -j: a statement ends at a semicolon before an empty line. No statement
		// has one inside, see literal.
		Stdin:   strings.NewReader(strings.Join(statements, ";\n\n") + ";\n\n"),
		Secrets: secrets,
	})
	return err
}
