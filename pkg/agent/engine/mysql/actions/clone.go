// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// secretSourcePassword is the key of the operation's secret.
const secretSourcePassword = "source.password"

// errDenied: a privilege is missing.
const errDenied = 1227

// clone replaces the unit's data by a copy of another server's, or copies some of its
// databases.
type clone struct{ unit }

// Run implements operations.Action.
func (a clone) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	if phase, _ := op.Phase(); recovery(phase) == operations.RecoverAtOnce {
		return a.takeUp(ctx, op)
	}
	p, err := params[*operation.Clone](op)
	if err != nil {
		return nil, err
	}
	password := string(op.Secrets()[secretSourcePassword])
	from, err := dial(ctx, p, password)
	if err != nil {
		return nil, err
	}
	defer from.close()
	if len(p.Databases) > 0 || len(p.SkipTables) > 0 {
		return a.copyDatabases(ctx, op, p, from, password)
	}
	return a.whole(ctx, op, p, from, password)
}

// Recover implements operations.Recoverer.
func (a clone) Recover(phase string) operations.Recovery { return recovery(phase) }

// Abandon implements operations.Abandoner.
func (a clone) Abandon(ctx context.Context, op operations.Op) error { return a.abandon(ctx, op) }

// dial logs in to the source. The server's name is not verified: CLONE and mysqldump
// do not either.
func dial(ctx context.Context, p *operation.Clone, password string) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	config := driver.NewConfig()
	config.User, config.Passwd = p.SourceUser, password
	config.Net, config.Addr = "tcp", address(p)
	config.Timeout, config.TLSConfig, config.Logger = 10*time.Second, "preferred", &driver.NopLogger{}
	connector, err := driver.NewConnector(config)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, operations.Failed("SourceUnreachable", "logging in to %s at %s: %s", p.SourceUser, address(p), child.Redact(err.Error(), password))
	}
	s := &session{conn, db}
	if err := s.exec(ctx, mysql.ReadLimits); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func address(p *operation.Clone) string {
	return net.JoinHostPort(p.SourceHost, strconv.Itoa(p.SourcePort))
}

// whole clones the source into a directory alongside the data, and exchanges the two.
// CLONE without a directory would give the old data up first.
func (a clone) whole(ctx context.Context, op operations.Op, p *operation.Clone, from *session, password string) (map[string]string, error) {
	version, err := from.value(ctx, "SELECT @@global.version")
	if err != nil {
		return nil, err
	}
	if err := a.mayReplace(ctx, p.Overwrite, version); err != nil {
		return nil, err
	}
	if err := clonePlugin(ctx, from); err != nil {
		return nil, fmt.Errorf("the source: %w", err)
	}
	if err := cloneable(ctx, from); err != nil && number(err) != errDenied {
		return nil, fmt.Errorf("on the source: %w", err)
	}
	s, err := a.session(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := clonePlugin(ctx, s); err != nil {
		return nil, err
	}
	size, err := sourceSize(ctx, from)
	if err != nil {
		return nil, err
	}
	room := roomFor(size, a.Env.DataMount, "a larger data storage, on which the cloned data lies beside the old until it serves")
	where := address(p)
	return a.replace(ctx, op, room, func(ctx context.Context, data string) (built, error) {
		if err := a.cloneInstance(ctx, op, s, p, password, data, room); err != nil {
			return built{}, err
		}
		executed, err := a.ready(ctx, op, data, source{}, nil)
		if err != nil {
			return built{}, err
		}
		return built{
			restored: restored{Backup: where, GTIDExecuted: executed},
			result:   map[string]string{"gtidExecuted": executed, "message": "cloned from " + where},
		}, nil
	})
}

// sourceSize is what the source's tablespaces take, as far as the user may know.
func sourceSize(ctx context.Context, from *session) (int64, error) {
	text, err := from.value(ctx, "SELECT SUM(file_size) FROM information_schema.innodb_tablespaces")
	if number(err) == errDenied {
		text, err = from.value(ctx, "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables")
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

func (a clone) cloneInstance(ctx context.Context, op operations.Op, s *session, p *operation.Clone, password, into string, r room) error {
	before, err := s.value(ctx, "SELECT @@global.clone_valid_donor_list")
	if err != nil {
		return err
	}
	donors := func(list string) string {
		if list == "" {
			return "SET GLOBAL clone_valid_donor_list = NULL"
		}
		return "SET GLOBAL clone_valid_donor_list = " + mysql.Literal(list)
	}
	if err := s.exec(ctx, donors(p.SourceHost+":"+strconv.Itoa(p.SourcePort))); err != nil {
		return operations.Failed("Refused", "the server does not take the source's address: %w", err)
	}
	defer func() { _ = s.exec(context.WithoutCancel(ctx), donors(before)) }()
	statement := fmt.Sprintf("CLONE INSTANCE FROM %s@%s:%d IDENTIFIED BY %s DATA DIRECTORY = %s",
		mysql.Literal(p.SourceUser), mysql.Literal(p.SourceHost), p.SourcePort, mysql.Literal(password), mysql.Literal(into))
	err = a.runClone(ctx, op, s, statement, into, r)
	if number(err) != 0 {
		return operations.Failed("CloneFailed", "cloning %s: %s", address(p), child.Redact(err.Error(), mysql.Literal(password), password))
	}
	return err
}

// copyDatabases loads a dump of the source's databases.
func (a clone) copyDatabases(ctx context.Context, op operations.Op, p *operation.Clone, from *session, password string) (map[string]string, error) {
	var args dumpArgs
	var err error
	if args.databases, err = databases(ctx, from, p.Databases); err != nil {
		return nil, err
	}
	if len(args.databases) == 0 {
		return nil, operations.Failed("NothingToClone", "the source has no database that %s can see", p.SourceUser)
	}
	if args.skip, err = skipped(ctx, from, args.databases, p.SkipTables); err != nil {
		return nil, err
	}
	broken, leftOut, err := brokenViews(ctx, from, args.databases, args.skip)
	if err != nil {
		return nil, err
	}
	args.skip = append(args.skip, broken...)
	plan := logicalPlan{names: map[string]string{}, whole: len(p.SkipTables) == 0}
	for _, name := range args.databases {
		plan.names[name] = name
	}
	options := fmt.Sprintf("[client]\nuser=%s\npassword=%s\nhost=%s\nport=%d\n",
		optionValue(p.SourceUser), optionValue(password), optionValue(p.SourceHost), p.SourcePort)
	file, err := operations.SecretFile(a.Env, op, "source.cnf", []byte(options))
	if err != nil {
		return nil, err
	}
	defer os.Remove(file)
	cmd, err := a.tool(ctx, op, "mysqldump", append([]string{"--defaults-file=" + file}, args.arguments()...)...)
	if err != nil {
		return nil, err
	}
	sizes, err := databaseSizes(ctx, from, args.skip)
	if err != nil {
		return nil, err
	}
	l := &load{
		unit: a.unit, plan: plan, sizes: sizes,
		begun: begun{Restored: restored{Backup: address(p)}, Result: map[string]string{"message": "copied from " + address(p)}},
		dump:  func(ctx context.Context, to io.Writer) error { return pipe.Run(ctx, cmd, nil, to, password) },
	}
	if len(leftOut) > 0 {
		l.Result[resultLeftOut] = strings.Join(leftOut, "; ")
	}
	return l.run(ctx, op, p.Overwrite)
}

// optionValue writes a value in an option file.
func optionValue(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

// endClones ends CLONE statements that an agent that is no more has left running: they
// write where things are about to be removed.
func (u unit) endClones(ctx context.Context) error {
	s, err := u.session(ctx, false)
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded), number(err) != 0, ctx.Err() != nil:
		return fmt.Errorf("ending copies that may still run: %w", err)
	default:
		// No server, no statement.
		return nil
	}
	defer s.close()
	for ctx.Err() == nil {
		running, err := s.column(ctx, "SELECT id FROM information_schema.processlist WHERE user = ? AND id <> CONNECTION_ID() AND info LIKE 'CLONE %'", agentUser)
		if err != nil || len(running) == 0 {
			return err
		}
		for _, id := range running {
			// It may have ended meanwhile.
			_ = s.exec(ctx, "KILL QUERY "+id)
		}
		timer := time.NewTimer(200 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return context.Cause(ctx)
}
