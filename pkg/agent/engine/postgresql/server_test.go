// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m, New) }

// config is what a package renders, small, and with a statement log.
const config = "listen_addresses = '*'\nshared_buffers = 16MB\npassword_encryption = 'scram-sha-256'\nlog_statement = 'all'\nlog_min_duration_statement = 0\n"

func start(managed bool) engine.Start {
	return engine.Start{Files: map[string][]byte{configFile: []byte(config)}, ConfigHash: "h", Managed: managed}
}

// login connects over TCP as a client in another pod would.
func login(t *testing.T, user, password string) (*pgx.Conn, error) {
	t.Helper()
	c, err := pgx.ParseConfig("host=127.0.0.1 port=5432 dbname=postgres sslmode=disable user=x password=x")
	if err != nil {
		t.Fatal(err)
	}
	c.User, c.Password = user, password
	conn, err := pgx.ConnectConfig(t.Context(), c)
	if err == nil {
		t.Cleanup(func() { disconnect(context.Background(), conn) })
	}
	return conn, err
}

func scalar(t *testing.T, conn *pgx.Conn, query string) string {
	t.Helper()
	var s *string
	if err := conn.QueryRow(t.Context(), "SELECT ("+query+")::text").Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if s == nil {
		return ""
	}
	return *s
}

// refused fails unless the server denied the login.
func refused(t *testing.T, user, password string) {
	t.Helper()
	_, err := login(t, user, password)
	var server *pgconn.PgError
	if !errors.As(err, &server) || (server.Code != "28P01" && server.Code != "28000") {
		t.Errorf("login of %s: got %v, want access denied", user, err)
	}
}

// awkward passwords, by user. The third changes under SASLprep: a soft hyphen goes,
// a no-break space becomes a space.
var awkward = map[string]string{
	"postgres": "0123456789abcdef0123456789abcdef0123456789ab",
	"mon":      "it's \"quoted\" \\ back\\'slash\\",
	"repl":     "pä\u00adss\u00a0wörd;\n\n密码\nwith newlines\r\n\tand more\n",
	"prov":     "%;--/*#`$\xff\xfe invalid\n",
}

func TestInitializeOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		for i, variable := range []string{"ADM_USER", "MON_USER", "REPL_USER", "PROV_USER"} {
			user := []string{"postgres", "mon", "repl", "prov"}[i]
			box.Vars[variable] = user
			box.Secret(t, user, awkward[user])
		}
		e := New(box.Env(t))
		box.Initialize(t, e, start(false))
		data, err := e.Inspect(t.Context())
		if err != nil || data.SystemID == "" || data.Version == "" {
			t.Fatalf("got %+v, %v", data, err)
		}
		if err := e.Initialize(t.Context(), start(false), box.Accounts(t)); err == nil {
			t.Fatal("a database was initialised over")
		}
		if beside := enginetest.BesideData(t, box.Env(t)); len(beside) > 0 {
			t.Errorf("left beside the database: %v", beside)
		}
		// What fsGroup does at a mount.
		if err := os.Chmod(box.Env(t).DataDir(), 0o2770); err != nil {
			t.Fatal(err)
		}
		server := box.Start(t, e, start(false))

		t.Run("the unit is virgin, writable and tells its identity", func(t *testing.T) {
			o, err := e.Observe(t.Context())
			if err != nil || !o.Virgin || !o.Writable || o.SystemID != data.SystemID || !strings.HasPrefix(o.Version, data.Version+".") {
				t.Errorf("got %+v, %v", o, err)
			}
		})
		conns := map[string]*pgx.Conn{}
		for user, password := range awkward {
			t.Run(user+" logs in with exactly its password", func(t *testing.T) {
				conn, err := login(t, user, password)
				if err != nil {
					t.Fatal(err)
				}
				if got := scalar(t, conn, "SELECT current_user"); got != user {
					t.Errorf("got %s", got)
				}
				refused(t, user, "")
				refused(t, user, password+"x")
			})
			conns[user], _ = login(t, user, password)
		}
		t.Run("every password is kept as a SCRAM verifier", func(t *testing.T) {
			got := scalar(t, conns["postgres"], "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%'")
			if got != "mon postgres prov repl" {
				t.Errorf("got %s", got)
			}
		})
		t.Run("nobody logs in over TCP without a password", func(t *testing.T) {
			for _, user := range []string{"postgres", engine.AgentUser, "nobody"} {
				refused(t, user, "")
			}
		})
		t.Run("the agent is nobody on the network even where everybody is trusted", func(t *testing.T) {
			got := scalar(t, conns["postgres"], "SELECT string_agg(auth_method, ' ' ORDER BY line_number) FROM pg_hba_file_rules WHERE type = 'host' AND user_name = '{unit_agent}'")
			if got != "reject reject" {
				t.Errorf("got %s", got)
			}
		})
		t.Run("grants do what their purpose needs", func(t *testing.T) {
			for user, queries := range map[string][]string{
				"mon":  {"SELECT count(*) FROM pg_ls_waldir()", "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"},
				"repl": {"SELECT count(*) FROM pg_ls_dir('base', true, true)", "SELECT length(pg_read_binary_file('PG_VERSION', 0, 2, true))", "SELECT size FROM pg_stat_file('PG_VERSION', true)", "SELECT length(pg_read_binary_file('PG_VERSION'))"},
			} {
				for _, q := range queries {
					scalar(t, conns[user], q)
				}
			}
			create := "CREATE ROLE app LOGIN"
			if major, err := MajorOf(conns["prov"]); err != nil || major < 16 {
				// createrole_self_grant is of 16: before, who makes a role says so.
				create += " ROLE prov"
			}
			for _, s := range []string{create, "CREATE DATABASE app OWNER app", "DROP DATABASE app", "DROP ROLE app"} {
				if _, err := conns["prov"].Exec(t.Context(), s); err != nil {
					t.Errorf("prov: %s: %v", s, err)
				}
			}
			if _, err := conns["mon"].Exec(t.Context(), "SELECT * FROM pg_authid"); err == nil {
				t.Error("the monitor reads password hashes")
			}
		})
		t.Run("replication logs in, and the agent through the socket", func(t *testing.T) {
			c, err := pgconn.ParseConfig("host=127.0.0.1 port=5432 replication=true sslmode=disable user=repl password=x")
			if err != nil {
				t.Fatal(err)
			}
			c.Password = awkward["repl"]
			identify(t, c)
			c.Host, c.User, c.Password = box.Env(t).SocketDir, engine.AgentUser, ""
			identify(t, c)
		})
		t.Run("people in the container are logged in", func(t *testing.T) {
			if _, err := exec.LookPath("psql"); err != nil {
				t.Skip("this build of the server comes without psql")
			}
			box.Vars["PGHOST"], box.Vars["PGUSER"], box.Vars["PGDATABASE"] = "/var/run/postgresql", engine.AgentUser, "postgres"
			for _, args := range [][]string{{}, {"-U", "postgres"}} {
				out, err := box.Run(t, "psql", append(args, "-Atc", "SELECT session_user")...)
				want := engine.AgentUser
				if len(args) > 0 {
					want = args[1]
				}
				if err != nil || out != want {
					t.Errorf("psql %v: got %q, %v", args, out, err)
				}
			}
		})
		t.Run("checksums are on, the encoding is UTF8", func(t *testing.T) {
			got := scalar(t, conns["postgres"], "SELECT current_setting('data_checksums') || current_setting('server_encoding') || datcollate FROM pg_database WHERE datname = 'postgres'")
			if got != "onUTF8C.UTF-8" {
				t.Errorf("got %s", got)
			}
		})
		t.Run("metrics have no error", func(t *testing.T) {
			samples, err := e.Metrics(t.Context())
			if err != nil || len(samples) != len(metrics) {
				t.Errorf("%d samples, %v", len(samples), err)
			}
		})
		t.Run("changed passwords hold, in no log, and the unit is still virgin", func(t *testing.T) {
			var accounts engine.Accounts
			for _, a := range box.Accounts(t).Accounts {
				a.Password += "-sëcond"
				accounts.Accounts = append(accounts.Accounts, a)
			}
			accounts.Accounts = append(accounts.Accounts, engine.Account{Purpose: engine.PurposeMonitor, User: "late", Password: "l@te'"})
			for range 2 {
				if err := e.EnsureAccounts(t.Context(), accounts, engine.ReachReplicas); err != nil {
					t.Fatal(err)
				}
			}
			for _, a := range accounts.Accounts {
				if _, err := login(t, a.User, a.Password.Reveal()); err != nil {
					t.Error(err)
				}
			}
			for user, password := range awkward {
				refused(t, user, password)
			}
			if o, err := e.Observe(t.Context()); err != nil || !o.Virgin {
				t.Errorf("got %+v, %v", o, err)
			}
			log := server.Log() + strings.Join(server.Args(), " ")
			if !strings.Contains(log, "CREATE DATABASE app") {
				t.Error("the statement log this test relies on is off")
			}
			for _, a := range accounts.Accounts {
				if strings.Contains(log, a.Password.Reveal()) || strings.Contains(log, literal(a.Password.Reveal())) {
					t.Errorf("the password of %s is in the log", a.User)
				}
			}
			for _, hidden := range []string{"SCRAM-SHA-256$4096", "sëcond"} {
				if strings.Contains(log, hidden) {
					t.Errorf("%s is in the log", hidden)
				}
			}
		})
		t.Run("anything of a user's makes the unit one with data", func(t *testing.T) {
			for create, drop := range map[string]string{
				"CREATE TABLE t (i int)":   "DROP TABLE t",
				"CREATE ROLE someone":      "DROP ROLE someone",
				"CREATE DATABASE d":        "DROP DATABASE d",
				"CREATE SCHEMA s":          "DROP SCHEMA s",
				"CREATE TYPE e AS ENUM ()": "DROP TYPE e",
				"SELECT lo_create(4711)":   "SELECT lo_unlink(4711)",
				"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'": "DROP FUNCTION f()",
			} {
				for _, step := range []struct {
					statement string
					virgin    bool
				}{{create, false}, {drop, true}} {
					if _, err := conns["postgres"].Exec(t.Context(), step.statement); err != nil {
						t.Fatalf("%s: %v", step.statement, err)
					}
					if o, err := e.Observe(t.Context()); err != nil || o.Virgin != step.virgin {
						t.Errorf("after %s: %+v, %v", step.statement, o, err)
					}
				}
			}
		})
	})
}

func identify(t *testing.T, c *pgconn.Config) {
	t.Helper()
	conn, err := pgconn.ConnectConfig(t.Context(), c)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "IDENTIFY_SYSTEM").ReadAll(); err != nil {
		t.Error(err)
	}
}

func TestRestartOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["POSTGRES_PASSWORD"] = "it's \\root"
		env := box.Env(t)
		e := New(env)
		box.Initialize(t, e, start(false))
		server := box.Start(t, e, start(false))
		conn, err := login(t, "postgres", "it's \\root")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"CREATE TABLE t (i int)", "INSERT INTO t VALUES (42)"} {
			if _, err := conn.Exec(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
		if err := e.Prepare(t.Context(), start(false)); err == nil || !strings.Contains(err.Error(), "still works in") {
			t.Errorf("preparing beside a running server: %v", err)
		}
		server.Kill()
		if err := e.Check(t.Context()); err == nil {
			t.Error("a dead server answers")
		}
		// The files of the killed server name processes that live now: the
		// container was made again and numbers begin anew.
		living := exec.Command("sleep", "600")
		if err := living.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = living.Process.Kill(); _ = living.Wait() }()
		for _, path := range []string{filepath.Join(env.DataDir(), "postmaster.pid"), filepath.Join(env.SocketDir, ".s.PGSQL.5432.lock")} {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(content), "\n")
			if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n%s", living.Process.Pid, rest), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		server = box.Start(t, e, start(false))
		if conn, err = login(t, "postgres", "it's \\root"); err != nil {
			t.Fatal(err)
		}
		if got := scalar(t, conn, "SELECT i FROM t"); got != "42" {
			t.Errorf("got %s", got)
		}
		if info, err := os.Stat(env.DataDir()); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		server.Stop()
		if got := server.Exit(); got != 0 {
			t.Errorf("exit status %d", got)
		}

		t.Run("what the agent owns stands whatever ALTER SYSTEM and the configuration say", func(t *testing.T) {
			auto := filepath.Join(env.DataDir(), "postgresql.auto.conf")
			if err := os.WriteFile(auto, []byte("port = 1\nunix_socket_directories = '/nowhere'\nhba_file = '/nowhere'\nwork_mem = '5MB'\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			box.Start(t, e, start(false))
			conn, err := login(t, "postgres", "it's \\root")
			if err != nil {
				t.Fatal(err)
			}
			if got := scalar(t, conn, "SELECT current_setting('hba_file') || current_setting('work_mem')"); got != "/etc/postgresql/pg_hba.conf5MB" {
				t.Errorf("got %s", got)
			}
		})
	})
}

func TestManagedOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["ADM_USER"] = "adm"
		box.Secret(t, "adm", "x")
		e := New(box.Env(t))
		box.Initialize(t, e, start(true))
		server := box.Start(t, e, start(true))
		conn, err := login(t, "adm", "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE t (i int)"); err == nil {
			t.Error("a managed server without a role took a write")
		}
		if o, err := e.Observe(t.Context()); err != nil || o.Writable || !o.Virgin {
			t.Errorf("got %+v, %v", o, err)
		}
		if err := e.EnsureAccounts(t.Context(), box.Accounts(t), engine.ReachServer); err != nil {
			t.Errorf("the agent cannot write: %v", err)
		}
		refused(t, "postgres", "")
		server.Stop()
		source := start(true)
		source.Role = engine.RoleSource
		box.Start(t, e, source)
		if o, err := e.Observe(t.Context()); err != nil || !o.Writable {
			t.Errorf("as source: %+v, %v", o, err)
		}
	})
}

func TestCrashDuringInitializeOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["ADM_USER"] = "postgres"
		box.Secret(t, "postgres", "secret")
		e := New(box.Env(t))
		box.CrashInitialize(t, e, start(false), 5)
		box.Start(t, e, start(false))
		if _, err := login(t, "postgres", "secret"); err != nil {
			t.Fatal(err)
		}
		if o, err := e.Observe(t.Context()); err != nil || !o.Virgin {
			t.Errorf("got %+v, %v", o, err)
		}
	})
}

func TestInitializeIsCancelledOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		e := New(box.Env(t))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
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

// TestQuotingOnRealServer gives random strings to a real parser.
func TestQuotingOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		e := New(box.Env(t)).(*Engine)
		box.Initialize(t, e, start(false))
		box.Start(t, e, start(false))
		conn, err := e.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer disconnect(context.Background(), conn)
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		alphabet := []string{"'", "\\", "\"", "\n", "\r", "\x1a", "a", "%", "_", "$", "$$", ";", "--", "/*", "ü", "密", "🔑", "E", "U&", "\t", "\b"}
		for i := range 2000 {
			if i%500 == 0 {
				setting := []string{"on", "off"}[i/500%2]
				if _, err := conn.Exec(t.Context(), "SET standard_conforming_strings = "+setting); err != nil {
					t.Fatal(err)
				}
			}
			var b strings.Builder
			for range 1 + random.IntN(12) {
				b.WriteString(alphabet[random.IntN(len(alphabet))])
			}
			want := b.String()
			results, err := conn.PgConn().Exec(t.Context(), "SELECT "+literal(want)+"::text AS "+identifier(want)).ReadAll()
			if err != nil {
				t.Fatalf("%q: %v", want, err)
			}
			got, column := string(results[0].Rows[0][0]), results[0].FieldDescriptions[0].Name
			if got != want || !strings.HasPrefix(want, column) || len(column) < min(len(want), maxUserLength-3) {
				t.Fatalf("%q came back as %q, column %q", want, got, column)
			}
		}
	})
}
