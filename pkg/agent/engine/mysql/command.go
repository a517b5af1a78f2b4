// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// netTimeoutSeconds after which a receiver drops the connection of a silent source and
// makes a new one. A source with nothing to send sends a heartbeat in half of that.
const netTimeoutSeconds = 10

// Command implements engine.Engine.
func (e *Engine) Command(ctx context.Context, start engine.Start) (engine.Command, error) {
	mysqld, err := e.env.Program("mysqld")
	if err != nil {
		return engine.Command{}, err
	}
	v, err := e.serverVersion(ctx, mysqld)
	if err != nil {
		return engine.Command{}, err
	}
	options, err := e.options(ctx, mysqld)
	if err != nil {
		return engine.Command{}, err
	}
	return engine.Command{Path: mysqld, Args: e.args(v, options, start), Env: e.env.Environ}, nil
}

// args is the server's command line: the configuration file first, as mysqld
// demands, then what the agent owns.
func (e *Engine) args(v version, options map[string]string, start engine.Start) []string {
	args := []string{
		"--defaults-file=" + e.configPath(),
		"--datadir=" + e.env.DataDir(),
		"--tmpdir=" + e.tmpDir(),
		"--socket=" + e.socket(),
		"--pid-file=" + e.pidFile(),
		"--port=" + strconv.Itoa(e.env.SQLPort),
	}
	if v.atLeast(8, 0, 11) {
		// loose: a configuration may have switched the X plugin off.
		args = append(args, "--loose-mysqlx-socket="+e.xSocket())
	}
	// The built-in value names a directory that images need not have.
	if _, ok := options["secure_file_priv"]; !ok {
		args = append(args, "--secure-file-priv=NULL")
	}
	semiSync := semiSyncOf(v)
	args = append(args, semiSync.plugins()...)
	if start.Managed {
		args = append(args, managedArgs(v)...)
		args = append(args, looseArgs(semiSync.forRecord(start.Record))...)
	}
	return args
}

// managedArgs are those of a server that only its Replication opens: it starts
// read-only, receives and applies nothing, runs no events, and keeps what it has
// received over any end.
func managedArgs(v version) []string {
	skipStart, netTimeout := "--skip-replica-start=ON", "--replica-net-timeout="
	if !v.atLeast(8, 0, 26) {
		skipStart, netTimeout = "--skip-slave-start=ON", "--slave-net-timeout="
	}
	return []string{
		"--read-only=ON", "--super-read-only=ON", "--event-scheduler=OFF", skipStart,
		"--relay-log-recovery=OFF", "--sync-relay-log=1", netTimeout + strconv.Itoa(netTimeoutSeconds),
		"--loose-group-replication-start-on-boot=OFF",
		"--loose-group-replication-bootstrap-group=OFF",
	}
}
