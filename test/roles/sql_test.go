// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

// statementTimeout bounds a client's statement: one that waits for an acknowledgement
// that does not come is no hang of the test.
const statementTimeout = 10 * time.Second

// client is an ordinary client's one session.
type client interface {
	Exec(ctx context.Context, statement string) error
	// Int is the first column of the first row.
	Int(ctx context.Context, query string) (int, error)
	Close()
}

// connect opens a session with the member.
func (m *member) connect(ctx context.Context) (client, error) {
	if m.env.Type == "postgresql" {
		u := url.URL{
			Scheme: "postgres", User: url.UserPassword(admin, adminPassword), Host: fmt.Sprintf("127.0.0.1:%d", m.sqlPort()),
			Path: "/postgres", RawQuery: "sslmode=disable&connect_timeout=2",
		}
		conn, err := pgx.Connect(ctx, u.String())
		if err != nil {
			return nil, err
		}
		return postgresClient{conn}, nil
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = admin, adminPassword, "tcp", fmt.Sprintf("127.0.0.1:%d", m.sqlPort())
	c.TLSConfig, c.Timeout, c.Logger = "skip-verify", 2*time.Second, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return mysqlClient{db, conn}, nil
}

type mysqlClient struct {
	db   *sql.DB
	conn *sql.Conn
}

func (c mysqlClient) Exec(ctx context.Context, statement string) error {
	_, err := c.conn.ExecContext(ctx, statement)
	return err
}

func (c mysqlClient) Int(ctx context.Context, query string) (int, error) {
	var n int
	err := c.conn.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

func (c mysqlClient) Close() {
	_ = c.conn.Close()
	_ = c.db.Close()
}

type postgresClient struct{ conn *pgx.Conn }

func (c postgresClient) Exec(ctx context.Context, statement string) error {
	_, err := c.conn.Exec(ctx, statement)
	return err
}

func (c postgresClient) Int(ctx context.Context, query string) (int, error) {
	var n int
	err := c.conn.QueryRow(ctx, query).Scan(&n)
	return n, err
}

func (c postgresClient) Close() { _ = c.conn.Close(context.Background()) }

// exec runs one statement as an ordinary client.
func (m *member) exec(statement string) error {
	ctx, cancel := context.WithTimeout(m.set.t.Context(), statementTimeout)
	defer cancel()
	c, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Exec(ctx, statement)
}

// write commits a row, at once or not at all.
func (m *member) write(id int) error {
	return m.exec(fmt.Sprintf("INSERT INTO app.t VALUES (%d)", id))
}

func (m *member) mustWrite(t *testing.T, id int) {
	t.Helper()
	if err := m.write(id); err != nil {
		t.Fatalf("%s took no write: %v", m.name, err)
	}
}

func (m *member) mustNotWrite(t *testing.T, id int) {
	t.Helper()
	if err := m.write(id); err == nil {
		t.Fatalf("%s, which is no source, acknowledged a write", m.name)
	}
}

// has says whether the row is there.
func (m *member) has(id int) (bool, error) {
	ctx, cancel := context.WithTimeout(m.set.t.Context(), statementTimeout)
	defer cancel()
	c, err := m.connect(ctx)
	if err != nil {
		return false, err
	}
	defer c.Close()
	n, err := c.Int(ctx, fmt.Sprintf("SELECT COUNT(*) FROM app.t WHERE id = %d", id))
	return n == 1, err
}

// gets waits until the row has come.
func (m *member) gets(t *testing.T, id int) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var there bool
		if there, err = m.has(id); there {
			return
		}
	}
	t.Fatalf("row %d does not come to %s: %v", id, m.name, err)
}

// takesWrites waits until the member acknowledges writes again, the operator being away.
func (m *member) takesWrites(t *testing.T, id int) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = m.write(id); err == nil {
			return
		}
	}
	t.Fatalf("%s does not take writes again: %v", m.name, err)
}
