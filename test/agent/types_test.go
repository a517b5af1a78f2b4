// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// client is one session at a time; it logs in anew when the last one has broken.
type client interface {
	Exec(ctx context.Context, statement string) error
	// Query returns the first column of the first row.
	Query(ctx context.Context, query string) (string, error)
	Close()
}

func TestLifeOfAMySQL(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		life(t, box, server{
			typ: "mysql",
			files: map[string]string{"my.cnf": `[mysqld]
server_id=1
gtid_mode=ON
enforce_gtid_consistency=ON
innodb_buffer_pool_size=32M
performance_schema=OFF
`},
			login:   func() client { return newMySQLClient(t, "adm", 3306) },
			process: "mysqld ",
			session: "SELECT CONNECTION_ID()",
			restart: "RESTART",
			keeps:   true,
		})
	})
}

func TestLifeOfAPostgreSQL(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		life(t, box, server{
			typ:     "postgresql",
			files:   map[string]string{"postgresql.conf": "shared_buffers = 16MB\nlisten_addresses = '*'\n"},
			login:   func() client { return &postgresClient{} },
			process: "postgres ",
			session: "SELECT pg_backend_pid()::text",
			keeps:   true,
		})
	})
}

func TestLifeOfAProxySQL(t *testing.T) {
	enginetest.Each(t, "proxysql", func(t *testing.T, box *enginetest.Box) {
		life(t, box, server{
			typ: "proxysql",
			files: map[string]string{"proxysql.cnf": `admin_variables =
{
	admin_credentials = "$(ADMIN_CREDENTIALS)"
	mysql_ifaces = "0.0.0.0:6032"
}
mysql_variables =
{
	interfaces = "0.0.0.0:6033"
	threads = "2"
}
`},
			login: func() client {
				addProxySQLUser(t, box)
				return newMySQLClient(t, "adm", 6033)
			},
			process: "proxysql ",
			// It answers that one itself, without a server behind it.
			session: "SELECT CONNECTION_ID()",
		})
	})
}

// addProxySQLUser logs in to the admin interface by the client option file that
// people in the container have, and adds the user adm.
func addProxySQLUser(t *testing.T, box *enginetest.Box) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(box.Vars["HOME"], ".my.cnf"))
	if err != nil {
		t.Fatal(err)
	}
	options := map[string]string{}
	for line := range strings.Lines(string(file)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			options[name] = value
		}
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = options["user"], options["password"], "tcp", options["host"]+":"+options["port"]
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for _, s := range []string{
		"INSERT INTO mysql_users (username, password) VALUES ('adm', '" + strings.ReplaceAll(password, "'", "''") + "')",
		"LOAD MYSQL USERS TO RUNTIME",
		"SAVE MYSQL USERS TO DISK",
	} {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

type mysqlClient struct{ db *sql.DB }

func newMySQLClient(t *testing.T, user string, port int) client {
	t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = user, password, "tcp", fmt.Sprintf("127.0.0.1:%d", port)
	c.TLSConfig, c.Logger = "skip-verify", &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return mysqlClient{db}
}

func (c mysqlClient) Exec(ctx context.Context, statement string) error {
	_, err := c.db.ExecContext(ctx, statement)
	return err
}

func (c mysqlClient) Query(ctx context.Context, query string) (string, error) {
	var answer string
	err := c.db.QueryRowContext(ctx, query).Scan(&answer)
	return answer, err
}

func (c mysqlClient) Close() { _ = c.db.Close() }

type postgresClient struct{ conn *pgx.Conn }

func (c *postgresClient) session(ctx context.Context) (*pgx.Conn, error) {
	if c.conn != nil && !c.conn.IsClosed() {
		return c.conn, nil
	}
	config, err := pgx.ParseConfig("host=127.0.0.1 port=5432 dbname=postgres sslmode=disable user=adm")
	if err != nil {
		return nil, err
	}
	config.Password = password
	c.conn, err = pgx.ConnectConfig(ctx, config)
	return c.conn, err
}

func (c *postgresClient) Exec(ctx context.Context, statement string) error {
	conn, err := c.session(ctx)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return err
}

func (c *postgresClient) Query(ctx context.Context, query string) (string, error) {
	conn, err := c.session(ctx)
	if err != nil {
		return "", err
	}
	var answer string
	err = conn.QueryRow(ctx, query).Scan(&answer)
	return answer, err
}

func (c *postgresClient) Close() {
	if c.conn != nil {
		_ = c.conn.Close(context.Background())
	}
}
