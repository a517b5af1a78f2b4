// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m, New) }

// config is what a package renders, small.
const config = "[mysqld]\ngtid-mode=ON\nenforce-gtid-consistency=ON\nlog-bin=binlog\nserver-id=1\n" +
	"innodb-buffer-pool-size=32M\nperformance-schema=ON\nlower-case-table-names=1\n"

func start(managed bool) engine.Start {
	return engine.Start{Files: map[string][]byte{configFile: []byte(config)}, ConfigHash: "h", Managed: managed}
}

// login connects over TCP as a client in another pod would.
func login(t *testing.T, user, password string) (*sql.DB, error) {
	t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = user, password, "tcp", "127.0.0.1:3306"
	c.TLSConfig, c.Logger = "skip-verify", &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db, db.PingContext(t.Context())
}

func scalar(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var s sql.NullString
	if err := db.QueryRowContext(t.Context(), query).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s.String
}

// refused fails unless the server denied the login.
func refused(t *testing.T, user, password string) {
	t.Helper()
	_, err := login(t, user, password)
	var server *mysql.MySQLError
	if !errors.As(err, &server) || (server.Number != 1045 && server.Number != 1698) {
		t.Errorf("login of %s: got %v, want access denied", user, err)
	}
}

// awkward passwords, by user.
var awkward = map[string]string{
	"adm":  "0123456789abcdef0123456789abcdef0123456789ab",
	"mon":  "it's \"quoted\" \\ back\\'slash\\",
	"repl": "päss wörd 密码 🔑 with\nnewlines\r\n\tand\x1a more\n",
	"prov": "%;--/*#`$\xff\xfe invalid",
}

func TestInitializeOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		for i, variable := range []string{"ADM_USER", "MON_USER", "REPL_USER", "PROV_USER"} {
			user := []string{"adm", "mon", "repl", "prov"}[i]
			box.Vars[variable] = user
			box.Secret(t, user, awkward[user])
		}
		e := New(box.Env(t))
		if data, err := e.Inspect(t.Context()); err != nil || data.State != engine.DataNone {
			t.Fatalf("before: %+v, %v", data, err)
		}
		box.Initialize(t, e, start(true))
		data, err := e.Inspect(t.Context())
		if err != nil || len(data.SystemID) != 36 {
			t.Fatalf("got %+v, %v", data, err)
		}
		if err := e.Initialize(t.Context(), start(true), box.Accounts(t)); err == nil {
			t.Fatal("a database was initialised over")
		}
		if beside := enginetest.BesideData(t, box.Env(t), "tmp"); len(beside) > 0 {
			t.Errorf("left beside the database: %v", beside)
		}
		if leftovers, err := filepath.Glob("/tmp/*"); err != nil || len(leftovers) > 0 {
			t.Errorf("left in /tmp: %v, %v", leftovers, err)
		}
		server := box.Start(t, e, start(true))

		t.Run("the unit is virgin, read-only and tells its identity", func(t *testing.T) {
			o, err := e.Observe(t.Context())
			if err != nil || !o.Virgin || o.Writable || o.SystemID != data.SystemID || !strings.Contains(o.Version, ".") {
				t.Errorf("got %+v, %v", o, err)
			}
		})
		dbs := map[string]*sql.DB{}
		for user, password := range awkward {
			t.Run(user+" logs in with exactly its password", func(t *testing.T) {
				db, err := login(t, user, password)
				if err != nil {
					t.Fatal(err)
				}
				if got := scalar(t, db, "SELECT @@gtid_executed"); got != "" {
					t.Errorf("GTIDs left: %s", got)
				}
				refused(t, user, "")
				refused(t, user, password+"\n")
				refused(t, user, strings.TrimRight(password, "\n")+"x")
			})
			dbs[user], _ = login(t, user, password)
		}
		t.Run("nobody logs in over TCP without a password", func(t *testing.T) {
			for _, user := range []string{"root", engine.AgentUser, "mysql", ""} {
				refused(t, user, "")
			}
		})
		t.Run("every account has a password or logs in by identity", func(t *testing.T) {
			got := scalar(t, dbs["adm"], "SELECT GROUP_CONCAT(CONCAT(user, '@', host)) FROM mysql.user WHERE authentication_string = '' AND account_locked = 'N'")
			if got != "" {
				t.Errorf("without: %s", got)
			}
		})
		t.Run("people in the container are logged in", func(t *testing.T) {
			out, err := box.Run(t, "mysql", "-N", "-e", "SELECT CURRENT_USER()")
			if err != nil || out != "unit_agent@localhost" {
				t.Errorf("got %q, %v", out, err)
			}
			out, err = box.Run(t, "mysql", "-N", "-u", "root", "-e", "SELECT CURRENT_USER()")
			if err != nil || out != "root@localhost" {
				t.Errorf("as root: got %q, %v", out, err)
			}
		})
		t.Run("grants do what their purpose needs", func(t *testing.T) {
			for user, queries := range map[string][]string{
				"mon":  {"SHOW REPLICA STATUS", "SHOW FULL PROCESSLIST", "SELECT * FROM performance_schema.threads", "SELECT * FROM sys.version"},
				"repl": {"SHOW BINARY LOG STATUS", "SELECT * FROM performance_schema.replication_group_members"},
			} {
				for _, q := range queries {
					rows, err := dbs[user].QueryContext(t.Context(), q)
					if err != nil {
						t.Errorf("%s: %s: %v", user, q, err)
						continue
					}
					rows.Close()
				}
			}
			if _, err := dbs["mon"].ExecContext(t.Context(), "SELECT * FROM mysql.user"); err == nil {
				t.Error("the monitor reads password hashes")
			}
		})
		t.Run("metrics have their names once and no error", func(t *testing.T) {
			samples, err := e.Metrics(t.Context())
			if err != nil || len(samples) != len(statusMetrics)+len(variableMetrics) {
				t.Errorf("%d samples, %v", len(samples), err)
			}
		})
		t.Run("no secret is in the log or on the command line", func(t *testing.T) {
			text := server.Log() + strings.Join(server.Args(), " ")
			for _, password := range awkward {
				if strings.Contains(text, password) {
					t.Error("a password is there")
				}
			}
		})
		outer := t
		t.Run("a managed server stays read-only whatever was persisted", func(t *testing.T) {
			for _, s := range []string{"SET PERSIST super_read_only = OFF", "SET PERSIST read_only = OFF", "SET PERSIST_ONLY skip_replica_start = OFF", "SET PERSIST max_connections = 77"} {
				if _, err := dbs["adm"].ExecContext(t.Context(), s); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
			server.Stop()
			server = box.Start(outer, e, start(true))
			db, err := login(t, "adm", awkward["adm"])
			if err != nil {
				t.Fatal(err)
			}
			if got := scalar(t, db, "SELECT CONCAT_WS(' ', @@super_read_only, @@read_only, @@skip_replica_start, @@max_connections)"); got != "1 1 1 77" {
				t.Errorf("got %s", got)
			}
			if _, err := db.ExecContext(t.Context(), "CREATE DATABASE d"); err == nil {
				t.Error("a managed server took a write")
			}
		})
		t.Run("RESTART ends with the status for it", func(t *testing.T) {
			db, err := login(t, "adm", awkward["adm"])
			if err != nil {
				t.Fatal(err)
			}
			// The server may end the session before it has answered.
			if _, err := db.ExecContext(t.Context(), "RESTART"); err != nil {
				t.Log(err)
			}
			want, _ := e.RestartExitStatus()
			if got := server.Exit(); got != want {
				t.Errorf("exit status %d, want %d", got, want)
			}
		})
	})
}

func TestRestartOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["MYSQL_ROOT_PASSWORD"] = "it's \\root"
		e := New(box.Env(t))
		box.Initialize(t, e, start(false))
		server := box.Start(t, e, start(false))
		refused(t, "root", "")
		db, err := login(t, "root", "it's \\root")
		if err != nil {
			t.Fatal(err)
		}
		if o, err := e.Observe(t.Context()); err != nil || !o.Writable || !o.Virgin {
			t.Errorf("a standalone unit: %+v, %v", o, err)
		}
		for _, s := range []string{"CREATE DATABASE d", "CREATE TABLE d.T (i INT PRIMARY KEY)", "INSERT INTO d.t VALUES (42)"} {
			if _, err := db.ExecContext(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
		if o, err := e.Observe(t.Context()); err != nil || o.Virgin {
			t.Errorf("with data: %+v, %v", o, err)
		}
		server.Kill()
		if err := e.Check(t.Context()); err == nil {
			t.Error("a dead server answers")
		}
		// What a crash leaves may name a process that lives.
		if err := os.WriteFile("/var/run/mysqld/mysqld.sock.lock", []byte("1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		server = box.Start(t, e, start(false))
		db, err = login(t, "root", "it's \\root")
		if err != nil {
			t.Fatal(err)
		}
		if got := scalar(t, db, "SELECT i FROM d.t"); got != "42" {
			t.Errorf("got %s", got)
		}
		if err := e.Prepare(t.Context(), start(false)); err == nil || !strings.Contains(err.Error(), "a server listens") {
			t.Errorf("preparing while a server runs: %v", err)
		}
		server.Stop()
		if got := server.Exit(); got != 0 {
			t.Errorf("exit status %d", got)
		}
	})
}

func TestEnsureAccountsOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["ADM_USER"] = "root"
		box.Secret(t, "root", "first")
		e := New(box.Env(t))
		box.Initialize(t, e, start(false))
		box.Start(t, e, start(false))
		db, err := login(t, "root", "first")
		if err != nil {
			t.Fatal(err)
		}
		box.Secret(t, "root2", "x")
		change := func(password string, reach engine.Reach) {
			t.Helper()
			err := e.EnsureAccounts(t.Context(), engine.Accounts{Accounts: []engine.Account{
				{Purpose: engine.PurposeAdmin, User: "root", Password: engine.Secret(password)},
				{Purpose: engine.PurposeMonitor, User: "new", Password: engine.Secret(password)},
				{Purpose: engine.PurposeReplication, User: "new", Password: engine.Secret(password)},
			}}, reach)
			if err != nil {
				t.Fatal(err)
			}
		}
		change("second", engine.ReachServer)
		if got := scalar(t, db, "SELECT @@gtid_executed"); got != "" {
			t.Errorf("GTIDs after a change of this server only: %s", got)
		}
		for _, user := range []string{"root", "new"} {
			if _, err := login(t, user, "second"); err != nil {
				t.Error(err)
			}
			refused(t, user, "first")
		}
		change("third", engine.ReachReplicas)
		if got := scalar(t, db, "SELECT @@gtid_executed"); got == "" {
			t.Error("a change for replicas left no GTID")
		}
		if _, err := login(t, "new", "third"); err != nil {
			t.Error(err)
		}

		t.Run("an account dropped by a user comes back", func(t *testing.T) {
			if _, err := db.ExecContext(t.Context(), "DROP USER new"); err != nil {
				t.Fatal(err)
			}
			change("fourth", engine.ReachServer)
			if _, err := login(t, "new", "fourth"); err != nil {
				t.Error(err)
			}
		})
		t.Run("a read-only server refuses with its own words and without the secret", func(t *testing.T) {
			if _, err := db.ExecContext(t.Context(), "SET GLOBAL super_read_only = ON"); err != nil {
				t.Fatal(err)
			}
			defer db.ExecContext(context.WithoutCancel(t.Context()), "SET GLOBAL super_read_only = OFF")
			err := e.EnsureAccounts(t.Context(), engine.Accounts{Accounts: []engine.Account{
				{Purpose: engine.PurposeMonitor, User: "new", Password: "hunter2"}}}, engine.ReachReplicas)
			if err == nil || !strings.Contains(err.Error(), "super-read-only") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestLiteralOnRealServer gives random bytes to a real parser.
func TestLiteralOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		e := New(box.Env(t)).(*Engine)
		box.Initialize(t, e, start(false))
		box.Start(t, e, start(false))
		db, err := e.open()
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := execAll(t.Context(), conn, session(false)); err != nil {
			t.Fatal(err)
		}
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		alphabet := []string{"'", "\\", "\"", "\n", "\r", "\x1a", "\x00", "a", "%", "_", "`", ";", "--", "/*", "ü", "密", "🔑", "0", "Z", "N", "\t", "\b"}
		for range 2000 {
			var b strings.Builder
			for range random.IntN(12) {
				b.WriteString(alphabet[random.IntN(len(alphabet))])
			}
			want := b.String()
			var got string
			if err := conn.QueryRowContext(t.Context(), "SELECT "+literal(want)).Scan(&got); err != nil || got != want {
				t.Fatalf("%q came back as %q, %v", want, got, err)
			}
		}
		// Any bytes but NUL are passwords.
		for i := range 20 {
			password := make([]byte, 1+random.IntN(44))
			for j := range password {
				password[j] = byte(1 + random.IntN(255))
			}
			user := fmt.Sprintf("user%d", i)
			account := engine.Account{Purpose: engine.PurposeMonitor, User: user, Password: engine.Secret(password)}
			if err := execAll(t.Context(), conn, accountStatements(version{9, 7, 4}, account)); err != nil {
				t.Fatalf("password %q: %v", password, err)
			}
			if _, err := login(t, user, string(password)); err != nil {
				t.Errorf("password %q: %v", password, err)
			}
		}
	})
}

func TestCrashDuringInitializeOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["ADM_USER"] = "root"
		box.Secret(t, "root", "secret")
		e := New(box.Env(t))
		box.CrashInitialize(t, e, start(false), 5)
		box.Start(t, e, start(false))
		db, err := login(t, "root", "secret")
		if err != nil {
			t.Fatal(err)
		}
		if got := scalar(t, db, "SELECT CONCAT(@@gtid_executed, @@lower_case_table_names)"); got != "1" {
			t.Errorf("got %s", got)
		}
	})
}

func TestInitializeIsCancelledOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		e := New(box.Env(t))
		if err := e.Prepare(t.Context(), start(false)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := e.Initialize(ctx, start(false), engine.Accounts{})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		if data, err := e.Inspect(t.Context()); err != nil || data.State != engine.DataNone {
			t.Errorf("got %+v, %v", data, err)
		}
		enginetest.NoProcesses(t)
	})
}
