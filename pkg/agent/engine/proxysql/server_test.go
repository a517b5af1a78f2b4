// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"context"
	"database/sql"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m, New) }

// login tries the admin interface as somebody who knows the password, or does not.
func login(t *testing.T, user, password string) error {
	t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.Logger = user, password, "tcp", "127.0.0.1:6032", &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	return db.PingContext(t.Context())
}

func variable(t *testing.T, e engine.Engine, name string) string {
	t.Helper()
	var value string
	err := e.(*Engine).admin(t.Context(), func(conn *sql.Conn) error {
		return conn.QueryRowContext(t.Context(), "SELECT variable_value FROM runtime_global_variables WHERE variable_name = "+literal(name)).Scan(&value)
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

func statements(t *testing.T, e engine.Engine, list ...string) {
	t.Helper()
	err := e.(*Engine).admin(t.Context(), func(conn *sql.Conn) error {
		for _, s := range list {
			if _, err := conn.ExecContext(t.Context(), s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstLifeOfARealServer(t *testing.T) {
	enginetest.Each(t, "proxysql", func(t *testing.T, box *enginetest.Box) {
		const password = "it's \"quoted\" \\ päss 密码; -- /* #\nand more"
		box.Vars["MON_USER"] = "mon'itor"
		box.Secret(t, "mon'itor", password)
		e := New(box.Env(t))
		box.Initialize(t, e, start(rendered))
		data, err := e.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		server := box.Start(t, e, start(rendered))
		c, err := e.(*Engine).credentials()
		if err != nil {
			t.Fatal(err)
		}

		t.Run("it tells its version and identity", func(t *testing.T) {
			o, err := e.Observe(t.Context())
			if err != nil || !versionPattern.MatchString(o.Version) || o.SystemID != data.SystemID || !o.Virgin || !o.Writable {
				t.Errorf("got %+v, %v", o, err)
			}
		})
		t.Run("only the generated password opens the admin interface", func(t *testing.T) {
			if err := login(t, adminUser, c.Admin.Reveal()); err != nil {
				t.Error(err)
			}
			if err := login(t, statsUser, c.Stats.Reveal()); err != nil {
				t.Error(err)
			}
			for user, password := range map[string]string{adminUser: "admin", statsUser: "stats", "radmin": "radmin"} {
				if err := login(t, user, password); err == nil {
					t.Errorf("%s with the well-known password is let in", user)
				}
			}
		})
		t.Run("the monitoring account is the Secret's, to the byte", func(t *testing.T) {
			if got := variable(t, e, "mysql-monitor_username"); got != "mon'itor" {
				t.Errorf("user %q", got)
			}
			if got := variable(t, e, "mysql-monitor_password"); got != password {
				t.Errorf("password %q", got)
			}
		})
		t.Run("the configuration is in force", func(t *testing.T) {
			if got := variable(t, e, "mysql-max_connections"); got != "2048" {
				t.Errorf("max_connections %s", got)
			}
		})
		t.Run("it has metrics", func(t *testing.T) {
			samples, err := e.Metrics(t.Context())
			if err != nil || len(samples) != len(statistics) {
				t.Errorf("%d of %d, %v", len(samples), len(statistics), err)
			}
		})
		t.Run("no secret is in its arguments or its log", func(t *testing.T) {
			for _, secret := range []string{c.Admin.Reveal(), c.Stats.Reveal(), password} {
				if strings.Contains(strings.Join(server.Args(), " "), secret) {
					t.Error("arguments")
				}
				if strings.Contains(server.Log(), secret) {
					t.Error("log")
				}
			}
		})
		server.Stop()
		if err := e.Check(t.Context()); err == nil {
			t.Error("a stopped server is ready")
		}
	})
}

func TestTheFileAndTheDatabaseEachHaveTheirSay(t *testing.T) {
	enginetest.Each(t, "proxysql", func(t *testing.T, box *enginetest.Box) {
		e := New(box.Env(t))
		box.Initialize(t, e, start(rendered))
		server := box.Start(t, e, start(rendered))
		statements(t, e,
			"UPDATE global_variables SET variable_value='77' WHERE variable_name='mysql-max_connections'",
			"LOAD MYSQL VARIABLES TO RUNTIME", "SAVE MYSQL VARIABLES TO DISK",
			"INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (10, '192.0.2.1', 3306)",
			"LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK")
		server.Stop()

		backends := func() (n int) {
			t.Helper()
			err := e.(*Engine).admin(t.Context(), func(conn *sql.Conn) error {
				return conn.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM runtime_mysql_servers").Scan(&n)
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		// Another process: nothing is in memory.
		e = New(box.Env(t))
		server = box.Start(t, e, start(rendered))
		if got := variable(t, e, "mysql-max_connections"); got != "77" {
			t.Errorf("what was set at run time is %s after a restart", got)
		}
		server.Stop()

		changed := strings.ReplaceAll(rendered, `max_connections = "2048"`, `max_connections = "100"`)
		e = New(box.Env(t))
		server = box.Start(t, e, start(changed))
		if got := variable(t, e, "mysql-max_connections"); got != "100" {
			t.Errorf("the changed configuration says 100, the server %s", got)
		}
		if backends() != 1 {
			t.Error("a changed configuration took the backends away")
		}
		server.Stop()

		e = New(box.Env(t))
		server = box.Start(t, e, start(changed))
		if backends() != 1 || variable(t, e, "mysql-max_connections") != "100" {
			t.Error("the second start on the same configuration changed something")
		}
		server.Stop()
	})
}

func TestAChangedSecretIsTakenUpAtRunTime(t *testing.T) {
	enginetest.Each(t, "proxysql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["MON_USER"] = "mon"
		box.Secret(t, "mon", "one")
		e := New(box.Env(t))
		box.Initialize(t, e, start(rendered))
		server := box.Start(t, e, start(rendered))
		if err := os.Remove(box.Env(t).SecretDir + "/mon"); err != nil {
			t.Fatal(err)
		}
		box.Secret(t, "mon", "two")
		if err := e.EnsureAccounts(t.Context(), box.Accounts(t), engine.ReachServer); err != nil {
			t.Fatal(err)
		}
		if got := variable(t, e, "mysql-monitor_password"); got != "two" {
			t.Errorf("password %q", got)
		}
		server.Kill()
		server = box.Start(t, New(box.Env(t)), start(rendered))
		if got := variable(t, e, "mysql-monitor_password"); got != "two" {
			t.Errorf("after a crash: %q", got)
		}
		server.Stop()
	})
}

func TestAnotherPortIsListenedOn(t *testing.T) {
	enginetest.Each(t, "proxysql", func(t *testing.T, box *enginetest.Box) {
		e := New(box.Env(t))
		box.Initialize(t, e, start(rendered))
		box.Start(t, e, start(rendered)).Stop()
		box.Vars["UNIT_SQL_PORT"] = "13306"
		e = New(box.Env(t))
		server := box.Start(t, e, start(rendered))
		var dialer net.Dialer
		conn, err := dialer.DialContext(context.Background(), "tcp", "127.0.0.1:13306")
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		server.Stop()
	})
}
