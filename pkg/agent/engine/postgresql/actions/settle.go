// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// foreign are files of another server's life that a copy of it may have.
var foreign = []string{"postmaster.pid", "postmaster.opts", standbySignal, "current_logfiles", "backup_manifest"}

// settle makes a copy of a server, consistent or not, a database of this unit's: it
// recovers it to the end of the WAL that came with it, as the beginning of a timeline
// of its own, and gives it the unit's accounts. A private server does it, that nobody
// but the agent reaches. It fails if the WAL ends before until.
func (u unit) settle(ctx context.Context, op operations.Op, data string, until lsn) error {
	if err := keepHistory(u.Env.DataDir(), data); err != nil {
		return err
	}
	if err := newLineage(data); err != nil {
		return err
	}
	accounts, err := u.accounts()
	if err != nil {
		return err
	}
	return u.recover(ctx, op, data, until, func(_ unit, conn *pgx.Conn) error {
		if err := postgresql.EnsureAccountsOn(ctx, conn, accounts); err != nil {
			return operations.Failed("AccountsRefused", "making the unit's accounts in the new database: %w", err)
		}
		return execute(ctx, conn, "CHECKPOINT")
	})
}

// recover a copy of a server on a private one, and do something there.
func (u unit) recover(ctx context.Context, op operations.Op, data string, until lsn, do func(on unit, conn *pgx.Conn) error) error {
	if err := toRecover(op, data); err != nil {
		return err
	}
	return u.onPrivate(ctx, op, data, nil, func(on unit, conn *pgx.Conn) error {
		if err := recovered(ctx, conn, until); err != nil {
			return err
		}
		return do(on, conn)
	})
}

// toRecover readies a copy of a server for the private one.
func toRecover(op operations.Op, data string) error {
	op.Progress("recovering the new database", 0, 0)
	for _, name := range foreign {
		if err := os.Remove(filepath.Join(data, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := dropOwned(filepath.Join(data, autoConf)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, recoverySignal), nil, 0o600)
}

const (
	// autoConf is what ALTER SYSTEM writes.
	autoConf = "postgresql.auto.conf"
	// recoverySignal makes a server recover from WAL that is not its own, standbySignal a
	// standby.
	recoverySignal = "recovery.signal"
	standbySignal  = "standby.signal"
)

// onPrivate does something on a private server, on which on is the unit, and stops it.
func (u unit) onPrivate(ctx context.Context, op operations.Op, data string, more []string, do func(on unit, conn *pgx.Conn) error) error {
	cmd, dir, err := u.private(ctx, op, data, more)
	if err != nil {
		return err
	}
	var messages pipe.Tail
	cmd.Stdout, cmd.Stderr = &messages, &messages
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	conn, err := u.awaitPrivate(ctx, dir, ended)
	if err == nil {
		on := u
		on.Env.SocketDir = dir
		on.Engine = postgresql.New(on.Env)
		err = do(on, conn)
		postgresql.Disconnect(ctx, conn)
	}
	return u.endPrivate(ctx, cmd, ended, err, &messages)
}

// private is a server on data as a process of the operation, and its privateDir.
func (u unit) private(ctx context.Context, op operations.Op, data string, more []string) (cmd *exec.Cmd, dir string, err error) {
	if err := os.Chmod(data, 0o700); err != nil {
		return nil, "", err
	}
	postgres, err := u.server().Program("postgres")
	if err != nil {
		return nil, "", operations.Failed("ToolMissing", "%w", err)
	}
	if dir, err = u.privateDir(op); err != nil {
		return nil, "", err
	}
	return operations.Command(ctx, op, postgres, append(u.privateArgs(data, dir), more...)...), dir, nil
}

// privateDir is where the private server has its socket and configuration: only the
// agent's user gets there, and it goes with the operation.
func (u unit) privateDir(op operations.Op) (dir string, err error) {
	for name, content := range map[string]string{"postgresql.conf": privateConfig, "pg_hba.conf": "local all all trust\n", "pg_ident.conf": ""} {
		path, err := operations.SecretFile(u.Env, op, name, []byte(content))
		if err != nil {
			return "", err
		}
		dir = filepath.Dir(path)
	}
	return dir, nil
}

// privateConfig is small: the agent's container has little memory.
const privateConfig = `shared_buffers = 32MB
max_connections = 20
max_prepared_transactions = 1000
log_line_prefix = ''
log_min_messages = warning
`

// privateArgs win over what ALTER SYSTEM has left in the database.
func (u unit) privateArgs(data, dir string) []string {
	args := []string{"-D", data}
	for _, setting := range []string{
		"config_file=" + filepath.Join(dir, "postgresql.conf"), "hba_file=" + filepath.Join(dir, "pg_hba.conf"), "ident_file=" + filepath.Join(dir, "pg_ident.conf"),
		"data_directory=" + data, "unix_socket_directories=" + dir, "port=" + strconv.Itoa(u.Env.SQLPort), "listen_addresses=",
		"restore_command=false", "recovery_target_timeline=current", "hot_standby=off", "archive_mode=off", "primary_conninfo=", "primary_slot_name=",
		"synchronous_standby_names=", "shared_preload_libraries=", "session_preload_libraries=", "ssl=off",
		"logging_collector=off", "log_destination=stderr", "log_statement=none", "log_min_duration_statement=-1", "log_min_error_statement=panic",
		"default_transaction_read_only=off", "autovacuum=off",
		// Subscriptions of the copy would take changes from whom the unit's own follow.
		"max_logical_replication_workers=0",
	} {
		args = append(args, "-c", setting)
	}
	return args
}

// awaitPrivate waits until the private server lets the agent in: until its recovery ends.
func (u unit) awaitPrivate(ctx context.Context, dir string, ended chan error) (*pgx.Conn, error) {
	for {
		conn, err := u.connectPrivate(ctx, dir)
		if err == nil {
			return conn, nil
		}
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code != "57P03" {
			return nil, operations.Failed(operation.ReasonDataUnusable, "the recovered database lets nobody in: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case err := <-ended:
			ended <- err
			return nil, errEnded
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// recovered fails if the recovery has ended before the position: the server takes
// damaged WAL for its end.
func recovered(ctx context.Context, conn *pgx.Conn, until lsn) error {
	var text string
	if err := conn.QueryRow(ctx, "SELECT coalesce(pg_last_wal_replay_lsn(), '0/0')::text").Scan(&text); err != nil {
		return err
	}
	at, err := parseLSN(text)
	if err == nil && at < until {
		err = operations.Failed(operation.ReasonDataUnusable, "the recovery has come to %s and the backup ends at %s: some of its WAL is damaged", at, until)
	}
	return err
}

var errEnded = errors.New("the private server has ended")

// connectPrivate logs in as the agent, or as the superuser in a copy that never had
// an agent.
func (u unit) connectPrivate(ctx context.Context, dir string) (*pgx.Conn, error) {
	conn, err := u.server().ConnectTo(ctx, dir, engine.AgentUser, "postgres")
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == "28000" {
		return u.server().ConnectTo(ctx, dir, "postgres", "postgres")
	}
	return conn, err
}

// endPrivate stops the private server. What is exchanged is a database that was shut
// down well.
func (u unit) endPrivate(ctx context.Context, cmd *exec.Cmd, ended chan error, err error, messages *pipe.Tail) error {
	if err == nil {
		err = cmd.Process.Signal(syscall.SIGINT)
	} else {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	end := <-ended
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && !errors.Is(err, errEnded):
		return err
	case end != nil || err != nil:
		return operations.Failed(operation.ReasonDataUnusable, "the new database cannot be recovered: the server on it ended (%s): %s", cmd.ProcessState, child.Redact(messages.String()))
	}
	return nil
}

// dropOwned takes the settings that belong to the operator out of what ALTER SYSTEM
// wrote: whom another server followed is nothing to this one.
func dropOwned(path string) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var b strings.Builder
	for line := range strings.Lines(string(content)) {
		name, _, _ := strings.Cut(line, "=")
		if !operation.OwnedVariable(operation.PostgreSQL, strings.TrimSpace(name)) {
			b.WriteString(line)
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
