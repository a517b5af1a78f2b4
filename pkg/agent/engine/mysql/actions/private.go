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
	"strings"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

const (
	// privateWait bounds the start of a private server: recovery of large redo takes
	// long, and a start that hangs is to end some time.
	privateWait = time.Hour
	// restWait bounds how long a server may take to come to rest before it is stopped: as
	// long as what that spares.
	restWait = 2 * time.Second
	// privateStop bounds the end of a private server.
	privateStop = 10 * time.Minute
)

// beside is a data directory that is not in service.
type beside struct {
	data string
	// scratch: it is thrown away in the end. Its server knows no accounts, so that
	// whoever defines views and routines may be missing, and makes nothing durable.
	scratch bool
}

// tmp is the server's directory for large sorts, on the volume that has the room.
func (b beside) tmp() string { return filepath.Join(filepath.Dir(b.data), "tmp") }

// scratchArgs are those of a server on scratch. Statements about accounts cannot be
// executed by it (1290), and changes of the tables of mysql would find other rows
// there: the applier leaves both out.
var scratchArgs = []string{
	"--skip-grant-tables", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-strict-mode=OFF",
	"--replicate-wild-ignore-table=mysql.%", "--loose-slave-skip-errors=1290", "--loose-replica-skip-errors=1290",
}

// private is a server on a data directory that is not in service: nobody can reach it
// but by a socket in a directory of the agent's own.
type private struct {
	engine   *mysql.Engine
	dir      string
	cmd      *exec.Cmd
	messages pipe.Tail
	exited   chan struct{}
}

func (u unit) privateDir(op operations.Op) string {
	return filepath.Join(u.Env.TmpDir, "unit-private-"+op.ID())
}

// startPrivate starts a server on b and waits until the agent's own account, which is
// made if need be, can log in.
func (u unit) startPrivate(ctx context.Context, op operations.Op, b beside, more ...string) (*private, error) {
	p, err := u.tryPrivate(ctx, op, b, nil, more)
	if err == nil || ctx.Err() != nil {
		return p, err
	}
	// Data of elsewhere may lack the plugin by which the agent logs in. Where it is
	// there its installation fails, so it is the second attempt.
	install := []string{"INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'"}
	if !b.scratch {
		if p, secondErr := u.tryPrivate(ctx, op, b, install, more); secondErr == nil {
			return p, nil
		}
	}
	return nil, operations.Failed(operation.ReasonDataUnusable, "no server starts on the restored data: %w", err)
}

func (u unit) tryPrivate(ctx context.Context, op operations.Op, b beside, first, more []string) (_ *private, err error) {
	p := &private{dir: u.privateDir(op), exited: make(chan struct{})}
	if err := os.RemoveAll(p.dir); err != nil {
		return nil, err
	}
	for _, dir := range []string{p.dir, b.tmp()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(p.dir)
		}
	}()
	env := u.Env
	env.SocketDir = p.dir
	p.engine = mysql.New(env).(*mysql.Engine)

	mysqld, err := u.Env.Program("mysqld")
	if err != nil {
		return nil, err
	}
	format, err := u.server().FormatOptions(ctx, mysqld)
	if err != nil {
		return nil, err
	}
	args := append(p.args(b), format...)
	var files []*os.File
	if !b.scratch {
		init, err := accountsFile(first)
		if err != nil {
			return nil, err
		}
		defer init.Close()
		// The descriptor that ExtraFiles begin with.
		args, files = append(args, "--init-file=/proc/self/fd/3"), append(files, init)
	}
	p.cmd = operations.Command(ctx, op, mysqld, append(args, more...)...)
	p.cmd.ExtraFiles = files
	p.cmd.Stdout, p.cmd.Stderr = &p.messages, &p.messages
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		// Its state says as much.
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	if err := p.await(ctx); err != nil {
		_ = p.cmd.Process.Kill()
		<-p.exited
		return nil, err
	}
	return p, nil
}

func (p *private) args(b beside) []string {
	args := []string{
		"--no-defaults",
		"--datadir=" + b.data, "--tmpdir=" + b.tmp(),
		"--socket=" + p.engine.Socket(), "--pid-file=" + filepath.Join(p.dir, "pid"),
		"--skip-networking", "--loose-mysqlx=OFF", "--secure-file-priv=NULL",
		"--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--skip-log-bin", "--loose-skip-slave-start", "--loose-skip-replica-start", "--event-scheduler=OFF",
		"--loose-performance-schema=OFF", "--innodb-buffer-pool-size=64M", "--max-allowed-packet=1G",
	}
	if b.scratch {
		args = append(args, scratchArgs...)
	}
	return args
}

// accountsFile makes the agent's own account when a server starts, after the first
// statements.
func accountsFile(first []string) (*os.File, error) {
	osUser, err := mysql.OSUser()
	if err != nil {
		return nil, err
	}
	script := append(append(mysql.Session(false), first...), mysql.AgentStatements(osUser)...)
	return mysql.SecretFile(strings.Join(script, ";\n") + ";\n")
}

func (p *private) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, privateWait)
	defer cancel()
	for {
		err := p.engine.Check(ctx)
		if err == nil {
			return nil
		}
		if n := number(err); n == 1045 || n == 1698 {
			return fmt.Errorf("the agent cannot log in: %w", err)
		}
		timer := time.NewTimer(200 * time.Millisecond)
		select {
		case <-p.exited:
			timer.Stop()
			return fmt.Errorf("mysqld ended with %s: %s", p.cmd.ProcessState, p.messages.String())
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// stop ends the server in an orderly way: what it leaves needs no recovery.
func (p *private) stop() error {
	defer os.RemoveAll(p.dir)
	// A mysqld that shuts down sleeps for two seconds if anybody is connected, though idle,
	// or has just gone and not been cleared away yet.
	p.engine.Disconnect()
	awaitRest(p.cmd.Process.Pid, restWait)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(privateStop)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		p.kill()
		return errors.New("the private server does not stop")
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("the private server ended with %s: %s", p.cmd.ProcessState, p.messages.String())
	}
	return nil
}

// kill ends it at once; stopped servers are left alone.
func (p *private) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	_ = os.RemoveAll(p.dir)
}

// adopt makes the accounts of the unit what its Secret says, in data that came from
// elsewhere, and leaves no transaction.
func (u unit) adopt(ctx context.Context, p *private) error {
	accounts, err := engine.LoadAccounts(u.Env)
	if err != nil {
		return err
	}
	return p.engine.EnsureAccounts(ctx, accounts, engine.ReachServer)
}
