// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

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
	if start.Managed {
		args = append(args, "--read-only=ON", "--super-read-only=ON", skipReplicaStart(v),
			"--loose-group-replication-start-on-boot=OFF",
			"--loose-group-replication-bootstrap-group=OFF")
	}
	return args
}

// skipReplicaStart leaves the replication threads to the agent.
func skipReplicaStart(v version) string {
	if v.atLeast(8, 0, 26) {
		return "--skip-replica-start=ON"
	}
	return "--skip-slave-start=ON"
}
