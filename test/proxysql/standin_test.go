// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// What is the stand-in's own way, or has not been tried on a real one.
func onStandInOnly(t *testing.T) {
	t.Helper()
	if !standIn {
		t.Skip("this is said of the stand-in only")
	}
}

// A backend's character set is the client's, unless that is one of MySQL 9's own.
func TestCharacterSet(t *testing.T) {
	onStandInOnly(t)
	i, writer, _ := twoServers(t)
	with := func(c *mysql.Config) error { c.Collation = "utf8mb4_0900_ai_ci"; return nil }
	if _, err := port(t.Context(), i.open(i.sql, "app", "apppass", with)); err != nil {
		t.Fatal(err)
	}
	writer.mu.Lock()
	defer writer.mu.Unlock()
	if !slices.Contains(writer.asked, "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci") {
		t.Errorf("the server was told: %q", writer.asked)
	}
}

func TestStartsThatFail(t *testing.T) {
	onStandInOnly(t)
	i := newInstance(t, "")
	for _, tc := range []struct {
		name      string
		arguments []string
	}{
		{"a configuration file that is not there", []string{"-f", "--no-version-check", "-c", "/nowhere/proxysql.cnf", "-D", i.dir}},
		{"an option that is none", []string{"-f", "--no-such-option"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var exit *exec.ExitError
			if out, err := exec.CommandContext(ctx, executable, tc.arguments...).CombinedOutput(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestAdminComesFromTheLoopbackAddressOnly(t *testing.T) {
	onStandInOnly(t)
	for address, want := range map[string]bool{"127.0.0.1:5": true, "[::1]:5": true, "10.244.1.7:5": false} {
		if got := loopback(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestHashedPasswordsAreRefused(t *testing.T) {
	onStandInOnly(t)
	i := newInstance(t, "")
	i.start()
	const native, sha2 = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "$A$00A$abcdefghijklmnopqrst"
	i.do("INSERT INTO mysql_users (username, password) VALUES ('native', '"+native+"'), ('sha2', '"+sha2+"')", "LOAD MYSQL USERS TO RUNTIME")
	for user, hash := range map[string]string{"native": native, "sha2": sha2} {
		for _, password := range []string{"password", hash} {
			refused(t, i.open(i.sql, user, password).PingContext(t.Context()), 1045, "Access denied")
		}
	}
}

func TestReadConfig(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"a name twice is an error", "a = 1;\na = 2;", ":2: a is there twice"},
		{"a group that is not ended is one", "a = {\nb = 1;", "} is missing"},
		{"a string that is not ended is one", `a = "b`, "not ended"},
		{"no value is one", "a = ;", "no value"},
		{"words alone are one", "a b", "syntax error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := readConfig(written(t, tc.file)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	c, err := readConfig(written(t, `# a comment
datadir = "/d" // another
mysql_variables = { threads = 4; init_connect : "SET @a = \"b\"" /* and
another */ "; SET @c = 1" }
mysql_servers = ( { address = "h", port = 1, hostgroup = 2 }, { hostname = "i" } )
mysql_users = ( )
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.scalar("datadir"), c.variables("mysql-"), c.rows("mysql_servers"), c.rows("mysql_users")); got !=
		`/dmap[mysql-init_connect:SET @a = "b"; SET @c = 1 mysql-threads:4] [[{hostname h} {port 1} {hostgroup_id 2}] [{hostname i}]] []` {
		t.Errorf("got %s", got)
	}
}

func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proxysql.cnf")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
