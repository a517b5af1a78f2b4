// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// rendered is what the package renders, shortened.
const rendered = `# settings belong into the value ConfigMap of this unit.

admin_variables =
{
	admin_credentials = "$(ADMIN_CREDENTIALS)"
	mysql_ifaces = "0.0.0.0:6032"
	web_enabled = "false"
}

mysql_variables =
{
	interfaces = "0.0.0.0:6033"
	max_connections = "2048"
	threads = "2"
}
`

func testEnv(t *testing.T) engine.Env {
	t.Helper()
	dir := t.TempDir()
	return engine.Env{
		Type:      "proxysql",
		DataMount: dir,
		ConfigDir: filepath.Join(dir, "etc"),
		SocketDir: filepath.Join(dir, "run"),
		HomeDir:   filepath.Join(dir, "home"),
		SQLPort:   6033,
		Lookup:    func(string) string { return "" },
	}
}

func start(config string) engine.Start {
	return engine.Start{Files: map[string][]byte{configFile: []byte(config)}, ConfigHash: "h"}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestPrepare(t *testing.T) {
	env := testEnv(t)
	e := New(env).(*Engine)
	if err := e.Prepare(t.Context(), start(rendered)); err != nil {
		t.Fatal(err)
	}
	c, err := e.credentials()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"{\n\tadmin_credentials = \"$(ADMIN_CREDENTIALS)\"",
		"{\n\tstats_credentials = \"stats:"+c.Stats.Reveal()+"\"\n\tadmin_credentials = \"admin:"+c.Admin.Reveal()+"\"",
	).Replace(rendered)
	if diff := cmp.Diff(want, read(t, filepath.Join(env.ConfigDir, configFile))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("[client]\nuser=admin\npassword="+c.Admin.Reveal()+"\nhost=127.0.0.1\nport=6032\n", read(t, filepath.Join(env.HomeDir, ".my.cnf"))); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{e.configPath(), e.credentialsPath(), filepath.Join(env.HomeDir, ".my.cnf")} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := os.Stat(env.DataDir()); !os.IsNotExist(err) {
		t.Errorf("preparing touched the data directory: %v", err)
	}

	t.Run("credentials are made once", func(t *testing.T) {
		if err := New(env).Prepare(t.Context(), start(rendered)); err != nil {
			t.Fatal(err)
		}
		if again, err := e.credentials(); err != nil || again != c {
			t.Errorf("they changed: %v", err)
		}
	})
	t.Run("a credentials file that was damaged is not replaced, and not quoted", func(t *testing.T) {
		if err := os.WriteFile(e.credentialsPath(), []byte(`{"admin":"swordfish"`), 0o600); err != nil {
			t.Fatal(err)
		}
		err := e.Prepare(t.Context(), start(rendered))
		if err == nil || strings.Contains(err.Error(), "swordfish") || !strings.Contains(err.Error(), credentialsFile) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPrepareRefusals(t *testing.T) {
	for _, tc := range []struct {
		name  string
		start engine.Start
		want  string
	}{
		{"a configuration without its main file", engine.Start{Files: map[string][]byte{"x": nil}}, configFile},
		{"a main file that cannot be read", start("admin_variables = {"), configFile},
		{"an admin interface where the agent does not look", start(strings.ReplaceAll(rendered, ":6032", ":16032")), "port 6032"},
		{"a file name that leads elsewhere", engine.Start{Files: map[string][]byte{configFile: []byte(rendered), "../x": nil}}, "base name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := New(testEnv(t)).Prepare(t.Context(), tc.start); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestThePortsAreTheUnits(t *testing.T) {
	env := testEnv(t)
	env.SQLPort = 3306
	env.Lookup = func(name string) string {
		if name == "ADMIN_PORT" {
			return "16032"
		}
		return ""
	}
	for _, tc := range []struct{ name, config, interfaces string }{
		{"the rendered admin interface stays", "admin_variables = { mysql_ifaces = \"127.0.0.1:16032;[::]:16032\" }", `"127.0.0.1:16032;[::]:16032"`},
		{"without one it is the loopback's", "", `"127.0.0.1:16032"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := New(env).(*Engine)
			if err := e.Prepare(t.Context(), start(tc.config)); err != nil {
				t.Fatal(err)
			}
			file := read(t, e.configPath())
			for _, s := range []struct{ group, name, want string }{
				{"mysql_variables", "interfaces", `"0.0.0.0:3306"`},
				{"admin_variables", "mysql_ifaces", tc.interfaces},
			} {
				if got, err := get(file, s.group, s.name); err != nil || got != s.want {
					t.Errorf("%s: %s, %v", s.name, got, err)
				}
			}
		})
	}
}

func TestArgs(t *testing.T) {
	e := New(engine.Env{DataMount: "/DATA_MOUNT", ConfigDir: "/etc/proxysql"}).(*Engine)
	always := []string{"-f", "-c", "/etc/proxysql/proxysql.cnf", "-D", "/DATA_MOUNT/data"}
	for _, tc := range []struct {
		name, help string
		changed    bool
		want       []string
	}{
		{"a configuration that is in the database already is not merged again", "", false, nil},
		{"a changed one is", "", true, []string{"--reload"}},
		{"it is kept from asking its makers for news if it can be", "--no-version-check     Disables the check", false, []string{"--no-version-check"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(slices.Concat(always, tc.want), e.args(tc.help, tc.changed)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInitializeAndInspect(t *testing.T) {
	env := testEnv(t)
	e := New(env)
	if data, err := e.Inspect(t.Context()); err != nil || data.State != engine.DataNone {
		t.Fatalf("before: %+v, %v", data, err)
	}
	if err := e.Initialize(t.Context(), start(rendered), engine.Accounts{}); err != nil {
		t.Fatal(err)
	}
	first, err := e.Inspect(t.Context())
	if err != nil || first.State != engine.DataComplete || len(first.SystemID) != 32 {
		t.Fatalf("after: %+v, %v", first, err)
	}
	if err := e.Initialize(t.Context(), start(rendered), engine.Accounts{}); err == nil {
		t.Error("a database was initialised over")
	}
	if again, err := e.Inspect(t.Context()); err != nil || again != first {
		t.Errorf("the identity changed: %+v, %v", again, err)
	}

	for _, tc := range []struct {
		name, file string
		want       engine.DataState
	}{
		{"a database of somebody else's ProxySQL has no identity of ours", databaseFile, engine.DataComplete},
		{"something else is unknown", "holiday.jpg", engine.DataUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := testEnv(t)
			if err := os.MkdirAll(env.DataDir(), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(env.DataDir(), tc.file), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := New(env).Inspect(t.Context())
			if err != nil || got.State != tc.want || got.SystemID != "" || (got.State == engine.DataUnknown) != (got.Message != "") {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestCheckMonitor(t *testing.T) {
	for _, tc := range []struct {
		name    string
		account engine.Account
		refusal string
	}{
		{"an ordinary account passes", engine.Account{Purpose: engine.PurposeMonitor, User: "mon", Password: "it's"}, ""},
		{"accounts of the servers behind are not looked at", engine.Account{Purpose: engine.PurposeAdmin, User: "adm"}, ""},
		{"an empty password is refused", engine.Account{Purpose: engine.PurposeMonitor, User: "mon"}, "is empty"},
		{"a NUL byte is refused", engine.Account{Purpose: engine.PurposeMonitor, User: "mon", Password: "sword\x00fish"}, "NUL"},
		{"what is no text is refused", engine.Account{Purpose: engine.PurposeMonitor, User: "mon", Password: "sword\xfffish"}, "UTF-8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := checkMonitor(engine.Accounts{Accounts: []engine.Account{tc.account}})
			if tc.refusal == "" && err != nil || tc.refusal != "" && (err == nil || !strings.Contains(err.Error(), tc.refusal)) {
				t.Errorf("got %v, want %q", err, tc.refusal)
			}
			if err != nil && strings.Contains(err.Error(), "fish") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

func TestALiteralCannotEndEarly(t *testing.T) {
	for in, want := range map[string]string{
		"":          `''`,
		"a'b''c":    `'a''b''''c'`,
		`back\'s`:   `'back\''s'`,
		"new\nline": "'new\nline'",
	} {
		if got := literal(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
