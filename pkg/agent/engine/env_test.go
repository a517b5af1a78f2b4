// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var minimal = []string{
	"UNIT_NAME=u-0", "UNIT_NAMESPACE=ns", "UNIT_UID=uid", "UNIT_TYPE=mysql", "POD_UID=pod", "DATA_DIR_MOUNT=/DATA_MOUNT",
}

func TestEnvFromNamesWhatIsMissing(t *testing.T) {
	for i, kv := range minimal {
		environ := slices.Delete(slices.Clone(minimal), i, i+1)
		name, _, _ := strings.Cut(kv, "=")
		if _, err := EnvFrom(environ); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for _, port := range []string{"x", "0", "65536", "-1"} {
		if _, err := EnvFrom(append(slices.Clone(minimal), "UNIT_SQL_PORT="+port)); err == nil || !strings.Contains(err.Error(), "UNIT_SQL_PORT") {
			t.Errorf("port %s: %v", port, err)
		}
	}
}

func TestEnvFromDefaultsAreThePods(t *testing.T) {
	for unitType, want := range map[string][3]string{
		"mysql":      {"/etc/mysql", "/var/run/mysqld", "3306"},
		"postgresql": {"/etc/postgresql", "/var/run/postgresql", "5432"},
		"proxysql":   {"/etc/proxysql", "/var/run/proxysql", "6033"},
	} {
		env, err := EnvFrom(append(slices.Clone(minimal), "UNIT_TYPE="+unitType))
		if err != nil {
			t.Fatal(err)
		}
		got := [3]string{env.ConfigDir, env.SocketDir, fmt.Sprint(env.SQLPort)}
		if got != want {
			t.Errorf("%s: %v, want %v", unitType, got, want)
		}
		if env.StateDir != "/unit-agent/state" || env.TLSDir != "/unit-agent/tls" || env.DataDir() != "/DATA_MOUNT/data" || env.AgentDir() != "/DATA_MOUNT/.unit-agent" {
			t.Errorf("%+v", env)
		}
	}
	env, err := EnvFrom(append(slices.Clone(minimal), EnvConfigDir+"=/c", EnvSocketDir+"=/s", EnvStateDir+"=/st", "UNIT_SQL_PORT=4000"))
	if err != nil || env.ConfigDir != "/c" || env.SocketDir != "/s" || env.StateDir != "/st" || env.SQLPort != 4000 {
		t.Errorf("%+v, %v", env, err)
	}
}

func TestProgramPrefersTheServersOwnDirectory(t *testing.T) {
	own, path := t.TempDir(), t.TempDir()
	for _, file := range []string{filepath.Join(own, "both"), filepath.Join(path, "both"), filepath.Join(path, "one")} {
		if err := os.WriteFile(file, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(path, "data"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	env, err := EnvFrom(append(slices.Clone(minimal), EnvServerDir+"="+own, "PATH=relative:"+path))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"both": filepath.Join(own, "both"), "one": filepath.Join(path, "one"), "data": "", "absent": ""} {
		got, err := env.Program(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestLoadAccounts(t *testing.T) {
	secret := t.TempDir()
	for name, content := range map[string]string{"root": "r", "admin": "a \n", "repl": "p"} {
		if err := os.WriteFile(filepath.Join(secret, name), []byte(content), 0o440); err != nil {
			t.Fatal(err)
		}
	}
	load := func(vars ...string) Accounts {
		t.Helper()
		env, err := EnvFrom(append(slices.Clone(minimal), vars...))
		if err != nil {
			t.Fatal(err)
		}
		accounts, err := LoadAccounts(env)
		if err != nil {
			t.Fatal(err)
		}
		return accounts
	}
	for _, tc := range []struct {
		name string
		vars []string
		want Accounts
	}{
		{"neither Secret nor names", nil, Accounts{}},
		{"a standalone unit's own password", []string{"MYSQL_ROOT_PASSWORD=x"}, Accounts{Accounts: []Account{{PurposeSuperuser, "root", "x"}}}},
		{
			"the Secret's, as they are, final newline included",
			[]string{"SECRET_MOUNT=" + secret, "ADM_USER=admin", "REPL_USER=repl"},
			Accounts{Accounts: []Account{{PurposeSuperuser, "root", "r"}, {PurposeAdmin, "admin", "a \n"}, {PurposeReplication, "repl", "p"}}},
		},
		{
			"the container's own password goes before the Secret's",
			[]string{"SECRET_MOUNT=" + secret, "MYSQL_ROOT_PASSWORD=x"},
			Accounts{Accounts: []Account{{PurposeSuperuser, "root", "x"}}},
		},
		{
			"names without a key are told",
			[]string{"SECRET_MOUNT=" + secret, "UNIT_TYPE=postgresql", "MON_USER=monitor", "PROV_USER=../" + filepath.Base(secret) + "/root"},
			Accounts{Missing: []string{"monitor", "../" + filepath.Base(secret) + "/root"}},
		},
		{
			"one key for two purposes",
			[]string{"SECRET_MOUNT=" + secret, "UNIT_TYPE=proxysql", "ADM_USER=repl", "REPL_USER=repl"},
			Accounts{Accounts: []Account{{PurposeAdmin, "repl", "p"}, {PurposeReplication, "repl", "p"}}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := load(tc.vars...)
			if len(got.Accounts) != len(tc.want.Accounts) {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
			for i := range got.Accounts {
				if got.Accounts[i] != tc.want.Accounts[i] {
					t.Errorf("account %d: %v, want %v", i, got.Accounts[i], tc.want.Accounts[i])
				}
			}
			if diff := cmp.Diff(tc.want.Missing, got.Missing); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestASecretCannotBePrinted(t *testing.T) {
	account := Account{PurposeAdmin, "admin", "hunter2"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, account); strings.Contains(got, "hunter2") || strings.Contains(got, "68756e74657232") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if got, err := json.Marshal(account); err != nil || strings.Contains(string(got), "hunter2") {
		t.Errorf("JSON: %s, %v", got, err)
	}
	if account.Password.Reveal() != "hunter2" {
		t.Error("it cannot be read either")
	}
}
