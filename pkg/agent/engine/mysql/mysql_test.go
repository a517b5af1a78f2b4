// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

func testEnv(t *testing.T) engine.Env {
	t.Helper()
	dir := t.TempDir()
	return engine.Env{
		Type:      "mysql",
		DataMount: dir,
		ConfigDir: filepath.Join(dir, "etc"),
		SocketDir: filepath.Join(dir, "run"),
		HomeDir:   filepath.Join(dir, "home"),
		SQLPort:   3306,
		Lookup:    func(string) string { return "" },
	}
}

func TestParseVersion(t *testing.T) {
	for _, tc := range []struct {
		text string
		want version
	}{
		{"mysqld  Ver 5.7.44 for Linux on x86_64 (MySQL Community Server (GPL))", version{5, 7, 44}},
		{"/usr/sbin/mysqld  Ver 8.0.41 for Linux on x86_64 (MySQL Community Server - GPL)", version{8, 0, 41}},
		{"/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", version{9, 7, 4}},
		{"8.4.6", version{8, 4, 6}},
	} {
		t.Run(tc.text, func(t *testing.T) {
			if got, err := parseVersion(tc.text); err != nil || got != tc.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if v, err := parseVersion("mysqld: command failed"); err == nil {
		t.Errorf("no version read as %v", v)
	}
}

func TestArgs(t *testing.T) {
	e := New(engine.Env{
		DataMount: "/DATA_MOUNT", ConfigDir: "/etc/mysql", SocketDir: "/var/run/mysqld", SQLPort: 3307,
	}).(*Engine)
	always := []string{
		"--defaults-file=/etc/mysql/my.cnf",
		"--datadir=/DATA_MOUNT/data",
		"--tmpdir=/DATA_MOUNT/.unit-agent/tmp",
		"--socket=/var/run/mysqld/mysqld.sock",
		"--pid-file=/var/run/mysqld/mysqld.pid",
		"--port=3307",
	}
	const x = "--loose-mysqlx-socket=/var/run/mysqld/mysqlx.sock"
	const noFiles = "--secure-file-priv=NULL"
	plugins := []string{"--plugin-load-add=semisync_source.so", "--plugin-load-add=semisync_replica.so"}
	oldPlugins := []string{"--plugin-load-add=semisync_master.so", "--plugin-load-add=semisync_slave.so"}
	readOnly := []string{"--read-only=ON", "--super-read-only=ON", "--event-scheduler=OFF"}
	noGroup := []string{"--loose-group-replication-start-on-boot=OFF", "--loose-group-replication-bootstrap-group=OFF"}
	managed := slices.Concat(readOnly, []string{"--skip-replica-start=ON", "--relay-log-recovery=OFF", "--sync-relay-log=1", "--replica-net-timeout=10"}, noGroup)
	oldManaged := slices.Concat(readOnly, []string{"--skip-slave-start=ON", "--relay-log-recovery=OFF", "--sync-relay-log=1", "--slave-net-timeout=10"}, noGroup)
	noRole := []string{"--loose-rpl-semi-sync-source-enabled=OFF", "--loose-rpl-semi-sync-replica-enabled=OFF"}
	oldNoRole := []string{"--loose-rpl-semi-sync-master-enabled=OFF", "--loose-rpl-semi-sync-slave-enabled=OFF"}
	source := []string{"--loose-rpl-semi-sync-source-wait-for-replica-count=2", "--loose-rpl-semi-sync-source-timeout=4294967295",
		"--loose-rpl-semi-sync-source-wait-point=AFTER_SYNC", "--loose-rpl-semi-sync-source-wait-no-replica=ON",
		"--loose-rpl-semi-sync-source-enabled=ON", "--loose-rpl-semi-sync-replica-enabled=OFF"}
	oldSource := []string{"--loose-rpl-semi-sync-master-wait-for-slave-count=2", "--loose-rpl-semi-sync-master-timeout=4294967295",
		"--loose-rpl-semi-sync-master-wait-point=AFTER_SYNC", "--loose-rpl-semi-sync-master-wait-no-slave=ON",
		"--loose-rpl-semi-sync-master-enabled=ON", "--loose-rpl-semi-sync-slave-enabled=OFF"}
	acknowledging := []string{"--loose-rpl-semi-sync-source-enabled=OFF", "--loose-rpl-semi-sync-replica-enabled=ON"}
	as := func(record engine.RoleRecord) engine.Start {
		return engine.Start{Managed: true, Role: record.Role, Record: record}
	}
	sync := engine.Durability{Mode: engine.DurabilitySync, W: 2}
	for _, tc := range []struct {
		name    string
		version version
		options map[string]string
		start   engine.Start
		want    [][]string
	}{
		{"a standalone server is left writable", version{8, 4, 6}, nil, engine.Start{}, [][]string{always, {x, noFiles}, plugins}},
		{"secure_file_priv of the configuration is respected", version{8, 4, 6}, map[string]string{"secure_file_priv": "/f"}, engine.Start{}, [][]string{always, {x}, plugins}},
		{"a managed server starts read-only", version{8, 4, 6}, nil, engine.Start{Managed: true}, [][]string{always, {x, noFiles}, plugins, managed, noRole}},
		{"a managed source starts read-only too", version{9, 7, 4}, nil, engine.Start{Managed: true, Role: engine.RoleSource}, [][]string{always, {x, noFiles}, plugins, managed, noRole}},
		{"5.7 knows no X socket and the old word for replica", version{5, 7, 44}, nil, engine.Start{Managed: true}, [][]string{always, {noFiles}, oldPlugins, oldManaged, oldNoRole}},
		{"8.0.25 has the old word for replica", version{8, 0, 25}, nil, engine.Start{Managed: true}, [][]string{always, {x, noFiles}, oldPlugins, oldManaged, oldNoRole}},
		{"a recorded source waits before its first client", version{9, 7, 4}, nil, as(engine.RoleRecord{Role: engine.RoleSource, Durability: sync}),
			[][]string{always, {x, noFiles}, plugins, managed, source}},
		{"a recorded source of 5.7 waits too", version{5, 7, 44}, nil, as(engine.RoleRecord{Role: engine.RoleSource, Durability: sync}),
			[][]string{always, {noFiles}, oldPlugins, oldManaged, oldSource}},
		{"a recorded source without promises does not wait", version{8, 4, 6}, nil, as(engine.RoleRecord{Role: engine.RoleSource, Durability: engine.Durability{Mode: engine.DurabilityAsync}}),
			[][]string{always, {x, noFiles}, plugins, managed, noRole}},
		{"a replica that may acknowledge does", version{8, 4, 6}, nil, as(engine.RoleRecord{Role: engine.RoleReplica, Acknowledge: true}),
			[][]string{always, {x, noFiles}, plugins, managed, acknowledging}},
		{"a replica that may not acknowledge does not", version{8, 4, 6}, nil, as(engine.RoleRecord{Role: engine.RoleReplica}),
			[][]string{always, {x, noFiles}, plugins, managed, noRole}},
		{"an isolated server acknowledges nothing, whatever else its record says", version{8, 4, 6}, nil,
			as(engine.RoleRecord{Role: engine.RoleIsolated, Acknowledge: true, Durability: sync}), [][]string{always, {x, noFiles}, plugins, managed, noRole}},
		{"a standalone server does not take a role from a record", version{8, 4, 6}, nil,
			engine.Start{Record: engine.RoleRecord{Role: engine.RoleSource, Durability: sync}}, [][]string{always, {x, noFiles}, plugins}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var want []string
			for _, w := range tc.want {
				want = append(want, w...)
			}
			if diff := cmp.Diff(want, e.args(tc.version, tc.options, tc.start)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInitializeArgs(t *testing.T) {
	got := initializeArgs(map[string]string{
		"lower_case_table_names": "1",
		"innodb_page_size":       "32k",
		"innodb_data_file_path":  "/elsewhere/ibdata1:12M:autoextend",
		"log_bin":                "/DATA_MOUNT/data/binlog",
		"rpl_semi_sync_source":   "ON",
	}, "/d/data", "/d/tmp")
	want := []string{
		"--no-defaults", "--initialize-insecure", "--datadir=/d/data", "--tmpdir=/d/tmp", "--socket=/d/tmp/s",
		"--secure-file-priv=NULL", "--skip-log-bin",
		"--lower-case-table-names=1", "--innodb-page-size=32k",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseDefaults(t *testing.T) {
	got := parseDefaults("mysqld would have been started with the following arguments:\n--lower-case-table-names=1 --loose-foo_bar=2 --skip-name-resolve --lower_case_table_names=2 \n")
	want := map[string]string{"lower_case_table_names": "2", "foo_bar": "2", "skip_name_resolve": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestInitScript(t *testing.T) {
	accounts := engine.Accounts{Accounts: []engine.Account{
		{Purpose: engine.PurposeMonitor, User: "m'on", Password: "p\nw"},
		{Purpose: engine.PurposeReplication, User: "repl", Password: "r"},
	}}
	const opening = `SET SESSION sql_mode = '';
SET NAMES utf8mb4;
SET SESSION sql_log_bin = 0;
INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
CREATE USER IF NOT EXISTS 'unit_agent'@'localhost' IDENTIFIED WITH auth_socket AS 'mysql';
ALTER USER 'unit_agent'@'localhost' IDENTIFIED WITH auth_socket AS 'mysql' ACCOUNT UNLOCK;
GRANT ALL ON *.* TO 'unit_agent'@'localhost' WITH GRANT OPTION;
`
	const closedRoot = "ALTER USER 'root'@'localhost' IDENTIFIED WITH auth_socket AS 'mysql';\n"
	const monitor = `CREATE USER IF NOT EXISTS 'm\'on'@'%' IDENTIFIED BY 'p\nw';
ALTER USER 'm\'on'@'%' IDENTIFIED BY 'p\nw' ACCOUNT UNLOCK;
GRANT PROCESS, REPLICATION CLIENT ON *.* TO 'm\'on'@'%';
GRANT SELECT ON performance_schema.* TO 'm\'on'@'%';
GRANT SELECT, EXECUTE ON sys.* TO 'm\'on'@'%';
CREATE USER IF NOT EXISTS 'repl'@'%' IDENTIFIED BY 'r';
ALTER USER 'repl'@'%' IDENTIFIED BY 'r' ACCOUNT UNLOCK;
`
	t.Run("root without a password is closed, the rest has grants of its version", func(t *testing.T) {
		want := opening + closedRoot + monitor + `GRANT REPLICATION SLAVE, REPLICATION CLIENT, BACKUP_ADMIN, CONNECTION_ADMIN, CLONE_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO 'repl'@'%';
GRANT SELECT ON performance_schema.* TO 'repl'@'%';
`
		if diff := cmp.Diff(want, initScript(version{8, 4, 0}, "mysql", accounts)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("5.7 knows no dynamic privileges", func(t *testing.T) {
		want := opening + closedRoot + monitor + `GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'repl'@'%';
GRANT SELECT ON performance_schema.* TO 'repl'@'%';
`
		if diff := cmp.Diff(want, initScript(version{5, 7, 44}, "mysql", accounts)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("root with a password gets it wherever it comes from", func(t *testing.T) {
		got := initScript(version{8, 4, 0}, "mysql", engine.Accounts{Accounts: []engine.Account{
			{Purpose: engine.PurposeAdmin, User: "root", Password: "x"}}})
		want := opening + `CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY 'x';
ALTER USER 'root'@'%' IDENTIFIED BY 'x' ACCOUNT UNLOCK;
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE USER IF NOT EXISTS 'root'@'localhost' IDENTIFIED BY 'x';
ALTER USER 'root'@'localhost' IDENTIFIED BY 'x' ACCOUNT UNLOCK;
GRANT ALL ON *.* TO 'root'@'localhost' WITH GRANT OPTION;
`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
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
		{"32 characters pass, whatever their bytes", engine.Account{User: strings.Repeat("ü", 32), Password: "x"}, ""},
		{"33 characters do not", engine.Account{User: strings.Repeat("a", 33), Password: "x"}, "32 characters at most"},
		{"an empty password would be no password", engine.Account{User: "app"}, "is empty"},
		{"no client can send a NUL byte", engine.Account{User: "app", Password: "a\x00b"}, "NUL byte"},
		{"the agent's own account is not a user's", engine.Account{User: engine.AgentUser, Password: "x"}, "agent's own"},
		{"the anonymous user is not made", engine.Account{Password: "x"}, "not a user name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := checkAccounts(engine.Accounts{Accounts: []engine.Account{tc.account}})
			if tc.refusal == "" && err != nil || tc.refusal != "" && (err == nil || !strings.Contains(err.Error(), tc.refusal)) {
				t.Errorf("got %v, want %q", err, tc.refusal)
			}
		})
	}
}

func TestWithoutPersisted(t *testing.T) {
	const file = `{"Version": 2, "mysql_dynamic_parse_early_variables": {
	"super_read_only": {"Value": "OFF", "Metadata": {"Host": "", "User": "root", "Timestamp": 1795487578123456}},
	"max_connections": {"Value": "77", "Metadata": {"Timestamp": 1795487578123456789}}},
	"mysql_static_variables": {"port": {"Value": "1"}}}`
	for _, tc := range []struct {
		name      string
		file      string
		variables []string
		want      string
	}{
		{"what is owned goes, the rest stays digit for digit", file, []string{"super_read_only", "port"},
			`{"Version":2,"mysql_dynamic_parse_early_variables":{"max_connections":{"Value":"77","Metadata":{"Timestamp":1795487578123456789}}},"mysql_static_variables":{}}`},
		{"nothing owned, nothing written", file, []string{"read_only"}, ""},
		{"the format of 8.0.28 has a level less and more", `{"Version":1,"mysql_server":{"read_only":{"Value":"OFF"},"mysql_server_static_options":{"port":{"Value":"1"}}}}`,
			[]string{"read_only", "port"}, `{"Version":1,"mysql_server":{"mysql_server_static_options":{}}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, changed, err := withoutPersisted([]byte(tc.file), tc.variables)
			if err != nil || changed != (tc.want != "") {
				t.Fatalf("changed %v, %v", changed, err)
			}
			if !changed {
				return
			}
			var gotValue, wantValue map[string]json.RawMessage
			if err := json.Unmarshal(got, &gotValue); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(tc.want), &wantValue); err != nil {
				t.Fatal(err)
			}
			compact := cmp.Transformer("compact", func(m json.RawMessage) string { return strings.Join(strings.Fields(string(m)), "") })
			if diff := cmp.Diff(wantValue, gotValue, compact); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, _, err := withoutPersisted([]byte("{"), nil); err == nil {
		t.Error("half a file was taken")
	}
}

func TestInspect(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  engine.Data
	}{
		{"nothing there", nil, engine.Data{State: engine.DataNone}},
		{"8.0 and later", map[string]string{"ibdata1": "", "mysql.ibd": "", "auto.cnf": "[auto]\nserver-uuid=abc\n"}, engine.Data{State: engine.DataComplete, SystemID: "abc"}},
		{"5.7", map[string]string{"ibdata1": "", "mysql/user.frm": "", "auto.cnf": "[auto]\nserver_uuid = abc\n"}, engine.Data{State: engine.DataComplete, SystemID: "abc"}},
		{"without auto.cnf the server makes a new one", map[string]string{"ibdata1": "", "mysql.ibd": ""}, engine.Data{State: engine.DataComplete}},
		{"something else is unknown", map[string]string{"holiday.jpg": ""}, engine.Data{State: engine.DataUnknown}},
		{"half a directory is unknown", map[string]string{"ibdata1": ""}, engine.Data{State: engine.DataUnknown}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := testEnv(t)
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

func TestPrepare(t *testing.T) {
	env := testEnv(t)
	e := New(env)
	files := map[string][]byte{"my.cnf": []byte("[mysqld]\n"), "extra.cnf": []byte("x")}
	if err := e.Prepare(t.Context(), engine.Start{Files: files}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(env.ConfigDir, "my.cnf"):    "[mysqld]\n",
		filepath.Join(env.ConfigDir, "extra.cnf"): "x",
		filepath.Join(env.HomeDir, ".my.cnf"):     "[client]\nuser=unit_agent\nsocket=" + env.SocketDir + "/mysqld.sock\n",
	} {
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if info, err := os.Stat(filepath.Join(env.HomeDir, ".my.cnf")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("client option file: %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(env.DataDir()); !os.IsNotExist(err) {
		t.Errorf("preparing touched the data directory: %v", err)
	}
	t.Run("a configuration without its main file is refused", func(t *testing.T) {
		if err := e.Prepare(t.Context(), engine.Start{Files: map[string][]byte{"x": nil}}); err == nil || !strings.Contains(err.Error(), "my.cnf") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a file name cannot lead elsewhere", func(t *testing.T) {
		err := e.Prepare(t.Context(), engine.Start{Files: map[string][]byte{"my.cnf": nil, "../x": nil}})
		if err == nil || !strings.Contains(err.Error(), "base name") {
			t.Errorf("got %v", err)
		}
	})
}

// gtid_owned has the thread behind each GTID, and nothing between two servers.
func TestOwnedGTIDs(t *testing.T) {
	const a, b = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "ffffffff-71ca-11e1-9e33-c80aa9429562"
	for text, want := range map[string]string{
		"":                                 "",
		a + ":23#7":                        a + ":23",
		a + ":23#7:24#81":                  a + ":23:24",
		a + ":23#7" + b + ":1#3":           a + ":23," + b + ":1",
		a + ":23#7,\n" + b + ":1#3":        a + ":23," + b + ":1",
		a + ":nightly:5#9" + a + ":23#123": a + ":nightly:5," + a + ":23",
	} {
		if got := ownedGTIDs(text); got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
}
