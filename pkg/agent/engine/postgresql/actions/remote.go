// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

// remote is the server to copy.
type remote struct {
	unit
	host     string
	port     int
	user     string
	password string
	passfile string
	// tls settings of connections to it.
	tls [][2]string
}

// remote at an address, with the password that was handed over.
func (u unit) remote(op operations.Op, host string, port int, user string) (remote, error) {
	r := remote{
		unit: u, host: host, port: port, user: user, password: string(op.Secrets()[operation.SecretSourcePassword]),
		tls: [][2]string{{"sslmode", "prefer"}},
	}
	if r.password == "" {
		return r, operations.Failed("NoPassword", "the password of %s at the source was not handed over", r.user)
	}
	if strings.ContainsAny(r.password, "\n\r\x00") {
		return r, operations.Failed("NoPassword", "the password of %s has a line's end or a NUL byte, which no passfile can hold", r.user)
	}
	var err error
	r.passfile, err = operations.SecretFile(u.Env, op, "pgpass", []byte("*:*:*:*:"+passfileEscape.Replace(r.password)+"\n"))
	return r, err
}

var passfileEscape = strings.NewReplacer(`\`, `\\`, `:`, `\:`)

// address of the server, for people.
func (r remote) address() string { return fmt.Sprintf("%s:%d", r.host, r.port) }

// env is the environment by which a client logs in to it.
func (r remote) env(database string) []string {
	env := []string{
		"PGHOST=" + r.host, "PGPORT=" + strconv.Itoa(r.port), "PGUSER=" + r.user, "PGDATABASE=" + database,
		"PGPASSFILE=" + r.passfile, "PGCONNECT_TIMEOUT=15",
	}
	for _, s := range r.tls {
		env = append(env, "PG"+strings.ToUpper(s[0])+"="+s[1])
	}
	return env
}

// connect to a database of it.
func (r remote) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	conninfo := "connect_timeout=15 host=x user=x"
	for _, s := range r.tls {
		conninfo += " " + s[0] + "=" + settings.QuoteConninfo(s[1])
	}
	config, err := pgx.ParseConfig(conninfo)
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.User, config.Password, config.Database = r.host, uint16(r.port), r.user, r.password, database
	if config.TLSConfig != nil {
		config.TLSConfig.ServerName = r.host
	}
	for _, f := range config.Fallbacks {
		f.Host, f.Port = r.host, uint16(r.port)
	}
	config.RuntimeParams = postgresql.SessionLimits()
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
			return nil, operations.Failed("SourceRefused", "the source %s refuses %s: %s (SQLSTATE %s)", r.address(), r.user, refused.Message, refused.Code)
		}
		return nil, operations.Failed("SourceUnreachable", "no connection to the source %s: %w", r.address(), err)
	}
	return conn, nil
}

// copyable fails if this unit cannot run a copy of the server. The size does not have the
// databases that the role may not connect to: copy is told of all when it begins.
func (r remote) copyable(ctx context.Context, conn *pgx.Conn) (size int64, err error) {
	major, err := postgresql.MajorOf(conn)
	if err == nil {
		err = r.sameMajor(ctx, strconv.Itoa(major))
	}
	if err == nil {
		err = noTablespaces(ctx, conn)
	}
	if err == nil {
		const query = "SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database WHERE has_database_privilege(oid, 'CONNECT')"
		err = conn.QueryRow(ctx, query).Scan(&size)
	}
	return size, err
}

// systemOf a server is its system identifier.
func systemOf(ctx context.Context, conn *pgx.Conn) (id string, err error) {
	err = conn.QueryRow(ctx, "SELECT system_identifier::text FROM pg_control_system()").Scan(&id)
	return id, err
}

// copy all of it into a directory, with the WAL that it takes to start there.
func (r remote) copy(ctx context.Context, op operations.Op, into string, size int64, more ...string) error {
	args := append([]string{"--pgdata=" + into, "--format=plain", "--wal-method=stream", "--checkpoint=fast", "--label=unit-agent",
		"--no-password", "--no-sync", "--progress"}, more...)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// It confirms WAL as a standby does. No member is called so, for whom commits may wait.
	env := append(r.env("postgres"), "PGAPPNAME=unit_agent")
	cmd, err := r.tool(ctx, op, env, "pg_basebackup", args...)
	if err != nil {
		return err
	}
	text, first := "copying "+r.address(), true
	op.Progress(text, 0, size)
	cmd.Stderr = &pipe.Lines{Take: func(line string) bool {
		done, total, ok := copied(line)
		if !ok {
			return false
		}
		if first {
			if err := r.space(total - done); err != nil {
				cancel(err)
			}
		}
		first = false
		op.Progress(text, done, total)
		return true
	}}
	return pipe.Run(ctx, cmd, nil, nil, r.password)
}

var copiedPattern = regexp.MustCompile(`^(\d+)/(\d+) kB \(`)

// copied is what pg_basebackup prints of how far it is, in bytes.
func copied(line string) (done, total int64, ok bool) {
	m := copiedPattern.FindStringSubmatch(line)
	if m == nil {
		return 0, 0, false
	}
	done, err := strconv.ParseInt(m[1], 10, 54)
	if err != nil {
		return 0, 0, false
	}
	total, err = strconv.ParseInt(m[2], 10, 54)
	return done << 10, total << 10, err == nil
}
