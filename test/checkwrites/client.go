// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
)

// The clients' patience. It is part of every gap that is reported: a client that hangs on
// a server that is gone notices after StatementTimeout.
const (
	ConnectTimeout   = time.Second
	StatementTimeout = 2 * time.Second
)

// Account that clients log in with.
type Account struct{ User, Password string }

// connect opens one session with the first of the addresses that answers, as behind a
// load balancer that tries all nodes.
func connect(ctx context.Context, account Account, addresses ...string) (*session, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = account.User, account.Password, "tcp", addresses[0]
	c.TLS, c.Logger = &tls.Config{InsecureSkipVerify: true}, &mysql.NopLogger{}
	c.ReadTimeout, c.WriteTimeout = StatementTimeout, StatementTimeout
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return first(ctx, addresses) }
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	s := &session{db: sql.OpenDB(connector)}
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	if s.conn, err = s.db.Conn(ctx); err == nil {
		err = s.conn.QueryRowContext(ctx, "SELECT CONCAT(@@server_uuid, ':', CONNECTION_ID())").Scan(&s.id)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// first connection that is made.
func first(ctx context.Context, addresses []string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	results := make(chan result, len(addresses))
	for _, address := range addresses {
		go func() {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			results <- result{conn, err}
		}()
	}
	var errs []error
	for n := range addresses {
		r := <-results
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		go func() {
			for range len(addresses) - n - 1 {
				if late := <-results; late.conn != nil {
					_ = late.conn.Close()
				}
			}
		}()
		return r.conn, nil
	}
	return nil, errors.Join(errs...)
}

// session is one connection that nothing renews behind the back of who uses it: a
// statement is sent once.
type session struct {
	db   *sql.DB
	conn *sql.Conn
	// id is the server's and the connection's.
	id string
}

func (s *session) exec(ctx context.Context, statement string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout)
	defer cancel()
	_, err := s.conn.ExecContext(ctx, statement, args...)
	return err
}

func (s *session) close() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	_ = s.db.Close()
}

// broken says that the session is of no more use; the server's own refusals are not.
func broken(err error) bool {
	var refusal *mysql.MySQLError
	return err != nil && (!errors.As(err, &refusal) || errors.Is(err, driver.ErrBadConn))
}

// Clients of one Service.
type Clients struct {
	Account Account
	// Addresses at which the Service is reached.
	Addresses []string
	// N of them, each of which begins a write every Interval or as soon as its last has ended.
	N        int
	Interval time.Duration
	History  *History
}

// Prepare makes the tables, through the Service.
func (c Clients) Prepare(ctx context.Context) error {
	s, err := connect(ctx, c.Account, c.Addresses...)
	if err != nil {
		return err
	}
	defer s.close()
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS " + database,
		// Ids begin again with each history.
		"DROP TABLE IF EXISTS " + table,
		// No unique key: a row that is applied twice has to show.
		"CREATE TABLE " + table + " (n BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT NOT NULL, KEY (id))",
		"CREATE TABLE IF NOT EXISTS " + markers + " (member VARCHAR(64) PRIMARY KEY, n BIGINT NOT NULL)",
	} {
		if err := s.exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

const (
	database = "checkwrites"
	table    = database + ".written"
	markers  = database + ".markers"
)

// Run one client until the context ends.
func (c Clients) Run(ctx context.Context, client int) {
	var s *session
	for tick := time.NewTicker(c.Interval); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			if s != nil {
				s.close()
			}
			return
		case <-tick.C:
		}
		w := Write{ID: c.History.ID(), Client: client, Begun: time.Now()}
		var err error
		if s == nil {
			s, err = connect(context.Background(), c.Account, c.Addresses...)
		}
		if err == nil {
			// Not the run's context: its end is no reason not to know an outcome.
			err = s.exec(context.Background(), "INSERT INTO "+table+" (id) VALUES (?)", w.ID)
		}
		w.Ended, w.Acknowledged = time.Now(), err == nil
		c.History.add(w, err)
		// Whatever went wrong, another session may lead to another server.
		if err != nil && s != nil {
			s.close()
			s = nil
		}
	}
}
