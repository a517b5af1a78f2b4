// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// What follows was seen of a real ProxySQL 2.7.1, or its documentation says it. It is
// asked of whatever executable the suite runs on.

func TestVersionAndHelp(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), executable, "--version").Output()
	if err != nil || !regexp.MustCompile(`^ProxySQL version \d+\.\d+\.\d+`).Match(out) {
		t.Errorf("--version: %q, %v", out, err)
	}
	if standIn && !strings.Contains(string(out), "not ProxySQL") {
		t.Errorf("%q could be taken for ProxySQL's", out)
	}
	if out, err = exec.CommandContext(t.Context(), executable, "--help").CombinedOutput(); err != nil || !strings.Contains(string(out), "--no-version-check") {
		t.Errorf("--help: %q, %v", out, err)
	}
}

func TestAdminInterface(t *testing.T) {
	i := newInstance(t, "")
	i.start()
	admin := i.open(i.admin, "admin", "admin")
	ctx := t.Context()

	t.Run("every error is 1045", func(t *testing.T) {
		_, err := admin.ExecContext(ctx, "SELECT * FROM nosuch")
		refused(t, err, 1045, "ProxySQL Admin Error: no such table: nosuch")
		if said, ok := errors.AsType[*mysql.MySQLError](err); !ok || string(said.SQLState[:]) != "28000" {
			t.Errorf("state: %v", err)
		}
		for _, s := range []string{"LOAD NOTHING TO RUNTIME", "INSERT INTO mysql_users (username, active) VALUES ('x', 7)", "PROXYSQL RESUME"} {
			_, err := admin.ExecContext(ctx, s)
			refused(t, err, 1045, "ProxySQL Admin Error: ")
		}
	})
	t.Run("placeholders need interpolateParams", func(t *testing.T) {
		const query = "SELECT variable_value FROM global_variables WHERE variable_name = ?"
		_, err := rowsOfDB(ctx, admin, query, "mysql-threads")
		refused(t, err, 1045, "Command not supported")
		interpolating := i.open(i.admin, "admin", "admin", func(c *mysql.Config) error { c.InterpolateParams = true; return nil })
		if got, err := rowsOfDB(ctx, interpolating, query, "mysql-threads"); err != nil || !slices.Equal(got, []string{"2"}) {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("BEGIN is accepted and ignored", func(t *testing.T) {
		i.do("INSERT INTO mysql_users (username, password) VALUES ('b', 'one')", "BEGIN")
		conn, err := admin.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for n, s := range []string{"BEGIN", "UPDATE mysql_users SET password = 'two' WHERE username = 'b'", "ROLLBACK"} {
			r, err := conn.ExecContext(ctx, s)
			if err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			if affected, err := r.RowsAffected(); n == 1 && (affected != 1 || err != nil) {
				t.Errorf("%d rows affected, %v", affected, err)
			}
		}
		if got := i.rows("SELECT password FROM mysql_users WHERE username = 'b'"); !slices.Equal(got, []string{"two"}) {
			t.Errorf("after ROLLBACK: %v", got)
		}
	})
	t.Run("strings are SQLite's, to the byte", func(t *testing.T) {
		const odd = "it's \"quoted\" \\ päss 密码; -- /* #\nand more"
		i.do("UPDATE global_variables SET variable_value = '"+strings.ReplaceAll(odd, "'", "''")+"' WHERE variable_name = 'mysql-monitor_password'", "LOAD MYSQL VARIABLES TO RUNTIME")
		if got := i.variable("runtime_global_variables", "mysql-monitor_password"); got != odd {
			t.Errorf("got %q", got)
		}
	})
	t.Run("it has the tables that are used", func(t *testing.T) {
		got := i.rows("SHOW TABLES")
		for _, name := range []string{"global_variables", "mysql_servers", "mysql_users", "mysql_replication_hostgroups", "mysql_group_replication_hostgroups", "mysql_query_rules"} {
			if !slices.Contains(got, name) || !slices.Contains(got, "runtime_"+name) {
				t.Errorf("no %s, or not its runtime twin, in %v", name, got)
			}
		}
	})
	t.Run("it lets in those of its credentials", func(t *testing.T) {
		for user, password := range map[string]string{"radmin": "radmin", "stats": "stats"} {
			if err := i.open(i.admin, user, password).PingContext(ctx); err != nil {
				t.Errorf("%s: %v", user, err)
			}
		}
		refused(t, i.open(i.admin, "admin", "wrong").PingContext(ctx), 1045, "Access denied for user 'admin'@")
		refused(t, i.open(i.admin, "nobody", "wrong").PingContext(ctx), 1045, "Access denied for user 'nobody'@")
	})
	t.Run("it counts", func(t *testing.T) {
		for _, user := range []string{"admin", "stats"} {
			got, err := rowsOfDB(ctx, i.open(i.admin, user, user), "SELECT variable_name FROM stats_mysql_global")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"ProxySQL_Uptime", "Client_Connections_connected", "Server_Connections_created", "Questions", "Queries_backends_bytes_recv"} {
				if !slices.Contains(got, name) {
					t.Errorf("%s sees no %s", user, name)
				}
			}
		}
	})
	t.Run("stats may change nothing", func(t *testing.T) {
		if _, err := i.open(i.admin, "stats", "stats").ExecContext(ctx, "UPDATE global_variables SET variable_value = '3' WHERE variable_name = 'mysql-max_connections'"); err == nil {
			t.Error("it may")
		}
	})
}

func TestLayers(t *testing.T) {
	i := newInstance(t, "")
	i.start()
	const name = "mysql-max_connections"
	layers := func() [3]string {
		t.Helper()
		return [3]string{i.variable("main.global_variables", name), i.variable("runtime_global_variables", name), i.variable("disk.global_variables", name)}
	}
	first := layers()[0]
	set := func(value string) string {
		return "UPDATE global_variables SET variable_value = '" + value + "' WHERE variable_name = '" + name + "'"
	}
	for _, step := range []struct {
		statements []string
		want       [3]string
	}{
		{[]string{set("11")}, [3]string{"11", first, first}},
		{[]string{"SAVE MYSQL VARIABLES FROM RUNTIME"}, [3]string{first, first, first}},
		{[]string{set("12"), "LOAD MYSQL VARIABLES TO RUNTIME"}, [3]string{"12", "12", first}},
		{[]string{"LOAD MYSQL VARIABLES FROM DISK"}, [3]string{first, "12", first}},
		{[]string{"SAVE MYSQL VARIABLES TO MEMORY"}, [3]string{"12", "12", first}},
		{[]string{"SAVE MYSQL VARIABLES TO DISK"}, [3]string{"12", "12", "12"}},
		{[]string{set("13"), "SAVE MYSQL VARIABLES FROM MEMORY"}, [3]string{"13", "12", "13"}},
		{[]string{set("14"), "LOAD MYSQL VARIABLES TO MEMORY"}, [3]string{"13", "12", "13"}},
		{[]string{"LOAD MYSQL VARIABLES FROM MEMORY"}, [3]string{"13", "13", "13"}},
		{[]string{"load mysql variables to run", set("15"), "load  mysql\nvariables to runtime;"}, [3]string{"15", "15", "13"}},
	} {
		i.do(step.statements...)
		if got := layers(); got != step.want {
			t.Fatalf("after %q memory, runtime and disk are %q, want %q", step.statements, got, step.want)
		}
	}
	t.Run("a value that is none is replaced by the one in force", func(t *testing.T) {
		i.do(set("many"), "LOAD MYSQL VARIABLES TO RUNTIME")
		if got := layers(); got != [3]string{"15", "15", "13"} {
			t.Errorf("got %q", got)
		}
	})
	t.Run("threads are those of the start", func(t *testing.T) {
		i.do("UPDATE global_variables SET variable_value = '3' WHERE variable_name = 'mysql-threads'", "LOAD MYSQL VARIABLES TO RUNTIME")
		if got := i.variable("runtime_global_variables", "mysql-threads"); got != "2" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("booleans are true and false", func(t *testing.T) {
		i.do("UPDATE global_variables SET variable_value = '0' WHERE variable_name = 'mysql-monitor_enabled'", "LOAD MYSQL VARIABLES TO RUNTIME")
		if got := i.variable("runtime_global_variables", "mysql-monitor_enabled"); got != "false" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("tables move as variables do", func(t *testing.T) {
		i.do("INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (7, '192.0.2.1', 3306)",
			"INSERT INTO mysql_users (username, password) VALUES ('u', 'p')",
			"LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL USERS TO DISK")
		for query, want := range map[string][]string{
			"SELECT hostgroup_id, hostname, port, status FROM runtime_mysql_servers": {"7 192.0.2.1 3306 ONLINE"},
			"SELECT COUNT(*) FROM disk.mysql_servers":                                {"0"},
			"SELECT COUNT(*) FROM runtime_mysql_users":                               {"0"},
			"SELECT username FROM disk.mysql_users":                                  {"u"},
		} {
			if got := i.rows(query); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
	})
}

func TestRestart(t *testing.T) {
	i := newInstance(t, `mysql_users=( { username="app", password="apppass", default_hostgroup=10 } )`)
	i.start()
	connections := func() string {
		t.Helper()
		return i.variable("runtime_global_variables", "mysql-max_connections")
	}
	set := func(value string) string {
		return "UPDATE global_variables SET variable_value = '" + value + "' WHERE variable_name = 'mysql-max_connections'"
	}
	i.do(set("100"), "LOAD MYSQL VARIABLES TO RUNTIME", "SAVE MYSQL VARIABLES TO DISK", set("200"), "LOAD MYSQL VARIABLES TO RUNTIME",
		"INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (10, '192.0.2.1', 3306)", "LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK")
	i.stop()
	i.start()
	if got := connections(); got != "100" {
		t.Errorf("what was loaded and not saved outlived a restart, or what was saved did not: %s", got)
	}

	i.stop()
	i.file = strings.Replace(i.file, "threads=2", "threads=3 max_connections=300", 1)
	i.start()
	if got := connections() + " " + i.variable("runtime_global_variables", "mysql-threads"); got != "100 2" {
		t.Errorf("the file was read though there is a database: %s", got)
	}

	i.stop()
	i.start("--reload")
	servers := i.rows("SELECT hostname FROM runtime_mysql_servers")
	if got := connections() + " " + i.variable("runtime_global_variables", "mysql-threads"); got != "300 3" || len(servers) != 1 {
		t.Errorf("--reload: %s, servers %v", got, servers)
	}
	i.stop()
	i.start()
	if got := connections(); got != "300" {
		t.Errorf("what --reload merged is gone: %s", got)
	}

	i.do(set("400"), "LOAD MYSQL VARIABLES TO RUNTIME", "SAVE MYSQL VARIABLES TO DISK")
	i.stop()
	i.start("--initial")
	if got := connections(); got != "300" || len(i.rows("SELECT * FROM mysql_servers")) != 0 || len(i.rows("SELECT * FROM mysql_users")) != 1 {
		t.Errorf("--initial did not begin from the file: %s", got)
	}

	i.do(set("500"), "LOAD MYSQL VARIABLES TO RUNTIME", "SAVE MYSQL VARIABLES TO DISK")
	if err := i.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	i.ended()
	i.start()
	if got := connections(); got != "500" {
		t.Errorf("SIGKILL: what was saved is %s", got)
	}
}

func TestEnd(t *testing.T) {
	i := newInstance(t, "")
	for _, tc := range []struct {
		name string
		end  func(*testing.T) error
	}{
		{"SIGTERM", func(*testing.T) error { return i.cmd.Process.Signal(syscall.SIGTERM) }},
		{"SHUTDOWN tells nobody goodbye", func(t *testing.T) error { return shutdown(t, i, "PROXYSQL SHUTDOWN") }},
		{"SHUTDOWN SLOW too", func(t *testing.T) error { return shutdown(t, i, "PROXYSQL SHUTDOWN SLOW") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			i.start()
			if err := tc.end(t); err != nil {
				t.Fatal(err)
			}
			if code := i.ended(); code != 0 {
				t.Errorf("exit status %d", code)
			}
		})
	}
}

func shutdown(t *testing.T, i *instance, statement string) error {
	if _, err := i.open(i.admin, "admin", "admin").ExecContext(t.Context(), statement); err == nil {
		return errors.New("it answered OK")
	}
	return nil
}

// twoServers are a writer and a reader behind a proxy that watches them.
func twoServers(t *testing.T) (i *instance, writer, reader *backendServer) {
	t.Helper()
	writer, reader = newBackend(t, false), newBackend(t, true)
	i = newInstance(t, fmt.Sprintf(`mysql_servers=( %s, %s )
mysql_replication_hostgroups=( { writer_hostgroup=10, reader_hostgroup=20, check_type="read_only" } )
mysql_users=( { username="app", password="apppass", default_hostgroup=10 } )
`, writer.in(10), reader.in(20)))
	i.start()
	return i, writer, reader
}

// hostgroups waits until the servers are where they are wanted.
func (i *instance) hostgroups(want ...string) {
	i.t.Helper()
	slices.Sort(want)
	eventually(i.t, "servers in their hostgroups", func() error {
		if got := i.rows("SELECT hostgroup_id, port, status FROM runtime_mysql_servers ORDER BY 1, 2"); !slices.Equal(got, want) {
			return fmt.Errorf("%q, want %q", got, want)
		}
		return nil
	})
}

// port asks the server behind for its port.
func port(ctx context.Context, db *sql.DB) (string, error) {
	rows, err := rowsOfDB(ctx, db, "SELECT @@port")
	return strings.Join(rows, "|"), err
}

func TestForwarding(t *testing.T) {
	i, writer, reader := twoServers(t)
	ctx := t.Context()
	app := i.open(i.sql, "app", "apppass")
	t.Run("statements reach the writer", func(t *testing.T) {
		if got, err := port(ctx, app); got != writer.port || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		r, err := app.ExecContext(ctx, "INSERT INTO t VALUES (1)")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.RowsAffected(); n != 1 || err != nil {
			t.Errorf("%d rows affected, %v", n, err)
		}
	})
	t.Run("so do prepared ones", func(t *testing.T) {
		if got, err := rowsOfDB(ctx, app, "SELECT told FROM t WHERE a = ? AND b = ?", 1, "two"); err != nil || !slices.Equal(got, []string{"2 on " + writer.port}) {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("errors come back as they are", func(t *testing.T) {
		_, err := app.ExecContext(ctx, "INSERT INTO fail VALUES (1)")
		refused(t, err, 1366, "Incorrect string value")
	})
	t.Run("it says what it is itself", func(t *testing.T) {
		if got, err := rowsOfDB(ctx, app, "select @@version_comment limit 1"); err != nil || !slices.Equal(got, []string{"(ProxySQL)"}) {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("it knows a connection's number, with a server behind or without", func(t *testing.T) {
		i.do("INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('alone', 'alone', 99)", "LOAD MYSQL USERS TO RUNTIME")
		seen := map[string]bool{}
		for _, db := range []*sql.DB{app, i.open(i.sql, "alone", "alone")} {
			first, err := rowsOfDB(ctx, db, "SELECT CONNECTION_ID()")
			again, errAgain := rowsOfDB(ctx, db, "SELECT CONNECTION_ID()")
			if err != nil || errAgain != nil || len(first) != 1 || !slices.Equal(first, again) || seen[first[0]] {
				t.Errorf("got %q and %q, %v, %v", first, again, err, errAgain)
				continue
			}
			seen[first[0]] = true
		}
	})
	t.Run("only users come in", func(t *testing.T) {
		for _, user := range []string{"app", "admin", "nobody"} {
			refused(t, i.open(i.sql, user, "wrong").PingContext(ctx), 1045, "ProxySQL Error: Access denied for user '"+user+"'@'127.0.0.1' (using password: YES)")
		}
	})
	t.Run("both plugins and TLS", func(t *testing.T) {
		for _, plugin := range []string{"mysql_native_password", "caching_sha2_password"} {
			i.do("UPDATE global_variables SET variable_value = '"+plugin+"' WHERE variable_name = 'mysql-default_authentication_plugin'", "LOAD MYSQL VARIABLES TO RUNTIME")
			for _, tls := range []string{"false", "skip-verify"} {
				with := func(c *mysql.Config) error { c.TLSConfig = tls; return nil }
				if got, err := port(ctx, i.open(i.sql, "app", "apppass", with)); got != writer.port || err != nil {
					t.Errorf("%s, tls=%s: %q, %v", plugin, tls, got, err)
				}
				if err := i.open(i.admin, "admin", "admin", with).PingContext(ctx); err != nil {
					t.Errorf("admin interface, %s, tls=%s: %v", plugin, tls, err)
				}
			}
		}
	})
	t.Run("a query rule sends reads elsewhere, a transaction stays where it began", func(t *testing.T) {
		i.do("INSERT INTO mysql_query_rules (rule_id, active, match_digest, destination_hostgroup, apply) VALUES (1, 1, '^SELECT', 20, 1)", "LOAD MYSQL QUERY RULES TO RUNTIME")
		// The writer is a reader too by default; here it must not be.
		i.do("UPDATE global_variables SET variable_value = 'false' WHERE variable_name = 'mysql-monitor_writer_is_also_reader'", "LOAD MYSQL VARIABLES TO RUNTIME")
		i.hostgroups("10 "+writer.port+" ONLINE", "20 "+reader.port+" ONLINE")
		conn, err := app.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ask := func() (got string) {
			t.Helper()
			if err := conn.QueryRowContext(ctx, "SELECT @@port").Scan(&got); err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := ask(); got != reader.port {
			t.Errorf("a read went to %s", got)
		}
		if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
			t.Fatal(err)
		}
		if got := ask(); got != writer.port {
			t.Errorf("a read in a transaction went to %s", got)
		}
		if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
			t.Fatal(err)
		}
		if got := ask(); got != reader.port {
			t.Errorf("a read after a transaction went to %s", got)
		}
	})
}

func TestMonitor(t *testing.T) {
	i, a, b := twoServers(t)
	ctx := t.Context()
	app := i.open(i.sql, "app", "apppass")
	const up, down = " ONLINE", " SHUNNED"
	i.hostgroups("10 "+a.port+up, "20 "+a.port+up, "20 "+b.port+up)

	a.setReadOnly(true)
	i.hostgroups("20 "+a.port+up, "20 "+b.port+up)
	_, err := port(ctx, app)
	refused(t, err, 9001, "Max connect timeout reached while reaching hostgroup 10 after 30")

	b.setReadOnly(false)
	i.hostgroups("10 "+b.port+up, "20 "+a.port+up, "20 "+b.port+up)
	if got, err := port(ctx, app); got != b.port || err != nil {
		t.Errorf("the new writer: %q, %v", got, err)
	}
	if got := i.rows("SELECT hostgroup_id, port FROM mysql_servers ORDER BY 1"); !slices.Equal(got, []string{"10 " + a.port, "20 " + b.port}) {
		t.Errorf("the monitor changed MEMORY: %q", got)
	}

	t.Run("an account that is refused leaves servers where they are", func(t *testing.T) {
		i.do("UPDATE global_variables SET variable_value = 'wrong' WHERE variable_name = 'mysql-monitor_password'", "LOAD MYSQL VARIABLES TO RUNTIME")
		eventually(t, "the connect check tells", func() error {
			if got := i.rows("SELECT connect_error FROM monitor.mysql_server_connect_log WHERE connect_error LIKE '%Access denied%'"); len(got) == 0 {
				return errors.New("nothing yet")
			}
			return nil
		})
		i.hostgroups("10 "+b.port+up, "20 "+a.port+up, "20 "+b.port+up)
		i.do("UPDATE global_variables SET variable_value = 'monpass' WHERE variable_name = 'mysql-monitor_password'", "LOAD MYSQL VARIABLES TO RUNTIME")
	})

	a.setReadOnly(false)
	b.kill()
	i.hostgroups("10 "+a.port+up, "20 "+a.port+up, "20 "+b.port+down)
	eventually(t, "the writer that is left", func() error {
		got, err := port(ctx, app)
		if err == nil && got != a.port {
			err = fmt.Errorf("got %q", got)
		}
		return err
	})
}

func TestPause(t *testing.T) {
	i, writer, _ := twoServers(t)
	ctx := t.Context()
	open := i.open(i.sql, "app", "apppass")
	if _, err := port(ctx, open); err != nil {
		t.Fatal(err)
	}
	i.do("PROXYSQL PAUSE")
	_, err := i.open(i.admin, "admin", "admin").ExecContext(ctx, "PROXYSQL PAUSE")
	refused(t, err, 1045, "ProxySQL Admin Error: ProxySQL MySQL module is already paused, impossible to pause")
	if err := i.open(i.sql, "app", "apppass").PingContext(ctx); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection while it is paused: %v", err)
	}
	if got, err := port(ctx, open); got != writer.port || err != nil {
		t.Errorf("a connection that was open: %q, %v", got, err)
	}
	i.do("PROXYSQL RESUME")
	_, err = i.open(i.admin, "admin", "admin").ExecContext(ctx, "PROXYSQL RESUME")
	refused(t, err, 1045, "is not paused, impossible to resume")
	eventually(t, "new connections come in again", func() error { return i.open(i.sql, "app", "apppass").PingContext(ctx) })
}
