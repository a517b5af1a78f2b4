// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

func TestParseVersion(t *testing.T) {
	for _, tc := range []struct {
		text, version string
		major         int
	}{
		{"postgres (PostgreSQL) 12.22", "12.22", 12},
		{"postgres (PostgreSQL) 17.5 (Debian 17.5-1.pgdg120+1)", "17.5", 17},
		{"17.12 (Debian 17.12-0+deb13u1)", "17.12", 17},
		{"19beta1", "19", 19},
	} {
		t.Run(tc.text, func(t *testing.T) {
			version, major, err := parseVersion(tc.text)
			if err != nil || version != tc.version || major != tc.major {
				t.Errorf("got %s, %d, %v", version, major, err)
			}
		})
	}
	if v, _, err := parseVersion("no such file"); err == nil {
		t.Errorf("no version read as %s", v)
	}
}

func TestArgs(t *testing.T) {
	e := New(engine.Env{DataMount: "/DATA_MOUNT", ConfigDir: "/etc/postgresql", SocketDir: "/var/run/postgresql", SQLPort: 5433}).(*Engine)
	want := strings.Fields(`-D /DATA_MOUNT/data
		-c config_file=/etc/postgresql/unit-agent.conf
		-c hba_file=/etc/postgresql/pg_hba.conf
		-c ident_file=/etc/postgresql/pg_ident.conf
		-c data_directory=/DATA_MOUNT/data
		-c unix_socket_directories=/var/run/postgresql
		-c port=5433`)
	if diff := cmp.Diff(want, e.args()); diff != "" {
		t.Error(diff)
	}
}

func TestAgentConfig(t *testing.T) {
	e := New(engine.Env{ConfigDir: "/etc/it's"}).(*Engine)
	const want = "# Written by unit-agent before each start.\ninclude '/etc/it''s/postgresql.conf'\ninclude '/etc/it''s/unit-role.conf'\n"
	if diff := cmp.Diff(want, string(e.agentConfig())); diff != "" {
		t.Error(diff)
	}
}

func TestHBA(t *testing.T) {
	const own = `# The first lines are unit-agent's own.
local all unit_agent peer map=unit_agent
local replication unit_agent peer map=unit_agent
local all postgres peer map=unit_agent
local replication postgres peer map=unit_agent
host all unit_agent all reject
host replication unit_agent all reject
`
	for _, tc := range []struct{ name, rest, want string }{
		{"without a template everybody is asked for a password", " \n", own + "local all all scram-sha-256\nhost all all all scram-sha-256\nhost replication all all scram-sha-256\n"},
		{"the template's lines come after", "host all all 0.0.0.0/0 trust", own + "host all all 0.0.0.0/0 trust\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, string(hba([]byte(tc.rest)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIdent(t *testing.T) {
	got, err := ident("postgres", []byte("users alice bob\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "# The first lines are unit-agent's own.\nunit_agent postgres unit_agent\nunit_agent postgres postgres\nusers alice bob\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"", "/.*", "a b", "a\nb x y", `"`} {
		if _, err := ident(name, nil); err == nil {
			t.Errorf("the user name %q was written", name)
		}
	}
}

func TestVerifier(t *testing.T) {
	// RFC 7677 section 3: user "user", password "pencil".
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	got, err := saltedVerifier("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	const want = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, tc := range []struct {
		name, password string
		ok             bool
	}{
		{"ASCII, control characters included", "a'\\\n\t\x01", true},
		{"beyond ASCII only the server knows", "ü", false},
		{"what is no UTF-8 is taken as it is", "\xff\xfe", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, ok, err := verifier(tc.password)
			if err != nil || ok != tc.ok || ok != strings.HasPrefix(v, "SCRAM-SHA-256$4096:") {
				t.Errorf("got %q, %v, %v", v, ok, err)
			}
		})
	}
	a, _, _ := verifier("x")
	b, _, _ := verifier("x")
	if a == b {
		t.Error("two verifiers have the same salt")
	}
}

func TestAllStatements(t *testing.T) {
	accounts := engine.Accounts{Accounts: []engine.Account{
		{Purpose: engine.PurposeAdmin, User: "postgres", Password: "ä"},
		{Purpose: engine.PurposeMonitor, User: "m'o\"n", Password: "ä'\n"},
		{Purpose: engine.PurposeReplication, User: "both", Password: "ä"},
		{Purpose: engine.PurposeProvision, User: "both", Password: "ä"},
	}}
	got, err := allStatements(16, accounts, map[string]bool{"postgres": true})
	if err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(quiet),
		`CREATE ROLE "unit_agent"`,
		`COMMENT ON ROLE "unit_agent" IS 'made by unit-agent'`,
		`ALTER ROLE "unit_agent" LOGIN SUPERUSER REPLICATION PASSWORD NULL VALID UNTIL 'infinity' CONNECTION LIMIT -1`,
		`ALTER ROLE "unit_agent" RESET ALL`,
		`ALTER ROLE "postgres" LOGIN SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS PASSWORD 'ä'`,
		`CREATE ROLE "m'o""n"`,
		`COMMENT ON ROLE "m'o""n" IS 'made by unit-agent'`,
		`ALTER ROLE "m'o""n" LOGIN PASSWORD  E'ä''\n'`,
		`GRANT pg_monitor TO "m'o""n"`,
		`CREATE ROLE "both"`,
		`COMMENT ON ROLE "both" IS 'made by unit-agent'`,
		`ALTER ROLE "both" LOGIN REPLICATION PASSWORD 'ä'`,
		`GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO "both"`,
		`GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO "both"`,
		`GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO "both"`,
		`GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO "both"`,
		`ALTER ROLE "both" LOGIN CREATEDB CREATEROLE PASSWORD 'ä'`,
		`ALTER ROLE "both" SET createrole_self_grant = 'set, inherit'`,
	)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	t.Run("a password the agent can hash is in no statement", func(t *testing.T) {
		got, err := allStatements(12, engine.Accounts{Accounts: []engine.Account{{Purpose: engine.PurposeMonitor, User: "mon", Password: "hunter2"}}}, nil)
		if err != nil || strings.Contains(strings.Join(got, "\n"), "hunter2") {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestCheckAccounts(t *testing.T) {
	for _, tc := range []struct {
		name    string
		account engine.Account
		refusal string
	}{
		{"an ordinary account passes", engine.Account{User: "app", Password: "x"}, ""},
		{"63 bytes pass", engine.Account{User: strings.Repeat("a", 63), Password: "x"}, ""},
		{"64 bytes would be cut off", engine.Account{User: strings.Repeat("ü", 32), Password: "x"}, "63 bytes at most"},
		{"an empty password would lock the account", engine.Account{User: "app"}, "is empty"},
		{"no client can send a NUL byte", engine.Account{User: "app", Password: "a\x00b"}, "NUL byte"},
		{"the agent's own role is not a user's", engine.Account{User: engine.AgentUser, Password: "x"}, "agent's own"},
		{"the server's own roles are not a user's", engine.Account{User: "pg_monitor", Password: "x"}, "PostgreSQL's own"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := checkAccounts(engine.Accounts{Accounts: []engine.Account{tc.account}})
			if tc.refusal == "" && err != nil || tc.refusal != "" && (err == nil || !strings.Contains(err.Error(), tc.refusal)) {
				t.Errorf("got %v, want %q", err, tc.refusal)
			}
		})
	}
}

func TestInspect(t *testing.T) {
	const control = "\xc5\x0a\x00\x00\x00\x00\x00\x01rest"
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  engine.Data
	}{
		{"nothing there", nil, engine.Data{State: engine.DataNone}},
		{"a data directory", map[string]string{"PG_VERSION": "17\n", "global/pg_control": control}, engine.Data{State: engine.DataComplete, SystemID: "72057594037930693", Version: "17"}},
		{"something else is unknown", map[string]string{"holiday.jpg": ""}, engine.Data{State: engine.DataUnknown}},
		{"without a control file it is unknown", map[string]string{"PG_VERSION": "17\n"}, engine.Data{State: engine.DataUnknown}},
		{"with half a control file it is unknown", map[string]string{"PG_VERSION": "17\n", "global/pg_control": "abc"}, engine.Data{State: engine.DataUnknown}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := engine.Env{DataMount: t.TempDir()}
			for name, content := range tc.files {
				path := filepath.Join(env.DataDir(), name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := New(env).Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if (got.State == engine.DataUnknown) != (got.Message != "") {
				t.Errorf("message %q", got.Message)
			}
			got.Message = ""
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
