// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// New are the actions by name.
func New(deps operations.Deps) map[string]operations.Action {
	u := unit{deps}
	return map[string]operations.Action{
		operation.ActionSetVariable:    setVariable{u},
		operation.ActionLogicalBackup:  logicalBackup{u},
		operation.ActionPhysicalBackup: physicalBackup{u},
		operation.ActionRestore:        restore{u},
		operation.ActionClone:          clone{u},
		operation.ActionGTIDPurge:      gtidPurge{u},
		operation.ActionProvision:      provision{u},
		operation.ActionVerify:         verify{u},
	}
}

// unit is the server that the actions work on.
type unit struct{ operations.Deps }

// server is the engine with what only MySQL's has.
func (u unit) server() *mysql.Engine { return u.Engine.(*mysql.Engine) }

// session is a connection of the operation's own: its settings reach no pool, and
// the locks it takes end with it.
func (u unit) session(ctx context.Context, binlog bool) (*session, error) {
	return openSession(ctx, u.server(), binlog)
}

type session struct {
	*sql.Conn
	db *sql.DB
}

// loginTimeout bounds logging in. A server that hangs takes connections all the same.
const loginTimeout = 30 * time.Second

func openSession(ctx context.Context, e *mysql.Engine, binlog bool) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	db, err := e.Connect()
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, operations.Failed(operation.ReasonServerNotRunning, "the server does not answer: %w", err)
	}
	s := &session{conn, db}
	if err := s.exec(ctx, append(mysql.Session(binlog), mysql.ReadLimits)...); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() {
	// The server ends what the connection had; there is nothing to be done about it.
	_ = s.Close()
	_ = s.db.Close()
}

func (s *session) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// value is the one value of a query; empty for NULL.
func (s *session) value(ctx context.Context, query string, args ...any) (string, error) {
	var v sql.NullString
	err := s.QueryRowContext(ctx, query, args...).Scan(&v)
	return v.String, err
}

// column is the first column of a query's rows.
func (s *session) column(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := s.rows(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, row := range rows {
		out = append(out, row.first)
	}
	return out, nil
}

// row of a query whose columns differ between versions.
type row struct {
	first  string
	byName map[string]string
}

func (s *session) rows(ctx context.Context, query string, args ...any) ([]row, error) {
	rows, err := s.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []row
	for rows.Next() {
		values := make([]sql.NullString, len(names))
		to := make([]any, len(names))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		r := row{first: values[0].String, byName: map[string]string{}}
		for i, name := range names {
			r.byName[name] = values[i].String
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// number of the server's error; 0 if it is another's.
func number(err error) uint16 {
	if e, ok := errors.AsType[*driver.MySQLError](err); ok {
		return e.Number
	}
	return 0
}

// params of the operation, as the action's type.
func params[P operation.Params](op operations.Op) (P, error) {
	p, ok := op.Params().(P)
	if !ok {
		return p, fmt.Errorf("parameters of %s are %T", op.Action(), op.Params())
	}
	return p, nil
}
