// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// executableEnv names a real ProxySQL for the suite to run on.
const executableEnv = "UNIT_OPERATOR_PROXYSQL"

// executable is what the suite runs on, standIn whether that is the stand-in.
var (
	executable string
	standIn    bool
)

func TestMain(m *testing.M) {
	code, err := prepare(m.Run)
	if err != nil {
		log.Print(err)
		code = 1
	}
	os.Exit(code)
}

// prepare builds the stand-in unless there is a real one, says which, and calls run.
func prepare(run func() int) (int, error) {
	ctx := context.Background()
	executable = os.Getenv(executableEnv)
	if strings.HasSuffix(executable, ".tar") {
		fmt.Printf("%s names an image, which serves the bed; this suite needs the executable in it\n", executableEnv)
		executable = ""
	}
	if executable == "" {
		dir, err := os.MkdirTemp("", "proxysql-stand-in-")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
		executable = filepath.Join(dir, "proxysql")
		build := exec.CommandContext(ctx, "go", "build", "-o", executable, ".")
		if out, err := build.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("building the stand-in: %w\n%s", err, out)
		}
	}
	out, err := exec.CommandContext(ctx, executable, "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("%s --version: %w", executable, err)
	}
	standIn = strings.Contains(string(out), "stand-in")
	fmt.Printf("running on %s: %s", executable, out)
	return run(), nil
}

// instance is a ProxySQL with its data directory.
type instance struct {
	t          *testing.T
	dir        string
	admin, sql string
	// file is the configuration file's content.
	file string
	cmd  *exec.Cmd
	log  lockedLog
	done chan struct{}
}

type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// freePort is one that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// newInstance is one with the configuration that was used of a real one, which more
// follows: settings, and lists of servers and users.
func newInstance(t *testing.T, more string) *instance {
	t.Helper()
	i := &instance{t: t, dir: t.TempDir(), admin: freePort(t), sql: freePort(t)}
	i.file = fmt.Sprintf(`datadir="%s"
admin_variables={ admin_credentials="admin:admin;radmin:radmin" mysql_ifaces="127.0.0.1:%s" }
mysql_variables={ threads=2 interfaces="127.0.0.1:%s" default_authentication_plugin="caching_sha2_password"
  default_charset="utf8mb4" default_collation_connection="utf8mb4_general_ci" handle_unknown_charset=2
  monitor_username="monitor" monitor_password="monpass" monitor_read_only_interval=300 monitor_read_only_timeout=5000
  monitor_connect_interval=500 monitor_ping_interval=300 monitor_connect_timeout=5000
  monitor_ping_timeout=5000 connect_timeout_server_max=3000 }
%s`, i.dir, i.admin, i.sql, more)
	return i
}

// start starts it and waits until the admin interface answers.
func (i *instance) start(arguments ...string) {
	i.t.Helper()
	path := filepath.Join(i.t.TempDir(), "proxysql.cnf")
	if err := os.WriteFile(path, []byte(i.file), 0o600); err != nil {
		i.t.Fatal(err)
	}
	i.cmd = exec.Command(executable, append([]string{"-f", "--no-version-check", "-c", path, "-D", i.dir}, arguments...)...)
	i.cmd.Stdout, i.cmd.Stderr = &i.log, &i.log
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := i.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	done := make(chan struct{})
	i.done = done
	cmd := i.cmd
	go func() {
		_ = cmd.Wait() // its state says how it ended
		close(done)
	}()
	i.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if i.t.Failed() {
			i.t.Logf("its log:\n%s", i.log.String())
		}
	})
	db := i.open(i.admin, "admin", "admin")
	eventually(i.t, "the admin interface answers", func() error {
		select {
		case <-done:
			i.t.Fatalf("it ended: %v\n%s", cmd.ProcessState, i.log.String())
		default:
		}
		return db.PingContext(i.t.Context())
	})
}

// ended waits for its end and returns its exit status.
func (i *instance) ended() int {
	i.t.Helper()
	select {
	case <-i.done:
	case <-time.After(time.Minute):
		i.t.Fatal("it does not end")
	}
	return i.cmd.ProcessState.ExitCode()
}

func (i *instance) stop() {
	i.t.Helper()
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		i.t.Fatal(err)
	}
	if code := i.ended(); code != 0 {
		i.t.Errorf("SIGTERM: exit status %d", code)
	}
}

// open is a client of a port; options are the driver's.
func (i *instance) open(port, user, password string, options ...mysql.Option) *sql.DB {
	i.t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.Logger = user, password, "tcp", "127.0.0.1:"+port, &mysql.NopLogger{}
	c.Timeout = 5 * time.Second
	if err := c.Apply(options...); err != nil {
		i.t.Fatal(err)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		i.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	i.t.Cleanup(func() { _ = db.Close() })
	return db
}

// do runs statements on the admin interface.
func (i *instance) do(statements ...string) {
	i.t.Helper()
	db := i.open(i.admin, "admin", "admin")
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(i.t.Context(), s); err != nil {
			i.t.Fatalf("%s: %v", s, err)
		}
	}
}

// rows are what a statement on the admin interface gives, columns joined by spaces.
func (i *instance) rows(statement string) []string {
	i.t.Helper()
	db := i.open(i.admin, "admin", "admin")
	defer db.Close()
	all, err := rowsOfDB(i.t.Context(), db, statement)
	if err != nil {
		i.t.Fatalf("%s: %v", statement, err)
	}
	return all
}

func (i *instance) variable(table, name string) string {
	i.t.Helper()
	return strings.Join(i.rows("SELECT variable_value FROM "+table+" WHERE variable_name = '"+name+"'"), "|")
}

func rowsOfDB(ctx context.Context, db *sql.DB, statement string, arguments ...any) ([]string, error) {
	rows, err := db.QueryContext(ctx, statement, arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all []string
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		to := make([]any, len(cells))
		for c := range cells {
			to[c] = &cells[c]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		var row []string
		for _, c := range cells {
			row = append(row, c.String)
		}
		all = append(all, strings.Join(row, " "))
	}
	return all, rows.Err()
}

func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// refused says that err is an error of that number, which says words.
func refused(t *testing.T, err error, number uint16, words string) {
	t.Helper()
	said, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok || said.Number != number || !strings.Contains(said.Message, words) {
		t.Errorf("got %v, want error %d with %q", err, number, words)
	}
}
