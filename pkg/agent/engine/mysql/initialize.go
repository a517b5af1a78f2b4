// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// initOptions are the options of the configuration that a data directory is made
// by and keeps. The others are left out of initialisation: plugins are not loaded
// then, so their options are unknown, and paths would lead out of the side
// directory.
var initOptions = []string{
	"lower_case_table_names",
	"innodb_page_size",
	"innodb_data_file_path",
	"innodb_undo_tablespaces",
	"default_authentication_plugin",
	"authentication_policy",
}

// Initialize implements engine.Engine.
func (e *Engine) Initialize(ctx context.Context, start engine.Start, accounts engine.Accounts) error {
	if err := checkAccounts(accounts); err != nil {
		return err
	}
	osUser, err := osUser()
	if err != nil {
		return err
	}
	mysqld, err := e.env.Program("mysqld")
	if err != nil {
		return err
	}
	v, err := e.serverVersion(ctx, mysqld)
	if err != nil {
		return err
	}
	options, err := e.options(ctx, mysqld)
	if err != nil {
		return err
	}
	return place.Build(ctx, e.env, func(ctx context.Context, data, scratch string) error {
		initFile, err := secretFile(initScript(v, osUser, accounts))
		if err != nil {
			return err
		}
		defer initFile.Close()
		_, err = child.Run(ctx, child.Command{
			Path: mysqld,
			Args: append(initializeArgs(options, data, scratch), "--init-file=/proc/self/fd/3"),
			Env:  e.env.Environ,
			Dir:  scratch,
			// The first of Files is descriptor 3 of the child.
			Files:   []*os.File{initFile},
			Secrets: secrets(accounts),
		})
		if err != nil {
			return err
		}
		// --initialize says of a failed init file what it likes with its exit
		// status; the dictionary must be there.
		if ok, err := oneExists(data, []string{"mysql.ibd", "mysql/user.frm"}); err != nil || !ok {
			return fmt.Errorf("mysqld --initialize made no data dictionary (%w)", err)
		}
		return nil
	})
}

// initializeArgs is mysqld's command line for initialisation.
func initializeArgs(options map[string]string, data, scratch string) []string {
	args := []string{
		"--no-defaults",
		"--initialize-insecure",
		"--datadir=" + data,
		"--tmpdir=" + scratch,
		"--socket=" + filepath.Join(scratch, "s"),
		"--secure-file-priv=NULL",
		"--skip-log-bin",
	}
	return append(args, formatArgs(options)...)
}

// formatArgs are initOptions as the configuration has them. Paths would lead out of
// the side directory.
func formatArgs(options map[string]string) []string {
	var args []string
	for _, name := range initOptions {
		if value, ok := options[name]; ok && !strings.Contains(value, "/") {
			args = append(args, "--"+strings.ReplaceAll(name, "_", "-")+"="+value)
		}
	}
	return args
}

// initScript is what the server runs at the end of its initialisation, one
// statement a line.
func initScript(v version, osUser string, accounts engine.Accounts) string {
	statements := append(session(false), "INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
	statements = append(statements, agentStatements(osUser)...)
	if !hasUser(accounts, "root") {
		statements = append(statements, closeRoot(osUser))
	}
	for _, a := range accounts.Accounts {
		statements = append(statements, accountStatements(v, a)...)
	}
	return strings.Join(statements, ";\n") + ";\n"
}

// secretFile is a file in memory, without a name.
func secretFile(content string) (*os.File, error) {
	fd, err := unix.MemfdCreate("unit-agent-init", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "unit-agent-init")
	if _, err := f.WriteString(content); err != nil {
		_ = f.Close()
		return nil, err
	}
	if _, err := f.Seek(0, 0); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
