// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"fmt"
	"net"
)

// Engine is how clients speak to servers of one kind: MySQL or PostgreSQL.
type Engine struct {
	// open a connection over what dial makes. It is never renewed in secret, and a statement
	// is sent once.
	open func(ctx context.Context, account Account, dial dialer) (conn, error)
	// broken: a session that ended a statement with this error is of no more use; the
	// server's own refusals are not of that kind.
	broken func(err error) bool
	// prepare makes the tables; each statement may be repeated.
	prepare []string
	// identify a session among all that a member's servers ever had.
	identify string
	// insert a row of an id, and mark the commit of a member.
	insert, mark string
	// position of all that was committed on a source, and whether a member has applied a
	// position: true or false, after a while or at once.
	position, applied string
}

// conn is one connection of an engine's driver.
type conn interface {
	// exec commits a statement. Without an error it is acknowledged.
	exec(ctx context.Context, statement string, args ...any) error
	// query calls each with every row.
	query(ctx context.Context, each func(scan func(...any) error) error, query string, args ...any) error
	close()
}

const (
	schema  = "checkwrites"
	table   = schema + ".written"
	markers = schema + ".markers"
)

// session is one connection that nothing renews behind the back of who uses it.
type session struct {
	conn
	// id is the server's and the connection's.
	id string
}

// connect opens one session with the first of the addresses that answers, as behind a
// load balancer that tries all nodes.
func (e Engine) connect(ctx context.Context, account Account, addresses ...string) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	c, err := e.open(ctx, account, func(ctx context.Context) (net.Conn, error) { return first(ctx, addresses) })
	if err != nil {
		return nil, err
	}
	s := &session{conn: c}
	if s.id, err = s.value(ctx, e.identify); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) exec(ctx context.Context, statement string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout)
	defer cancel()
	return s.conn.exec(ctx, statement, args...)
}

// value of the one row and column.
func (s *session) value(ctx context.Context, query string, args ...any) (value string, err error) {
	rows := 0
	err = s.query(ctx, func(scan func(...any) error) error {
		rows++
		return scan(&value)
	}, query, args...)
	if err == nil && rows != 1 {
		err = fmt.Errorf("%d rows of %s", rows, query)
	}
	return value, err
}
