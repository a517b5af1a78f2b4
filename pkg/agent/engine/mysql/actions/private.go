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
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

const (
	// privateWait bounds the start of a private server: recovery of large redo takes
	// long, and a start that hangs is to end some time.
	privateWait = time.Hour
	// privateStop bounds its end.
	privateStop = 10 * time.Minute
)

// private is a server on a data directory that is not in service: nobody can reach it
// but by a socket in a directory of the agent's own.
type private struct {
	engine   *mysql.Engine
	data     string
	dir      string
	cmd      *exec.Cmd
	messages tail
	exited   chan struct{}
}

func (u unit) privateDir(op operations.Op) string {
	return filepath.Join(u.Env.TmpDir, "unit-private-"+op.ID())
}

// startPrivate starts a server on data and waits until the agent's own account, which
// is made if need be, can log in.
func (u unit) startPrivate(ctx context.Context, op operations.Op, data string, more ...string) (*private, error) {
	p, err := u.tryPrivate(ctx, op, data, nil, more)
	if err == nil || ctx.Err() != nil {
		return p, err
	}
	// Data of elsewhere may lack the plugin by which the agent logs in. Where it is
	// there its installation fails, so it is the second attempt.
	install := []string{"INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'"}
	if p, secondErr := u.tryPrivate(ctx, op, data, install, more); secondErr == nil {
		return p, nil
	}
	return nil, operations.Failed("DataUnusable", "no server starts on the restored data: %w", err)
}

func (u unit) tryPrivate(ctx context.Context, op operations.Op, data string, first, more []string) (_ *private, err error) {
	p := &private{data: data, dir: u.privateDir(op), exited: make(chan struct{})}
	if err := os.RemoveAll(p.dir); err != nil {
		return nil, err
	}
	tmp := filepath.Join(p.dir, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(p.dir)
		}
	}()
	env := u.Env
	env.SocketDir = p.dir
	p.engine = mysql.New(env).(*mysql.Engine)

	osUser, err := mysql.OSUser()
	if err != nil {
		return nil, err
	}
	script := append(append(mysql.Session(false), first...), mysql.AgentStatements(osUser)...)
	init, err := mysql.SecretFile(strings.Join(script, ";\n") + ";\n")
	if err != nil {
		return nil, err
	}
	defer init.Close()
	mysqld, err := u.Env.Program("mysqld")
	if err != nil {
		return nil, err
	}
	format, err := u.server().FormatOptions(ctx, mysqld)
	if err != nil {
		return nil, err
	}
	args := append([]string{
		"--no-defaults",
		"--datadir=" + data, "--tmpdir=" + tmp,
		"--socket=" + p.engine.Socket(), "--pid-file=" + filepath.Join(p.dir, "pid"),
		"--skip-networking", "--loose-mysqlx=OFF", "--secure-file-priv=NULL",
		"--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--skip-log-bin", "--loose-skip-slave-start", "--loose-skip-replica-start", "--event-scheduler=OFF",
		"--loose-performance-schema=OFF", "--innodb-buffer-pool-size=64M", "--max-allowed-packet=1G",
		// The descriptor that ExtraFiles begin with.
		"--init-file=/proc/self/fd/3",
	}, format...)
	p.cmd = operations.Command(ctx, op, mysqld, append(args, more...)...)
	p.cmd.ExtraFiles = []*os.File{init}
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
