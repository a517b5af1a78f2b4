// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// mysqlRoot is the root filesystem of a MySQL server, of those that
// pkg/agent/engine/enginetest/make-servers.sh makes.
func mysqlRoot(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("UNIT_OPERATOR_SERVERS")
	if dir == "" {
		cache := os.Getenv("UNIT_OPERATOR_CACHE")
		if cache == "" {
			user, err := os.UserCacheDir()
			if err != nil {
				t.Fatal(err)
			}
			cache = filepath.Join(user, "unit-operator")
		}
		dir = filepath.Join(cache, "servers")
	}
	roots, err := filepath.Glob(filepath.Join(dir, "mysql-*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(roots) == 0 {
		if slices.Contains(strings.Split(os.Getenv("UNIT_OPERATOR_REQUIRE_SERVERS"), ","), "mysql") {
			t.Fatalf("no root filesystem mysql-* in %s", dir)
		}
		t.Skipf("no root filesystem mysql-* in %s: hack/test-servers.sh makes one", dir)
	}
	return roots[len(roots)-1]
}

// startMySQL starts a server of the root with users for the application and the monitor,
// and returns its port and a connection for its administrator.
func startMySQL(t *testing.T, root string) (string, *sql.DB) {
	t.Helper()
	// Its libraries are the root's, and nothing of it need be mounted.
	loaders, err := filepath.Glob(filepath.Join(root, "usr/lib*/*/ld-linux-*.so.*"))
	if err != nil || len(loaders) == 0 {
		t.Fatalf("no dynamic loader in %s: %v", root, err)
	}
	dir, err := os.MkdirTemp("", "px") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	init := filepath.Join(dir, "init.sql")
	if err := os.WriteFile(init, []byte(`CREATE USER monitor IDENTIFIED BY 'monpass';
CREATE USER app IDENTIFIED BY 'apppass';
CREATE DATABASE app DEFAULT CHARACTER SET utf8mb4;
GRANT ALL ON app.* TO app;
CREATE USER boss IDENTIFIED BY 'bosspass';
GRANT ALL ON *.* TO boss;
`), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	run := func(arguments ...string) *exec.Cmd {
		all := append([]string{
			"--library-path", filepath.Dir(loaders[0]), filepath.Join(root, "usr/sbin/mysqld"), "--no-defaults",
			"--basedir=" + filepath.Join(root, "usr"), "--datadir=" + filepath.Join(dir, "data"), "--user=root", "--mysqlx=OFF",
			"--socket=" + filepath.Join(dir, "s"), "--pid-file=" + filepath.Join(dir, "pid"), "--port=" + port, "--bind-address=127.0.0.1",
			"--secure-file-priv=NULL", "--innodb-redo-log-capacity=8M", "--innodb-buffer-pool-size=32M", "--performance-schema=OFF", "--skip-log-bin", "--plugin-dir=" + filepath.Join(root, "usr/lib/mysql/plugin"),
		}, arguments...)
		cmd := exec.Command(loaders[0], all...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	if out, err := run("--initialize-insecure").CombinedOutput(); err != nil {
		t.Fatalf("initialising MySQL: %v\n%s", err, out)
	}
	log := &lockedLog{}
	server := run("--init-file=" + init)
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
		if t.Failed() {
			t.Logf("MySQL's log:\n%s", log.String())
		}
	})
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.Logger, c.TLSConfig = "boss", "bosspass", "tcp", "127.0.0.1:"+port, &mysql.NopLogger{}, "skip-verify"
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	boss := sql.OpenDB(connector)
	t.Cleanup(func() { _ = boss.Close() })
	eventually(t, "MySQL answers", func() error { return boss.PingContext(t.Context()) })
	return port, boss
}

func statement(t *testing.T, db *sql.DB, s string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), s); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
}

// The same in front of MySQL, as far as a MySQL knows better than backendServer.
func TestInFrontOfMySQL(t *testing.T) {
	if os.Getenv("UNIT_OPERATOR_SERVERS") == "none" {
		t.Skip("real servers are the business of hack/test-servers.sh")
	}
	root := mysqlRoot(t)
	aPort, a := startMySQL(t, root)
	bPort, b := startMySQL(t, root)
	i := newInstance(t, fmt.Sprintf(`mysql_servers=( { address="127.0.0.1", port=%s, hostgroup=10 }, { address="127.0.0.1", port=%s, hostgroup=20 } )
mysql_replication_hostgroups=( { writer_hostgroup=10, reader_hostgroup=20, check_type="super_read_only" } )
mysql_users=( { username="app", password="apppass", default_hostgroup=10, default_schema="app" } )
`, aPort, bPort))
	statement(t, b, "SET GLOBAL super_read_only = 1")
	i.start()
	const up = " ONLINE"
	i.hostgroups("10 "+aPort+up, "20 "+aPort+up, "20 "+bPort+up)
	ctx := t.Context()

	app := i.open(i.sql, "app", "apppass")
	t.Run("statements", func(t *testing.T) {
		statement(t, app, "CREATE TABLE t (i INT PRIMARY KEY AUTO_INCREMENT, s VARCHAR(20), d DATETIME NULL) DEFAULT CHARSET utf8mb4")
		r, err := app.ExecContext(ctx, "INSERT INTO t (s, d) VALUES (?, ?), (?, NULL)", "one", "2026-01-02 03:04:05", nil)
		if err != nil {
			t.Fatal(err)
		}
		id, errID := r.LastInsertId()
		n, errN := r.RowsAffected()
		if id != 1 || n != 2 || errID != nil || errN != nil {
			t.Errorf("id %d, %d rows, %v, %v", id, n, errID, errN)
		}
		want := []string{"1 one 2026-01-02 03:04:05", "2  "}
		for _, arguments := range [][]any{nil, {0}} {
			query := "SELECT * FROM t ORDER BY i"
			if arguments != nil {
				query = "SELECT * FROM t WHERE i > ? ORDER BY i"
			}
			if got, err := rowsOfDB(ctx, app, query, arguments...); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v", query, got, err)
			}
		}
		_, err = app.ExecContext(ctx, "INSERT INTO t (i) VALUES (1)")
		refused(t, err, 1062, "Duplicate entry")
	})
	t.Run("transactions", func(t *testing.T) {
		tx, err := app.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM t"); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if got, err := rowsOfDB(ctx, app, "SELECT COUNT(*) FROM t"); err != nil || !slices.Equal(got, []string{"2"}) {
			t.Errorf("after ROLLBACK: %q, %v", got, err)
		}
	})
	t.Run("characters beyond the first plane, if the defaults are right", func(t *testing.T) {
		insert := func() error {
			db := i.open(i.sql, "app", "apppass", func(c *mysql.Config) error { c.Collation = "utf8mb4_0900_ai_ci"; return nil })
			_, err := db.ExecContext(ctx, "INSERT INTO t (s) VALUES ('😀')")
			return err
		}
		if err := insert(); err != nil {
			t.Error(err)
		}
		set := func(charset, collation string) {
			i.do("UPDATE global_variables SET variable_value = '"+charset+"' WHERE variable_name = 'mysql-default_charset'",
				"UPDATE global_variables SET variable_value = '"+collation+"' WHERE variable_name = 'mysql-default_collation_connection'", "LOAD MYSQL VARIABLES TO RUNTIME")
		}
		set("utf8", "utf8_general_ci")
		refused(t, insert(), 1366, "Incorrect string value")
		set("utf8mb4", "utf8mb4_general_ci")
	})
	t.Run("a switchover", func(t *testing.T) {
		statement(t, a, "SET GLOBAL super_read_only = 1")
		i.hostgroups("20 "+aPort+up, "20 "+bPort+up)
		statement(t, b, "SET GLOBAL read_only = 0")
		i.hostgroups("10 "+bPort+up, "20 "+aPort+up, "20 "+bPort+up)
		eventually(t, "the new writer", func() error {
			got, err := port(context.WithoutCancel(ctx), app)
			if err == nil && got != bPort {
				err = fmt.Errorf("got %s, want %s", got, bPort)
			}
			return err
		})
	})
}
